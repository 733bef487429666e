"""The parts of a journal.  Pure data; the hashes are in ``hashing``, the bytes in ``ion``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..ion.values import IonValue, Timestamp
from .layout import BLOCK

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
    """One block, with every part as it is in the journal.

    The nested structs (transaction_info, redaction_info, revisions) stay Ion values: an imported block must be returned
    and hashed exactly as it was written, without the members that were absent.  The attributes have the order of
    ``layout.BLOCK``, which has the names and the meaning.
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

    @property
    def time_ms(self) -> int:
        """Its time in milliseconds since the epoch."""
        return self.timestamp.epoch_ms()

    def decoded(self) -> Block:
        """Return the block itself: ``stored.StoredBlock`` has the same method."""
        return self

    def to_ion(self) -> Struct:
        """Return the block as the service writes it: the names and the order of the layout, absent parts absent."""
        struct: dict[str, Any] = {}
        for name, attribute in _ATTRIBUTES:
            part = getattr(self, attribute)
            if part is not None:
                struct[name] = list(part) if type(part) is tuple else part
        struct["blockAddress"] = self.address.to_ion()
        return struct


_ATTRIBUTES = tuple(zip(BLOCK.names, (part.name for part in fields(Block)), strict=True))
