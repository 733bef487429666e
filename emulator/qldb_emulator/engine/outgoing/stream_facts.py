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

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..ledger.facts import LedgerFacts, Stream

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

RUNNING = ("ACTIVE", "IMPAIRED")


def find_stream(ledger: Ledger, stream_id: str) -> Stream | None:
    """A stream of a ledger, whatever its status and age."""
    return ledger.facts.streams.get(stream_id)


def streams_of(ledger: Ledger) -> list[Stream]:
    """All streams of a ledger, in the order of their creation."""
    return sorted(ledger.facts.streams.values(), key=lambda stream: (stream.created_ms, stream.id))


def has_running_streams(facts: LedgerFacts) -> bool:
    """Whether the facts of a ledger hold a stream that is to be delivered."""
    return any(stream.status in RUNNING for stream in facts.streams.values())


def change_stream(ledger: Ledger, stream_id: str, durably: bool = True, **changes: Any) -> Stream | None:
    """Change what is stored of a running stream; None, and nothing changed, when it has ended meanwhile."""
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
