"""The Ion data model as Python values.

===========  ==========================================  =====================================================
Ion          Python                                      notes
===========  ==========================================  =====================================================
null         ``None``                                    ``null`` and ``null.null``
null.T       :class:`TypedNull`                          one object per type: ``TypedNull.of("int")``
bool         ``bool``
int          ``int``
float        ``float``
decimal      ``decimal.Decimal``                         coefficient, exponent and negative zero kept
timestamp    :class:`Timestamp`                          precision, fraction digits and offset kept
symbol       :class:`Symbol`                             a ``str``; ``$0`` is :data:`SYMBOL_ZERO`
string       ``str``
clob         :class:`Clob`                               a ``bytes``
blob         ``bytes``
list         ``list``
sexp         :class:`Sexp`                               a ``list``
struct       ``dict`` or :class:`MultiStruct`            field names are plain ``str`` (or SYMBOL_ZERO), in order
annotated    :class:`Annotated`                          wraps a value of any row above
===========  ==========================================  =====================================================

Never compare such values with ``==``: ``True == 1``, ``Symbol("a") == "a"``, ``Decimal("1.0") == Decimal("1.00")``.
``compare.py`` has the meaningful equalities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

IonValue = Any  # one of the rows above; a recursive union would help neither mypy nor a reader

ION_TYPES = (
    "null",
    "bool",
    "int",
    "float",
    "decimal",
    "timestamp",
    "symbol",
    "string",
    "clob",
    "blob",
    "list",
    "sexp",
    "struct",
)


class IonError(ValueError):
    """Ion that cannot be read, or a value that cannot be written; the text says what and where."""


class Symbol(str):
    """An Ion symbol; its text is the string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Symbol({str.__repr__(self)})"


class _SymbolZero(Symbol):
    """The symbol without text, ``$0``.  Its only instance is :data:`SYMBOL_ZERO`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SYMBOL_ZERO"

    def __eq__(self, other: object) -> bool:
        return other is self

    def __ne__(self, other: object) -> bool:
        return other is not self

    __hash__ = object.__hash__


SYMBOL_ZERO = _SymbolZero("")


class Clob(bytes):
    """An Ion clob; its octets are the bytes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Clob({bytes.__repr__(self)})"


class Sexp(list):  # type: ignore[type-arg]
    """An Ion s-expression."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Sexp({list.__repr__(self)})"


class MultiStruct(dict):  # type: ignore[type-arg]
    """A struct in which a field name occurs more than once.

    As a dict it maps each name to its *first* value; ``pairs`` has every field in order.  Immutable by convention:
    build another one with :func:`struct_of`.

    is_made: a statement made it, so that its fields have positions (see MadeStruct).
    """

    __slots__ = ("is_made", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, IonValue]], is_made: bool = False) -> None:
        self.pairs: list[tuple[str, IonValue]] = list(pairs)
        self.is_made = is_made
        super().__init__(reversed(self.pairs))

    def __repr__(self) -> str:
        return f"MultiStruct({self.pairs!r})"


class Document(dict):  # type: ignore[type-arg]
    """A decoded struct that remembers the self-contained Ion binary it came from.

    Writing it whole hands ``ion`` out again at once, so it must never be changed: make a plain ``dict`` of it first.
    """

    __slots__ = ("ion",)

    def __init__(self, fields: Iterable[tuple[str, IonValue]], ion: bytes) -> None:
        super().__init__(fields)
        self.ion = ion


class MadeStruct(dict):  # type: ignore[type-arg]
    """A struct that a statement made, without repeated names: PartiQL's ``made[0]`` is its first field.

    A stored struct has no such positions.  Made only by statements that ask for them.
    """

    __slots__ = ()


STRUCT_TYPES = frozenset((dict, MultiStruct, Document, MadeStruct))
"""The classes of a struct: ``type(value) in STRUCT_TYPES`` is the fast form of ``isinstance(value, dict)``."""


def struct_of(pairs: Iterable[tuple[str, IonValue]]) -> dict[str, IonValue]:
    """Return the struct with these fields: a plain dict when no name repeats, else a MultiStruct."""
    listed = list(pairs)
    plain = dict(listed)
    return plain if len(plain) == len(listed) else MultiStruct(listed)


def struct_items(struct: dict[str, IonValue]) -> Iterable[tuple[str, IonValue]]:
    """Yield every field of a struct, in order, repeated names included."""
    return struct.pairs if type(struct) is MultiStruct else struct.items()


def struct_size(struct: dict[str, IonValue]) -> int:
    """Return the number of fields, repeated names counted each time."""
    return len(struct.pairs) if type(struct) is MultiStruct else len(struct)


class TypedNull:
    """``null.T`` for a type T other than null.  One object per type, so ``is`` compares."""

    __slots__ = ("ion_type",)
    _known: ClassVar[dict[str, TypedNull]] = {}

    def __init__(self, ion_type: str) -> None:
        self.ion_type = ion_type

    @classmethod
    def of(cls, ion_type: str) -> TypedNull | None:
        """Return the null of a type; ``None`` for "null".  Raises ValueError for a name that is no Ion type."""
        if ion_type == "null":
            return None
        if ion_type not in ION_TYPES:
            raise ValueError(f"not an Ion type: {ion_type!r}")
        return cls._known.setdefault(ion_type, cls(ion_type))

    def __repr__(self) -> str:
        return f"TypedNull({self.ion_type!r})"

    def __copy__(self) -> TypedNull:
        return self

    def __deepcopy__(self, memo: object) -> TypedNull:
        return self


class Annotated:
    """A value with annotations.  ``value`` is never itself Annotated; ``annotations`` is not empty."""

    __slots__ = ("annotations", "value")

    def __init__(self, annotations: Iterable[str], value: IonValue) -> None:
        self.annotations: tuple[str, ...] = tuple(annotations)
        self.value = value

    def __repr__(self) -> str:
        return f"Annotated({self.annotations!r}, {self.value!r})"


_DAYS_BEFORE_MONTH = (0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_IN_MONTH = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
EPOCH_DAYS = 719_162  # days from 0001-01-01 to 1970-01-01


def is_leap_year(year: int) -> bool:
    """Whether a year of the proleptic Gregorian calendar has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """28 to 31."""
    return 29 if month == 2 and is_leap_year(year) else _DAYS_IN_MONTH[month]


