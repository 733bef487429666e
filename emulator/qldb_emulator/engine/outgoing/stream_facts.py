"""The facts about journal streams in a ledger's file.

A stream is one fact: its definition, its status, and the next block to deliver.  The fact is written after the
delivery, so a restart repeats records and loses none.

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

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..ledger.facts import LedgerFacts, Stream

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

RUNNING = ("ACTIVE", "IMPAIRED")


def find_stream(ledger: Ledger, stream_id: str) -> Stream | None:
    """Return a stream of a ledger, whatever its status and age."""
    return ledger.facts.streams.get(stream_id)


def streams_of(ledger: Ledger) -> list[Stream]:
    """Return all streams of a ledger, in the order of their creation."""
    return sorted(ledger.facts.streams.values(), key=lambda stream: (stream.created_ms, stream.id))


def has_running_streams(facts: LedgerFacts) -> bool:
    """Whether the facts of a ledger hold a stream that must be delivered."""
    return any(stream.status in RUNNING for stream in facts.streams.values())


def change_stream(ledger: Ledger, stream_id: str, durably: bool = True, **changes: Any) -> Stream | None:
    """Change the facts of a running stream; return None, and change nothing, if it has ended meanwhile."""
    found: list[Stream] = []

    def change(facts: LedgerFacts) -> LedgerFacts:
        found.clear()
        stream = facts.streams.get(stream_id)
        if stream is None or stream.status not in RUNNING or ledger.is_closed:
            return facts
        changed = replace(stream, **changes)
        found.append(changed)
        return facts if changed == stream else facts.with_stream(changed)

    ledger.change_facts(change, is_progress=not durably)
    return found[0] if found else None
