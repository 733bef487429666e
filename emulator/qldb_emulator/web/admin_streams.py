"""A ledger's journal records as they are written, over HTTP: as server-sent events, or as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator

from flask import request

from ..engine.control.lookup import active_ledger
from ..engine.outgoing.local_streams import IDLE_SECONDS, LOCAL, json_records
from ..errors import ADMIN_REQUEST
from .routes import AdminCall, Pieces, Route

MAX_SEQUENCE_NO = 2**31 - 1
# A comment, so that proxies and this server notice when a client is gone.
HEARTBEAT_SECONDS = 15.0
EVENTS, LINES = "text/event-stream", "application/x-ndjson"

_Records = Iterator[tuple[int, list[tuple[str, str]]]]


def _stream(call: AdminCall) -> Pieces:
    """Read the query: ``from`` the first block; ``follow=false`` to end with the last; ``Accept`` or ``format``."""
    ledger = active_ledger(call.emulator, call.path["ledger"], call.region)
    first = call.number("from", 0, MAX_SEQUENCE_NO)
    seen = request.headers.get("Last-Event-ID", "")
    if seen.isascii() and seen.isdigit() and len(seen) < 11:
        first = int(seen) + 1  # a client that reconnects (the standard of server-sent events)
    follow = call.query.get("follow", "true")
    if follow not in ("true", "false"):
        raise ADMIN_REQUEST(text="follow must be true or false")
    form = call.query.get("format") or ("ndjson" if LINES in request.headers.get("Accept", "") else "sse")
    if form not in ("sse", "ndjson"):
        raise ADMIN_REQUEST(text="format must be sse or ndjson")
    records = json_records(ledger, call.emulator.streams.arn(ledger, LOCAL), first, follow == "true")
    return Pieces(_events(records), EVENTS) if form == "sse" else Pieces(_lines(records), LINES)


def _events(records: _Records) -> Iterator[bytes]:
    """Yield an event a record.

    The last record of a block has the block's number as id, so a client that received half of a block gets it again.
    """
    yield b": connected\n\n"
    idle = 0.0
    for sequence_no, rows in records:
        idle = 0.0 if rows else idle + IDLE_SECONDS
        events = [f"event: {kind}\ndata: {line}\n\n" for kind, line in rows]
        if events:
            events[-1] = f"id: {sequence_no}\n{events[-1]}"
            yield "".join(events).encode()
        elif idle >= HEARTBEAT_SECONDS:
            idle = 0.0
            yield b": still here\n\n"
        else:
            yield b""


def _lines(records: _Records) -> Iterator[bytes]:
    """Yield a line a record."""
    idle = 0.0
    for _, rows in records:
        idle = 0.0 if rows else idle + IDLE_SECONDS
        if idle >= HEARTBEAT_SECONDS:
            idle = 0.0
            yield b"\n"
        else:
            yield "".join(f"{line}\n" for _, line in rows).encode()


STREAM_ROUTES = (
    Route("GET", "/ledgers/<ledger>/stream", _stream, "Journal records as they come: server-sent events or ndjson."),
)
