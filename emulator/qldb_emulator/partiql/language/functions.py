"""The functions of the dialect: the complete list of QLDB's page "ql-functions", nothing more (partiql.md 4.3).

:data:`FUNCTIONS` has a row for each; the aggregates are in ``aggregates``, CAST is in ``casts``.  A compiler asks
:func:`function_named` once, :meth:`Function.check_count` once, and :meth:`Function.call` for every row.

Three functions are written with words instead of arguments; the words come first, as plain strings:

* ``date_add``, ``date_diff``, ``extract``: the date part ("year" ...);
* ``trim``: the side ("both", "leading", "trailing"), then the characters (one blank when none are written), then the
  text.

Errors are ``PartiqlError`` of category "Evaluator" from ``faults``, without a position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ...errors import Source
from ...ion.values import (
    Annotated,
    IonValue,
    Timestamp,
    civil_from_days,
    days_from_civil,
    days_in_month,
    struct_size,
)
from ...records import dataclass
from . import faults
from .datetime_patterns import to_string, to_timestamp
from .faults import type_name
from .kinds import is_unknown
from .semantics import equal
from .values import MISSING


class Context(Protocol):
    """What a function may ask of the transaction (``data.Data`` has it)."""

    @property
    def transaction_id(self) -> str:
        """What ``TXID()`` gives."""
        ...

    def utc_now(self) -> Timestamp:
        """What ``UTCNOW()`` gives."""
        ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an argument may be.  types: names of the library; empty for any value."""

    types: frozenset[str]

    def expected(self) -> str:
        """The types as a message lists them."""
        names = sorted(self.types)
        if len(names) < 3:
            return " or ".join(names)
        return ", ".join(names[:-1]) + ", or " + names[-1]


ANY: Final = Parameter(frozenset())
TEXT: Final = Parameter(frozenset({"STRING", "SYMBOL"}))
INT: Final = Parameter(frozenset({"INT"}))
TIMESTAMP: Final = Parameter(frozenset({"TIMESTAMP"}))
CONTAINER: Final = Parameter(frozenset({"LIST", "BAG", "SEXP", "STRUCT"}))
MANY: Final = 2**31 - 1
_MANY_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Function:
    """A row of the table.

    parameters: those that must be there, then those that may; the last one stands for all further arguments when
    ``most`` is larger.  least, most: how many arguments.
    sees_unknowns: False: a null or missing argument makes the result null and the function is not asked (documented:
    every page "If any argument is null or missing ..."), and it gets its arguments without annotations.
    apply: the function of the arguments; of the context when needs_context.
    """

    name: str
    parameters: tuple[Parameter, ...]
    least: int
    most: int
    apply: Callable[..., IonValue]
    source: Source
    evidence: str
    sees_unknowns: bool = False
    needs_context: bool = False

    def check_count(self, count: int) -> None:
        """Raise PartiqlError unless the function takes so many arguments."""
        if self.least <= count <= self.most:
            return
        if self.least != self.most:
            raise faults.SOME_ARGUMENTS(name=self.name, least=self.least, most=self.most, count=count)
        fault = faults.ONE_ARGUMENT if self.least == 1 else faults.EXACT_ARGUMENTS
        raise fault(name=self.name, least=self.least, count=count)

    def call(self, context: Context, arguments: Sequence[IonValue]) -> IonValue:
        """The value for these arguments, whose number has been checked.

        Raises PartiqlError for arguments of the wrong type or outside the function's domain.
        """
        if self.needs_context:
            return self.apply(context)
        if self.sees_unknowns:
            return self.apply(*arguments)
        for argument in arguments:
            if is_unknown(argument):
                return None
        return self.apply(*[self._checked(position, argument) for position, argument in enumerate(arguments)])

    def _checked(self, position: int, argument: IonValue) -> IonValue:
        parameter = self.parameters[position]
        if parameter.types and type_name(argument) not in parameter.types:
            raise self._type_error(position, argument)
        return argument.value if type(argument) is Annotated else argument

    def _type_error(self, position: int, argument: IonValue) -> Exception:
        return faults.ARGUMENT_TYPES(
            name=self.name,
            expected=self.parameters[position].expected(),
            actual=type_name(argument),
            position=position + 1,
        )


