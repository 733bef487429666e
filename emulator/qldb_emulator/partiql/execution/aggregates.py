"""COUNT, SUM, AVG, MIN and MAX: accumulators over the rows of a query.

::

    accumulator = make_accumulator("avg", is_distinct=False)
    for row in rows: accumulator.add(argument_of(row))
    accumulator.result()

Unknown values are skipped; over nothing COUNT is 0 and the others are null (partiql.md 2.3 and 4.3).  ``COUNT(*)`` is
:class:`CountAll`: it counts whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Protocol

from ...budget import charge, current
from ...ion.compare import index_key, kind, order_key
from ...ion.values import Annotated, IonValue, struct_items
from ..language import faults
from ..language.arithmetic import add, decimal_of, divide
from ..language.faults import shown, type_name
from ..language.kinds import is_unknown

_NUMBERS: Final = frozenset({"INT", "FLOAT", "DECIMAL"})


_KEY_PART_BYTES = 100  # of the sort key of one element
_SEEN_BYTES = 100  # of a key among those seen, its octets apart


class Accumulator(Protocol):
    """Takes values, one a row, and has a result at any time."""

    def add(self, value: IonValue) -> None:
        """Take a value.  Raises PartiqlError for one the aggregate is not made for."""
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
    name = "SUM"

    def __init__(self) -> None:
        self._sum: IonValue = None

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        number = _number(value, self.name)
        self._sum = number if self._sum is None else add(self._sum, number)

    def result(self) -> IonValue:
        return self._sum


class Average:
    """``AVG(x)``: always a decimal of at most 38 digits."""

    __slots__ = ("_count", "_sum")

    def __init__(self) -> None:
        self._count = 0
        self._sum: IonValue = Decimal(0)

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        number = decimal_of(_number(value, "AVG"))
        self._sum = add(self._sum, number) if self._count else number
        self._count += 1

    def result(self) -> IonValue:
        return divide(self._sum, Decimal(self._count)) if self._count else None


class Extreme:
    """``MIN(x)`` and ``MAX(x)`` in :func:`natural_order`; of equal values the first."""

    __slots__ = ("_best", "_best_key", "_is_max")

    def __init__(self, is_max: bool) -> None:
        self._is_max = is_max
        self._best: IonValue = None
        self._best_key: tuple[Any, ...] = ()

    def add(self, value: IonValue) -> None:
        if is_unknown(value):
            return
        key = natural_order(value)
        if self._best is None or (key > self._best_key if self._is_max else key < self._best_key):
            self._best, self._best_key = value, key

    def result(self) -> IonValue:
        return self._best


_RANKS: Final = ("null", "bool", "number", "timestamp", "text", "lob", "list", "sexp", "struct", "bag")


def natural_order(value: IonValue) -> tuple[Any, ...]:
    """A sort key over all values, whatever their kinds: the library's natural order, nulls first.

    By kind in the order of :data:`_RANKS`; then scalars as ``<`` has them, lobs by octets, lists and sexps element by
    element, structs and bags by their sorted parts.
    """
    bare = value.value if type(value) is Annotated else value
    of = kind(bare)
    rank = _RANKS.index(of)
    if of == "null":
        return (rank,)
    if of == "lob":
        return rank, bytes(bare)
    if of in ("list", "sexp", "bag", "struct"):
        charge(_KEY_PART_BYTES * len(bare))
    if of in ("list", "sexp"):
        return rank, [natural_order(element) for element in bare]
    if of == "bag":
        return rank, sorted(natural_order(element) for element in bare)
    if of == "struct":
        return rank, sorted((natural_order(name), natural_order(part)) for name, part in struct_items(bare))
    return rank, order_key(bare)


class Distinct:
    """Passes on each value once, the first of those that are equal."""

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


def _number(value: IonValue, name: str) -> IonValue:
    bare = value.value if type(value) is Annotated else value
    if type_name(bare) not in _NUMBERS:
        raise faults.AGGREGATE_TYPE(name=name, value=shown(bare), type=type_name(bare))
    return bare


ACCUMULATORS: Final[dict[str, Callable[[], Accumulator]]] = {
    "count": Count,
    "sum": Sum,
    "avg": Average,
    "min": lambda: Extreme(is_max=False),
    "max": lambda: Extreme(is_max=True),
}


def make_accumulator(name: str, is_distinct: bool = False, is_star: bool = False) -> Accumulator:
    """A fresh accumulator.  name: a key of :data:`ACCUMULATORS`; is_star: ``COUNT(*)``."""
    if is_star:
        return CountAll()
    inner = ACCUMULATORS[name]()
    return Distinct(inner) if is_distinct else inner
