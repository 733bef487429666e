"""Views of the journal: blocks newest first, one whole block, search, a live tail.

A journal may have millions of blocks, so every answer is bounded: by a number of blocks, and a search by the number of
blocks that it examines and by its time.  The answer says where to continue.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...engine.ledger.following import next_blocks
from ...engine.outgoing.local_streams import IDLE_SECONDS
from ...errors import ADMIN_NOT_FOUND, ADMIN_REQUEST
from ...ion.codec import IonError, loads
from ...ion.values import IonValue, Timestamp
from ...journal.model import Block
from ...journal.parse import block_from_ion
from ...storage.errors import StorageError
from .call import MAX_SEQUENCE_NO, Call, Lines, Members, Raw
from .values import CONTENT_TYPES, base64_text, write

if TYPE_CHECKING:
    from ...engine.ledger.ledger import Ledger

DEFAULT_BLOCKS = 50
MAX_BLOCKS = 500
"""Blocks of one answer (ours)."""

SEARCH_BLOCKS = 50_000
"""The most blocks that one request examines (ours: about a second)."""

SEARCH_SECONDS = 1.0
"""How long one request looks (ours)."""

TEXT_CHARACTERS = 500
"""Of a statement in a list of blocks (ours); the answer for one block has the whole text."""

_CHUNK = 128
EVENTS = "text/event-stream"
HEARTBEAT_SECONDS = 15.0


def list_blocks(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}/blocks``: summaries, newest first."""
    ledger = call.ledger("GetBlock")
    limit = call.number("limit", DEFAULT_BLOCKS, MAX_BLOCKS)
    tip = ledger.tip().sequence_no
    before = min(call.number("before", MAX_SEQUENCE_NO), tip + 1)
    found = newest_first(ledger, before, limit)
    last = found[-1]["sequenceNo"] if found else 0
    return {"blocks": found, "tip": tip, "next": last if last > 0 else None}


def newest_first(ledger: Ledger, before: int, limit: int) -> list[Members]:
    """Return summaries of the last ``limit`` blocks below a sequence number."""
    first = max(0, before - limit)
    blocks = list(ledger.file.blocks(first, before - 1)) if before > first else []
    return [summary(ion) for _, ion in reversed(blocks)]


def summary(ion: bytes) -> Members:
    """Return a block in a few members."""
    block = block_from_ion(loads(ion))
    info: Any = block.transaction_info or {}
    documents = info.get("documents") or {}
    return {
        "sequenceNo": block.address.sequence_no,
        "strandId": block.address.strand_id,
        "transactionId": block.transaction_id,
        "timestamp": str(block.timestamp),
        "blockHash": base64_text(block.block_hash),
        "previousBlockHash": base64_text(block.previous_block_hash),
        "bytes": len(ion),
        "revisions": len(block.revisions or ()),
        "statements": [str(each["statement"])[:TEXT_CHARACTERS] for each in info.get("statements") or ()],
        "documents": [
            {"documentId": str(name), "table": str(about["tableName"]), "statements": list(about["statements"])}
            for name, about in documents.items()
        ],
        "redactions": block.redaction_info is not None,
    }


def block_value(ledger: Ledger, sequence_no: int) -> tuple[IonValue, bytes]:
    """Return a block, and its stored bytes.  Raises ADMIN_NOT_FOUND."""
    ledger.make_durable()
    data = ledger.file.block_bytes(sequence_no)
    if data is None:
        text = f"The ledger {ledger.name} has no block {sequence_no}: its last is {ledger.tip().sequence_no}"
        raise ADMIN_NOT_FOUND(text=text)
    return loads(data), data


def sequence_number(call: Call) -> int:
    """Return the sequence number in the path.  Raises ADMIN_NOT_FOUND if it is not one."""
    text = call.path["block"]
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        raise ADMIN_NOT_FOUND(text=f"{text[:100]!r} is no sequence number")
    return int(text)


def get_block(call: Call) -> Raw:
    """Answer ``GET /ledgers/{ledger}/blocks/{block}``: the whole block; in Ion binary, exactly the stored bytes."""
    ledger = call.ledger("GetBlock")
    value, data = block_value(ledger, min(sequence_number(call), MAX_SEQUENCE_NO))
    form = call.form
    return Raw(data if form == "ion-binary" else write(value, form), CONTENT_TYPES[form])


# --- search -----------------------------------------------------------------------------------------------------