def function_named(name: str) -> Function:
    """The function of a name in any case.  Raises PartiqlError when there is none."""
    try:
        return FUNCTIONS[name.lower()]
    except KeyError:
        raise faults.NO_SUCH_FUNCTION(name=name) from None


# --- Conditional ---------------------------------------------------------------------------------------------


def _coalesce(*arguments: IonValue) -> IonValue:
    return next((argument for argument in arguments if not is_unknown(argument)), None)


def _nullif(first: IonValue, second: IonValue) -> IonValue:
    if is_unknown(first):
        return None if is_unknown(second) else first
    return None if equal(first, second) else first


def _exists(value: IonValue) -> bool:
    if value is MISSING:
        raise faults.ARGUMENT_TYPES(name="exists", expected=CONTAINER.expected(), actual="MISSING", position=1)
    bare = value.value if type(value) is Annotated else value
    return isinstance(bare, list | dict) and len(bare) > 0


def _size(value: IonValue) -> int:
    return struct_size(value) if isinstance(value, dict) else len(value)


# --- Text ----------------------------------------------------------------------------------------------------


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


def _substring(text: str, start: int, length: int | None = None) -> str:
    """Characters from *start* (the first is 1); a start before the text uses up length."""
    if length is not None and length < 0:
        raise faults.SUBSTRING_LENGTH()
    end = None if length is None else max(start - 1 + length, 0)
    return str(text)[max(start - 1, 0) : end]


def _trim(side: str, characters: str, text: str) -> str:
    """characters: a set, not a word."""
    text = str(text)
    if not characters:
        return text  # str.strip("") would take blanks for it
    if len(characters) > _MANY_CHARACTERS:
        return _trim_many(side, frozenset(characters), text)
    if side == "leading":
        return text.lstrip(characters)
    return text.rstrip(characters) if side == "trailing" else text.strip(characters)


def _trim_many(side: str, characters: frozenset[str], text: str) -> str:
    """As str.strip, which searches all the characters for each character of the text."""
    start, end = 0, len(text)
    if side != "trailing":
        while start < end and text[start] in characters:
            start += 1
    if side != "leading":
        while end > start and text[end - 1] in characters:
            end -= 1
    return text[start:end]


# --- Date and time -------------------------------------------------------------------------------------------

_PRECISION_OF_PART: Final = {
    "year": "year",
    "month": "month",
    "day": "day",
    "hour": "minute",
    "minute": "minute",
    "second": "second",
}
_SECONDS_OF_PART: Final = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}


def _known_part(name: str, part: str) -> str:
    part = part.lower()
    if part not in _PRECISION_OF_PART:
        raise faults.DATE_PART(name=name, part=part)
    return part


def _raised(timestamp: Timestamp, precision: str) -> tuple[str, int | None]:
    """(precision, offset) of a timestamp that must be at least so precise.

    A date that gets a time gets UTC with it (documented: ql-functions.date_add, ``2017T`` plus an hour).
    """
    order = Timestamp.PRECISIONS.index
    if order(timestamp.precision) >= order(precision):
        return timestamp.precision, timestamp.offset
    return precision, 0 if order(timestamp.precision) < order("minute") <= order(precision) else timestamp.offset


