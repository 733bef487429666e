"""GetDigest, GetBlock and GetRevision: texts, proofs and the eight documented errors (verification.errors)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import (
    BLOCK_ADDRESS_NOT_VALID,
    BLOCK_AFTER_TIP,
    BLOCK_BEYOND_JOURNAL,
    ION_TEXT_NOT_VALID,
    NO_DIGEST,
    REVISION_NOT_IN_BLOCK,
    STRAND_NOT_VALID,
    STRANDS_DIFFER,
    TIP_BEYOND_JOURNAL,
)
from ...ion.codec import IonError, dumps_text, loads
from ...ion.values import IonValue, strip_annotations
from ...journal.merkle import digest
from ...journal.model import Block, BlockAddress
from ...journal.parse import block_from_ion
from ...journal.proofs import RevisionNotInBlockError, block_proof, revision_position, revision_proof

if TYPE_CHECKING:
    from .ledger import Ledger

Members = dict[str, Any]


def get_digest(ledger: Ledger) -> Members:
    """Return the digest over all committed blocks, and the address of the last of them."""
    _check_tree(ledger)
    tip = ledger.tip()
    ledger.make_durable()  # a power cut must not undo what a digest covers
    value = digest(tip.sequence_no + 1, ledger.file.tree_nodes)
    return {"Digest": value, "DigestTipAddress": _ion_text(tip.to_ion())}


def get_block(ledger: Ledger, block_address: Members, digest_tip: Members | None) -> Members:
    """Return a block, with its proof if a digest tip is given.  Raises InvalidParameter for wrong addresses."""
    address, tip = _checked(ledger, block_address, digest_tip)
    members: Members = {"Block": _ion_text(_block_value(ledger, address))}
    if tip is not None:
        _check_tree(ledger)
        proof = block_proof(address.sequence_no, tip.sequence_no, ledger.file.tree_nodes)
        members["Proof"] = _ion_text(proof)
    return members


def get_revision(ledger: Ledger, block_address: Members, document_id: str, digest_tip: Members | None) -> Members:
    """Return a document's revision in a block, with its proof if a digest tip is given."""
    address, tip = _checked(ledger, block_address, digest_tip)
    block: Block = block_from_ion(_block_value(ledger, address))
    try:
        position = revision_position(block, document_id)
    except RevisionNotInBlockError as error:
        raise REVISION_NOT_IN_BLOCK(parameter="DocumentId") from error
    assert block.revisions is not None
    members: Members = {"Revision": _ion_text(block.revisions[position])}
    if tip is not None:
        _check_tree(ledger)
        proof = revision_proof(block, document_id, tip.sequence_no, ledger.file.tree_nodes)
        members["Proof"] = _ion_text(proof)
    return members


def _check_tree(ledger: Ledger) -> None:
    """Raise NO_DIGEST if the journal was imported with blocks missing."""
    if ledger.digest_problem is not None:
        raise NO_DIGEST(name=ledger.name, reason=ledger.digest_problem)


def _ion_text(value: IonValue) -> Members:
    return {"IonText": dumps_text(value)}


def _block_value(ledger: Ledger, address: BlockAddress) -> IonValue:
    ledger.make_durable()
    data = ledger.file.block_bytes(address.sequence_no)
    if data is None:  # only a journal that was imported from its middle lacks blocks
        raise BLOCK_ADDRESS_NOT_VALID(parameter="BlockAddress")
    return loads(data)


def _checked(ledger: Ledger, block: Members, tip: Members | None) -> tuple[BlockAddress, BlockAddress | None]:
    """Return both addresses, checked in the order of the documented errors."""
    address = _parse_address(block, "BlockAddress")
    tip_address = None if tip is None else _parse_address(tip, "DigestTipAddress")
    last = ledger.tip()
    if tip_address is not None:
        if tip_address.strand_id == last.strand_id and tip_address.sequence_no > last.sequence_no:
            raise TIP_BEYOND_JOURNAL(parameter="DigestTipAddress")
        if address.strand_id != tip_address.strand_id and last.strand_id in (address.strand_id, tip_address.strand_id):
            raise STRANDS_DIFFER(parameter="BlockAddress")
    if address.strand_id != last.strand_id:
        raise STRAND_NOT_VALID(parameter="BlockAddress")
    if address.sequence_no > last.sequence_no:
        raise BLOCK_BEYOND_JOURNAL(parameter="BlockAddress")
    if tip_address is not None and address.sequence_no > tip_address.sequence_no:
        raise BLOCK_AFTER_TIP(parameter="BlockAddress")
    return address, tip_address


def _parse_address(holder: Members, parameter: str) -> BlockAddress:
    try:
        value = strip_annotations(loads(holder.get("IonText") or ""))
    except IonError as error:
        raise ION_TEXT_NOT_VALID(parameter=parameter) from error
    if isinstance(value, dict) and set(value) == {"strandId", "sequenceNo"}:
        strand_id, sequence_no = strip_annotations(value["strandId"]), strip_annotations(value["sequenceNo"])
        if isinstance(strand_id, str) and type(sequence_no) is int and sequence_no >= 0:
            return BlockAddress(str(strand_id), sequence_no)
    raise BLOCK_ADDRESS_NOT_VALID(parameter=parameter)
