"""Values as the text that targets take: times, bytes, numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..ion.values import Timestamp, civil_from_days, days_from_civil


@lru_cache(1024)
def _second(seconds: int) -> str:
    time = Timestamp.from_utc_seconds(seconds)
    return f"{time.year:04}-{time.month:02}-{time.day:02}T{time.hour:02}:{time.minute:02}:{time.second:02}"


def time_text(microseconds: int) -> str:
    """``2020-01-31T12:00:00.123000Z``: always as long, so that texts are in the order of their times."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06}Z"


def time_from_text(text: str) -> int:
    """Microseconds of such a text.  Raises ValueError."""
    if len(text) != 27 or text[26] != "Z":
        raise ValueError(f"not a time as it is written here: {text[:40]!r}")
    date, clock = text[:10], text[11:26]
    seconds = date_from_text(date) * 86_400 + int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8])
    return seconds * 1_000_000 + int(clock[9:])


@lru_cache(1024)
def date_text(days: int) -> str:
    """``2020-01-31``."""
    year, month, day = civil_from_days(days)
    return f"{year:04}-{month:02}-{day:02}"


def date_from_text(text: str) -> int:
    """Days since 1970.  Raises ValueError."""
    return days_from_civil(int(text[:4]), int(text[5:7]), int(text[8:10]))


def float_text(value: float) -> str:
    """As PostgreSQL and most readers of CSV take it."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


Convert = Callable[[Any], Any]
"""Makes of a value, not None, what a target takes."""


def converted(
    columns: Iterable[Sequence[Any]], kinds: Iterable[str], converters: Mapping[str, Convert], empty: Any = None
) -> Iterable[Sequence[Any]]:
    """The rows of a Chunk with their values as a target takes them, made a column at a time: cheaper than cell by cell.

    converters: by the kind of the column; a kind without one stays as it is.  empty: what stands for None.
    """
    made: list[Sequence[Any]] = []
    for kind, column in zip(kinds, columns, strict=True):
        convert = converters.get(kind)
        if convert is None:
            made.append(column)
        elif None in column:
            made.append([empty if value is None else convert(value) for value in column])
        else:
            made.append(list(map(convert, column)))
    return zip(*made, strict=True)
