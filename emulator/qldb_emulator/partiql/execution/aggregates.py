"""COUNT, SUM, AVG, MIN and MAX: accumulators over the rows of a query.

::

    accumulator = make_accumulator("avg", is_distinct=False)
    for row in rows: accumulator.add(argument_of(row))
    accumulator.result()

Unknown values are skipped; over nothing COUNT is 0 and the others are null (partiql.md 2.3 and 4.3).  ``COUNT(*)`` is
:class:`CountAll`, which counts every row.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol

from ...budget import current
from ...ion.compare import index_key
from ...ion.values import IonValue
from ..language.arithmetic import add, compare_numbers, divide, number_of
from ..language.kinds import is_unknown

_SEEN_BYTES = 100  # of a key among those seen, its octets apart


class Accumulator(Protocol):
    """Takes a value from each row.  The result can be asked for at any time."""

    def add(self, value: IonValue) -> None:
        """Take a value.  Raises PartiqlError for a value of a wrong type."""
        ...

    def result(self) -> IonValue:
        """The aggregate of everything taken so far."""
        ...


class CountAll:
    """``COUNT(*)``."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: IonValue) -> None:
        self._count += 1

    def result(self) -> int:
        return self._count


class Count:
    """``COUNT(x)``: how many values are known."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: IonValue) -> None:
        if not is_unknown(value):
            self._count += 1

    def result(self) -> int:
        return self._count


class Sum:
    """``SUM(x)``: with the arithmetic of ``+``, so ints stay an int and may overflow."""

    __slots__ = ("_sum",)

    def __init__(self) -> None:
        self._sum: IonValue = None

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        self._sum = number_of(value) if self._sum is None else add(self._sum, value)

    def result(self) -> IonValue:
        return self._sum


class Average:
    """``AVG(x)``: the sum as SUM has it, divided as a decimal of at most 38 digits."""

    __slots__ = ("_count", "_sum")

    def __init__(self) -> None:
        self._count = 0
        self._sum: IonValue = None

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        self._sum = add(self._sum, value) if self._count else number_of(value)
        self._count += 1

    def result(self) -> IonValue:
        return divide(self._sum, Decimal(self._count)) if self._count else None


class Extreme:
    """``MIN(x)`` and ``MAX(x)`` of numbers (documented: ql-functions.max); the first of several equal values."""

    __slots__ = ("_best", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._best: IonValue = None

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        number = number_of(value)
        if self._best is None or compare_numbers(number, self._best) * self._sign > 0:
            self._best = number

    def result(self) -> IonValue:
        return self._best


class Distinct:
    """Passes on the first of all values that are equal."""

    __slots__ = ("_inner", "_seen")

    def __init__(self, inner: Accumulator) -> None:
        self._inner = inner
        self._seen: set[bytes] = set()

    def add(self, value: IonValue) -> None:
        key = None if is_unknown(value) else index_key(value)
        if key is not None and key not in self._seen:
            current().keep(len(key) + _SEEN_BYTES)
            self._seen.add(key)
            self._inner.add(value)

    def result(self) -> IonValue:
        return self._inner.result()


ACCUMULATORS: Final[dict[str, Callable[[], Accumulator]]] = {
    "count": Count,
    "sum": Sum,
    "avg": Average,
    "min": lambda: Extreme(-1),
    "max": lambda: Extreme(1),
}


def make_accumulator(name: str, is_distinct: bool = False, is_star: bool = False) -> Accumulator:
    """A fresh accumulator.  name: a key of :data:`ACCUMULATORS`; is_star: ``COUNT(*)``."""
    if is_star:
        return CountAll()
    inner = ACCUMULATORS[name]()
    return Distinct(inner) if is_distinct else inner
