"""The things a journal is made of.  Pure data; the hashes are in ``hashing``, the bytes in ``ion``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..ion.values import IonValue, Timestamp

Struct = dict[str, IonValue]


@dataclass(frozen=True, slots=True, order=True)
class BlockAddress:
    """Where a block is in the journal.

    strand_id: the strand, a 22-character id.  sequence_no: position in the strand, from 0.
    """

    strand_id: str
    sequence_no: int

    def to_ion(self) -> Struct:
        return {"strandId": self.strand_id, "sequenceNo": self.sequence_no}


@dataclass(frozen=True, slots=True)
class Block:
    """One block, every part as it stands in the journal.

    The nested structs (transaction_info, redaction_info, revisions) stay Ion values: an imported block must be handed
    out and hashed exactly as it was written, absent members absent.  Field order and meaning: journal.md 1.1.
    """

    address: BlockAddress
    transaction_id: str
    timestamp: Timestamp
    block_hash: bytes
    entries_hash: bytes
    previous_block_hash: bytes
    entries_hash_list: tuple[bytes, ...]
    transaction_info: Struct | None = None
    redaction_info: Struct | None = None
    revisions: tuple[Struct, ...] | None = None

    def to_ion(self) -> Struct:
        """The block as the service writes it: these names, this order, absent parts absent."""
        struct: dict[str, Any] = {
            "blockAddress": self.address.to_ion(),
            "transactionId": self.transaction_id,
            "blockTimestamp": self.timestamp,
            "blockHash": self.block_hash,
            "entriesHash": self.entries_hash,
            "previousBlockHash": self.previous_block_hash,
            "entriesHashList": list(self.entries_hash_list),
        }
        if self.transaction_info is not None:
            struct["transactionInfo"] = self.transaction_info
        if self.redaction_info is not None:
            struct["redactionInfo"] = self.redaction_info
        if self.revisions is not None:
            struct["revisions"] = list(self.revisions)
        return struct
