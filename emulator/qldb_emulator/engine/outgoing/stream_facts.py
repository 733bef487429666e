"""What a ledger's file says of its journal streams.

A stream is one fact: its definition, its status, and the next block it has to deliver.  The fact is written after the
delivery, so a restart repeats records rather than losing any.

====================  ====================================================================  ==========
status                until                                                                 source
====================  ====================================================================  ==========
ACTIVE                the end time is reached and delivered, cancelled, or Kinesis refuses  documented
IMPAIRED              Kinesis takes records again (then ACTIVE); seven days (then FAILED)   documented
COMPLETED, CANCELED,  ended: listed for seven days                                          documented
FAILED
====================  ====================================================================  ==========
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ...records import dataclass
from ..ledger.ledger import STREAM_PREFIX, Facts, stream_key

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

RUNNING = ("ACTIVE", "IMPAIRED")


@dataclass(frozen=True, slots=True)
class Stream:
    """One journal stream.  Times are milliseconds since 1970.

    next_seq: the first block that may not have been delivered.  has_begun: CREATED was delivered.
    """

    id: str
    name: str
    role_arn: str
    kinesis_arn: str
    is_aggregated: bool
    created_ms: int
    start_ms: int
    end_ms: int | None
    next_seq: int
    has_begun: bool = False
    status: str = "ACTIVE"
    error_cause: str | None = None
    impaired_ms: int | None = None
    ended_ms: int | None = None


def find_stream(ledger: Ledger, stream_id: str) -> Stream | None:
    """A stream of a ledger, whatever its status and age."""
    fact = ledger.facts.get(stream_key(stream_id))
    return None if fact is None else Stream(**fact)


def streams_of(ledger: Ledger) -> list[Stream]:
    """All streams of a ledger, in the order of their creation."""
    streams = [Stream(**fact) for key, fact in ledger.facts.items() if key.startswith(STREAM_PREFIX)]
    return sorted(streams, key=lambda stream: (stream.created_ms, stream.id))


def has_running_streams(facts: Facts) -> bool:
    """Whether the facts of a ledger hold a stream that is to be delivered."""
    return any(key.startswith(STREAM_PREFIX) and fact["status"] in RUNNING for key, fact in facts.items())


def put_stream(ledger: Ledger, stream: Stream, **facts: Any) -> None:
    """Store a new stream, and other facts with it."""
    ledger.set_facts(**{stream_key(stream.id): asdict(stream)}, **facts)


def change_stream(ledger: Ledger, stream_id: str, durably: bool = True, **changes: Any) -> Stream | None:
    """Change what is stored of a running stream; None, and nothing changed, when it has ended meanwhile."""
    with ledger.commit_lock:
        stream = find_stream(ledger, stream_id)
        if stream is None or stream.status not in RUNNING or ledger.is_closed:
            return None
        changed = replace(stream, **changes)
        if changed != stream:
            fact = {stream_key(stream_id): asdict(changed)}
            if durably:
                ledger.set_facts(**fact)
            else:
                ledger.note_facts(fact)
        return changed