@lru_cache(maxsize=512)  # the times of a transaction are all of one day
def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (negative before)."""
    y = year - 1
    leap = 1 if month > 2 and is_leap_year(year) else 0
    return y * 365 + y // 4 - y // 100 + y // 400 + _DAYS_BEFORE_MONTH[month] + leap + day - 1 - EPOCH_DAYS


_TWO_DIGITS = [f"{number:02}" for number in range(100)]  # a look-up takes half the time of formatting


class Timestamp:
    """An Ion timestamp: local fields, as precise as written.

    precision: one of :data:`Timestamp.PRECISIONS`; fields finer than it hold their least value.
    fraction: the digits after the second's point as written ("" when there are none), so "50" and "5" differ.
    offset: minutes from UTC, or None for an unknown offset (``-00:00``; also every precision up to day).
    """

    __slots__ = ("day", "fraction", "hour", "minute", "month", "offset", "precision", "second", "year")

    PRECISIONS = ("year", "month", "day", "minute", "second")

    def __init__(
        self,
        precision: str,
        year: int,
        month: int = 1,
        day: int = 1,
        hour: int = 0,
        minute: int = 0,
        second: int = 0,
        fraction: str = "",
        offset: int | None = None,
    ) -> None:
        self.precision = precision
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.fraction = fraction
        self.offset = offset

    def fields(self) -> tuple[object, ...]:
        """Return what identifies the value: two timestamps are the same Ion value exactly if these are equal."""
        return (
            self.precision,
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.fraction,
            self.offset,
        )

    def utc_seconds(self) -> int:
        """Return whole seconds since the epoch, the offset applied (an unknown one counts as UTC)."""
        local = days_from_civil(self.year, self.month, self.day) * 86400
        return local + self.hour * 3600 + self.minute * 60 + self.second - (self.offset or 0) * 60

    def instant(self) -> tuple[int, str]:
        """Return the point in time, for comparing: (utc seconds, fraction digits without trailing zeros)."""
        return (self.utc_seconds(), self.fraction.rstrip("0"))

    def epoch_ms(self) -> int:
        """Return milliseconds since the epoch, finer digits cut."""
        return self.utc_seconds() * 1000 + int((self.fraction + "000")[:3])

    @classmethod
    def from_epoch_ms(cls, milliseconds: int) -> Timestamp:
        """Return the timestamp in UTC with exactly three fraction digits: the form of a journal's own times."""
        seconds, ms = divmod(milliseconds, 1000)
        return cls.from_utc_seconds(seconds, f"{ms:03d}", 0)

    @classmethod
    def from_utc_seconds(
        cls, seconds: int, fraction: str = "", offset: int | None = 0, precision: str = "second"
    ) -> Timestamp:
        """Return the timestamp of a point in time, its fields local to *offset*.

        ValueError outside years 1 to 9999.
        """
        days, rest = divmod(seconds + (offset or 0) * 60, 86400)
        year, month, day = civil_from_days(days)
        hour, rest = divmod(rest, 3600)
        return cls(precision, year, month, day, hour, rest // 60, rest % 60, fraction, offset)

    def __str__(self) -> str:
        """Return Ion text."""
        if self.precision == "year":
            return f"{self.year:04d}T"
        if self.precision == "month":
            return f"{self.year:04d}-{self.month:02d}T"
        date = f"{self.year:04d}-{_TWO_DIGITS[self.month]}-{_TWO_DIGITS[self.day]}"
        if self.precision == "day":
            return date  # the service writes day precision without T (journal.md 4.1)
        time = f"{_TWO_DIGITS[self.hour]}:{_TWO_DIGITS[self.minute]}"
        if self.precision == "second":
            time += f":{_TWO_DIGITS[self.second]}"
            if self.fraction:
                time += "." + self.fraction
        return f"{date}T{time}{self.offset_text()}"

    def offset_text(self) -> str:
        """Return ``Z``, ``+hh:mm``, ``-hh:mm``, or ``-00:00`` for an unknown offset."""
        if self.offset is None:
            return "-00:00"
        if self.offset == 0:
            return "Z"
        hours, minutes = divmod(abs(self.offset), 60)
        return f"{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}"

    def __repr__(self) -> str:
        return f"Timestamp({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash(self.fields())


@lru_cache(maxsize=512)
def civil_from_days(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a count of days since 1970-01-01.  Raises ValueError outside years 1 to 9999."""
    n = days + EPOCH_DAYS
    if not 0 <= n < 3_652_059:
        raise ValueError("outside the years 0001 to 9999")
    n400, n = divmod(n, 146_097)
    n100, n = divmod(n, 36_524)
    n4, n = divmod(n, 1461)
    n1, n = divmod(n, 365)
    year = n400 * 400 + n100 * 100 + n4 * 4 + n1 + 1
    if n1 == 4 or n100 == 4:
        return year - 1, 12, 31
    month = (n + 50) >> 5
    leap = 1 if is_leap_year(year) else 0
    preceding = _DAYS_BEFORE_MONTH[month] + (1 if month > 2 and leap else 0)
    if preceding > n:
        month -= 1
        preceding -= days_in_month(year, month)
    return year, month, n - preceding + 1


def strip_annotations(value: IonValue) -> IonValue:
    """Return the value without its own annotations (those of its parts stay)."""
    return value.value if type(value) is Annotated else value


def is_null(value: IonValue) -> bool:
    """Whether a value is a null of any type, annotated or not."""
    value = strip_annotations(value)
    return value is None or type(value) is TypedNull


def ion_type(value: IonValue) -> str:
    """Return the name of a value's Ion type; "null" only for the untyped null.

    Raises TypeError for what is no Ion value.
    """
    if type(value) is Annotated:
        value = value.value
    if type(value) is TypedNull:
        return value.ion_type
    known = _TYPE_OF.get(type(value))
    if known is not None:
        return known
    for python_type, name in _TYPE_NAMES:
        if isinstance(value, python_type):
            return name
    raise TypeError(f"not an Ion value: {type(value).__name__}")


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (Decimal, "decimal"),
    (Timestamp, "timestamp"),
    (Symbol, "symbol"),
    (str, "string"),
    (Clob, "clob"),
    (bytes, "blob"),
    (Sexp, "sexp"),
    (list, "list"),
    (dict, "struct"),
)
_TYPE_OF: dict[type, str] = {**dict(_TYPE_NAMES), MultiStruct: "struct", Document: "struct", MadeStruct: "struct"}


def walk(value: IonValue) -> Iterator[IonValue]:
    """Yield a value and every value inside it, outermost first."""
    stack = [value]
    while stack:
        value = stack.pop()
        yield value
        inner = strip_annotations(value)
        if isinstance(inner, dict):
            stack.extend(child for _, child in struct_items(inner))
        elif isinstance(inner, list):
            stack.extend(inner)