def _date_add(part: str, amount: int, timestamp: Timestamp) -> Timestamp:
    """The local fields move; a day that the new month lacks becomes its last."""
    part = _known_part("date_add", part)
    precision, offset = _raised(timestamp, _PRECISION_OF_PART[part])
    t = timestamp
    year, month, day, seconds = t.year, t.month, t.day, t.hour * 3600 + t.minute * 60 + t.second
    try:
        if part in _SECONDS_OF_PART:
            days, seconds = divmod(seconds + amount * _SECONDS_OF_PART[part], 86400)
            year, month, day = civil_from_days(days_from_civil(year, month, day) + days)
        else:
            year, month = divmod(year * 12 + month - 1 + amount * (12 if part == "year" else 1), 12)
            month += 1
            if not 1 <= year <= 9999:
                raise ValueError("outside the years 0001 to 9999")
            day = min(day, days_in_month(year, month))
    except ValueError as error:
        raise faults.TIMESTAMP_BOUNDS() from error
    return Timestamp(precision, year, month, day, seconds // 3600, seconds // 60 % 60, seconds % 60, t.fraction, offset)


def _date_diff(part: str, first: Timestamp, second: Timestamp) -> int:
    """Whole parts from first to second, cut toward zero; years and months by the local dates, the rest by instants."""
    part = _known_part("date_diff", part)
    if part not in _SECONDS_OF_PART:
        months = _whole_months(first, second)
        return months if part == "month" else _cut(months, 12)
    return _cut(second.utc_seconds() - first.utc_seconds(), _SECONDS_OF_PART[part])


def _whole_months(first: Timestamp, second: Timestamp) -> int:
    months = (second.year - first.year) * 12 + second.month - first.month
    if months > 0 and second.day < first.day:
        return months - 1
    if months < 0 and second.day > first.day:
        return months + 1
    return months


def _cut(number: int, by: int) -> int:
    return number // by if number >= 0 else -(-number // by)


_EXTRACTS: Final[dict[str, Callable[[Timestamp], int]]] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,  # without its fraction: the library until v0.3.0
    "timezone_hour": lambda t: _cut(t.offset or 0, 60),
    "timezone_minute": lambda t: (t.offset or 0) - 60 * _cut(t.offset or 0, 60),
}


def _extract(part: str, timestamp: Timestamp) -> int:
    try:
        return _EXTRACTS[part.lower()](timestamp)
    except KeyError:
        raise faults.DATE_PART(name="extract", part=part.lower()) from None


# --- The table -----------------------------------------------------------------------------------------------


def _function(
    name: str,
    parameters: tuple[Parameter, ...],
    apply: Callable[..., IonValue],
    evidence: str,
    source: Source = "documented",
    least: int | None = None,
    most: int | None = None,
    sees_unknowns: bool = False,
    needs_context: bool = False,
) -> Function:
    count = len(parameters)
    least, most = count if least is None else least, count if most is None else most
    return Function(name, parameters, least, most, apply, source, evidence, sees_unknowns, needs_context)


FUNCTIONS: Final[dict[str, Function]] = {
    row.name: row
    for row in (
        _function("size", (CONTAINER,), _size, "ql-functions.size"),
        _function("exists", (ANY,), _exists, "ql-functions.exists: missing is an error", sees_unknowns=True),
        _function("coalesce", (ANY,), _coalesce, "ql-functions.coalesce", least=1, most=MANY, sees_unknowns=True),
        _function("nullif", (ANY, ANY), _nullif, "ql-functions.nullif", sees_unknowns=True),
        _function("char_length", (TEXT,), len, "ql-functions.char_length"),
        _function("character_length", (TEXT,), len, "ql-functions.character_length"),
        _function("lower", (TEXT,), _lower, "ql-functions.lower"),
        _function("upper", (TEXT,), _upper, "ql-functions.upper"),
        _function("substring", (TEXT, INT, INT), _substring, "ql-functions.substring", least=2),
        _function("trim", (TEXT, TEXT, TEXT), _trim, "ql-functions.trim"),
        _function("date_add", (TEXT, INT, TIMESTAMP), _date_add, "ql-functions.date_add"),
        _function("date_diff", (TEXT, TIMESTAMP, TIMESTAMP), _date_diff, "ql-functions.date_diff"),
        _function("extract", (TEXT, TIMESTAMP), _extract, "ql-functions.extract"),
        _function("to_string", (TIMESTAMP, TEXT), to_string, "ql-functions.to_string"),
        _function("to_timestamp", (TEXT, TEXT), to_timestamp, "ql-functions.to_timestamp", least=1),
        _function("utcnow", (), lambda context: context.utc_now(), "ql-functions.utcnow", needs_context=True),
        _function("txid", (), lambda context: context.transaction_id, "ql-functions.txid", needs_context=True),
    )
}
