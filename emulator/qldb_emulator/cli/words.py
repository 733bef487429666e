"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 ledger``, ``2 ledgers``, ``1,000 ledgers``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, with milliseconds if there are any."""
    moment = datetime.fromtimestamp(seconds, UTC)
    form = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=form).replace("+00:00", "Z")