class Wanted:
    """The conditions of a search.  All that are given must hold."""

    def __init__(self, call: Call) -> None:
        query = call.query
        self.text = query.get("text", "")
        self.document_id = query.get("document", "")
        self.transaction_id = query.get("transaction", "")
        self.table = query.get("table", "")
        self._needles = [part.encode() for part in (self.document_id, self.transaction_id, self.table) if part]
        self._lower = self.text.lower().encode()

    def is_in(self, ion: bytes) -> bool:
        """Whether a block matches.  Text is found in strings, symbols and field names, ignoring ASCII case."""
        if not all(needle in ion for needle in self._needles) or self._lower not in ion.lower():
            return False
        if not self._needles:
            return True
        block = block_from_ion(loads(ion))
        return (
            self.transaction_id in ("", block.transaction_id)
            and (not self.document_id or self.document_id in _document_ids(block))
            and (not self.table or self.table in _table_names(block))
        )


def _document_ids(block: Block) -> set[str]:
    info: Any = block.transaction_info or {}
    return set(info.get("documents") or {}) | {
        str(r["metadata"]["id"]) for r in block.revisions or () if "metadata" in r
    }


def _table_names(block: Block) -> set[str]:
    info: Any = block.transaction_info or {}
    return {str(each["tableName"]) for each in (info.get("documents") or {}).values()}


def search(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}/search``: blocks that hold everything asked for, newest first."""
    ledger = call.ledger("GetBlock")
    limit = call.number("limit", DEFAULT_BLOCKS, MAX_BLOCKS)
    return find_blocks(ledger, Wanted(call), *range_of(call, ledger), limit)


def find_blocks(ledger: Ledger, wanted: Wanted, first: int, before: int, limit: int) -> Members:
    """Return the blocks first..before-1 that hold what is wanted, newest first.  next: go on with blocks below it."""
    deadline = time.monotonic() + SEARCH_SECONDS
    found: list[Members] = []
    looked_at = 0
    while before > first and len(found) < limit and looked_at < SEARCH_BLOCKS and time.monotonic() < deadline:
        low = max(first, before - _CHUNK)
        for number, ion in reversed(list(ledger.file.blocks(low, before - 1))):
            before = number
            looked_at += 1
            if wanted.is_in(ion):
                found.append(summary(ion))
                if len(found) == limit:
                    break
        else:
            before = low
    return {"blocks": found, "searched": looked_at, "next": before if before > first else None}


def range_of(call: Call, ledger: Ledger) -> tuple[int, int]:
    """Return the blocks to search: by ``from`` and ``to`` (times), and below ``before``."""
    before = min(call.number("before", MAX_SEQUENCE_NO), ledger.tip().sequence_no + 1)
    start, end = time_of(call, "from"), time_of(call, "to")
    if start is None and end is None:
        return 0, before
    span = ledger.file.block_seqs_between(start or 0, (end if end is not None else 2**52) + 1)
    return (0, 0) if span is None else (span[0], min(before, span[1] + 1))


def time_of(call: Call, name: str) -> int | None:
    """Return a time of the query in milliseconds: an Ion timestamp, or a number of milliseconds.

    Raises ADMIN_REQUEST.
    """
    text = call.query.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) > 4:
        return min(int(text[:16]), 2**52)
    try:
        value = loads(text if "T" in text else f"{text}T")
    except IonError as error:
        raise ADMIN_REQUEST(text=f"{name} is no time: {error}") from error
    if not isinstance(value, Timestamp):
        raise ADMIN_REQUEST(text=f"{name} must be a time such as 2026-11-28T12:00:00Z, or milliseconds since 1970")
    return value.epoch_ms()


# --- live tail --------------------------------------------------------------------------------------------------


def tail(call: Call) -> Lines:
    """Answer ``GET /ledgers/{ledger}/tail``: a server-sent event for every block, as it is committed."""
    ledger = call.ledger("GetBlock")
    after = call.optional_number("after")
    seen = call.headers.get("Last-Event-ID", "")
    if seen.isascii() and seen.isdigit() and len(seen) < 11:
        after = int(seen)  # a client that comes back (the standard of server-sent events)
    return Lines(_events(ledger, ledger.tip().sequence_no + 1 if after is None else after + 1), EVENTS)


def _events(ledger: Ledger, first: int) -> Iterator[bytes]:
    yield b": connected\n\n"
    stop, idle = threading.Event(), 0.0
    while not ledger.is_closed:
        try:
            found = next_blocks(ledger, first, IDLE_SECONDS, stop)
        except StorageError:
            if ledger.is_closed:
                return  # the ledger went away while it was followed
            raise
        for sequence_no, ion in found:
            first = sequence_no + 1
            yield f"id: {sequence_no}\nevent: block\ndata: {json.dumps(summary(ion))}\n\n".encode()
        idle = 0.0 if found else idle + IDLE_SECONDS
        if idle >= HEARTBEAT_SECONDS:
            idle = 0.0
            yield b": still here\n\n"
        else:
            yield b""
