"""Verifies receipts.  A receipt is a revision or a block, the proof that the service gave for it, and a digest.

No journal and no ledger is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ion.values import IonValue
from ..journal import hashing, merkle
from ..journal.model import BlockAddress, Struct
from ..journal.parse import BlockFormatError, address_from_ion, block_from_ion, revision_from_ion
from ..records import dataclass
from .checks import Finding, check_block, show


class ProofFormatError(ValueError):
    """The value is not a proof.  A proof is a list of hashes."""


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """The result of verifying a receipt.  It is true if there are no findings."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the receipt holds."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok


def proof_from_ion(value: IonValue) -> list[bytes]:
    """Return the hashes in the Ion list of a proof.  Raises ProofFormatError."""
    if type(value) is not list or any(type(element) is not bytes for element in value):
        raise ProofFormatError("a proof is a list of blobs")
    return list(value)


def verify_receipt(leaf_hash: bytes, proof: Sequence[bytes], digest: bytes) -> ReceiptReport:
    """Verify that a proof leads from the hash of a revision or block to a digest."""
    return ReceiptReport(tuple(_fold(leaf_hash, proof, digest, None)))


def verify_revision(
    revision: IonValue, proof: Sequence[bytes], digest: bytes, tip: BlockAddress | None = None
) -> ReceiptReport:
    """Verify that a revision has the hash that it names, and that its proof leads from this hash to the digest.

    revision: in the form of GetRevision, the committed view and history.
    tip: the address of the digest's tip.  With it, the length of the proof is checked, too.
    """
    try:
        struct = revision_from_ion(revision)
    except BlockFormatError as error:
        return ReceiptReport((Finding("format", None, "a revision", error.problem, error.field),))
    if "metadata" not in struct:
        return ReceiptReport((Finding("format", None, "metadata and data", "a hash alone", "revision"),))
    address = address_from_ion(struct["blockAddress"])
    findings = _revision_hash(struct, address)
    if tip is not None:
        findings += _shape(address, tip, proof, in_block=True)
    return ReceiptReport((*findings, *_fold(struct["hash"], proof, digest, address)))


def verify_block(
    block: IonValue, proof: Sequence[bytes], digest: bytes, tip: BlockAddress | None = None
) -> ReceiptReport:
    """Verify all hashes within a block, and that its proof leads from the block's hash to the digest.

    block: in the form of GetBlock.  tip: as for verify_revision.
    """
    try:
        parsed = block_from_ion(block)
    except BlockFormatError as error:
        return ReceiptReport((Finding("format", error.address, "a block", error.problem, error.field),))
    findings = check_block(parsed)
    if tip is not None:
        findings += _shape(parsed.address, tip, proof, in_block=False)
    return ReceiptReport((*findings, *_fold(parsed.block_hash, proof, digest, parsed.address)))


def _revision_hash(revision: Struct, address: BlockAddress) -> list[Finding]:
    metadata, found = revision["metadata"], revision["hash"]
    if "data" in revision:
        expected = {hashing.revision_hash(metadata, revision["data"])}
    elif "dataHash" in revision:
        expected = {hashing.revision_hash_of(metadata, revision["dataHash"])}
    else:
        expected = set(hashing.deletion_candidates(metadata).values())
    if found in expected:
        return []
    return [Finding("revision", address, " or ".join(sorted(map(show, expected))), show(found), "hash")]


def _shape(address: BlockAddress, tip: BlockAddress, proof: Sequence[bytes], in_block: bool) -> list[Finding]:
    """Compare the proof with the addresses: its length, and the place where it has previousBlockHash.

    in_block: whether the proof begins inside the block, as a revision's does.
    """
    if address.strand_id != tip.strand_id:
        return [Finding("strand", address, tip.strand_id, address.strand_id, "digest tip address")]
    if address.sequence_no > tip.sequence_no:
        expected = f"at most {tip.sequence_no}"
        return [Finding("sequence", address, expected, str(address.sequence_no), "digest tip address")]
    tree = merkle.proof_length(address.sequence_no, tip.sequence_no + 1)
    if not in_block:
        if len(proof) == tree:
            return []
        return [Finding("length", address, f"{tree} hashes", f"{len(proof)} hashes", "proof")]
    least = tree + (1 if address.sequence_no else 0)
    if len(proof) < least:
        return [Finding("length", address, f"at least {least} hashes", f"{len(proof)} hashes", "proof")]
    # The left neighbour of a leaf with an odd number is the block before.  So the proof has the hash of that one twice:
    # as previousBlockHash and as a node of the tree (recorded: six proofs).
    previous, sibling = proof[len(proof) - tree - 1 : len(proof) - tree + 1] if address.sequence_no & 1 else (b"", b"")
    if previous != sibling:
        return [Finding("link", address, show(sibling), show(previous), "previousBlockHash in the proof")]
    return []


def _fold(leaf_hash: bytes, proof: Sequence[bytes], digest: bytes, address: BlockAddress | None) -> list[Finding]:
    # dot returns the other side if one is empty, so an empty element would not change the result: check lengths first.
    elements = [("hash", leaf_hash), ("digest", digest), *((f"proof[{i}]", element) for i, element in enumerate(proof))]
    findings = [
        Finding("format", address, f"{hashing.HASH_BYTES} bytes", f"{len(element)} bytes", name)
        for name, element in elements
        if len(element) != hashing.HASH_BYTES
    ]
    if findings:
        return findings
    folded = merkle.fold(leaf_hash, proof)
    if folded == digest:
        return []
    return [Finding("digest", address, show(digest), show(folded), "what the proof leads to")]
