"""Receipts: a revision or block, the proof the service gave for it, and a digest kept from earlier.

A receipt stands on its own: neither the journal nor the ledger is needed.
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
    """A value is not a proof: a list of hashes."""


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """What the verification of a receipt came to; true when nothing was found."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the receipt holds."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok


def proof_from_ion(value: IonValue) -> list[bytes]:
    """The hashes of a proof's Ion list.  Raises ProofFormatError."""
    if type(value) is not list or any(type(element) is not bytes for element in value):
        raise ProofFormatError("a proof is a list of blobs")
    return list(value)


def verify_receipt(leaf_hash: bytes, proof: Sequence[bytes], digest: bytes) -> ReceiptReport:
    """Whether a proof leads from the hash of a revision or block to a digest."""
    return ReceiptReport(tuple(_fold(leaf_hash, proof, digest, None)))


def verify_revision(
    revision: IonValue, proof: Sequence[bytes], digest: bytes, tip: BlockAddress | None = None
) -> ReceiptReport:
    """Whether a revision is what its hash says, and its proof leads from there to the digest.

    revision: as GetRevision, the committed view and history give it.
    tip: the digest's tip address; with it the proof's shape is checked too.
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
    """Whether a block, as GetBlock gives it, is sound within, and its proof leads from its hash to the digest."""
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
    """What the addresses say about a proof's length, and about where previousBlockHash shows in it."""
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
    # The left neighbour of an odd leaf is the previous block: its hash is there twice (recorded: six proofs).
    previous, sibling = proof[len(proof) - tree - 1 : len(proof) - tree + 1] if address.sequence_no & 1 else (b"", b"")
    if previous != sibling:
        return [Finding("link", address, show(sibling), show(previous), "previousBlockHash in the proof")]
    return []


def _fold(leaf_hash: bytes, proof: Sequence[bytes], digest: bytes, address: BlockAddress | None) -> list[Finding]:
    # dot takes an empty side as neutral, so an element of another length must not get that far.
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
