"""Numbers and times as people read them."""

from __future__ import annotations

from ..ion.values import Timestamp


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 ledger``, ``2 ledgers``, ``1,000 ledgers``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, with milliseconds."""
    return str(Timestamp.from_epoch_ms(round(seconds * 1000)))
