"""The functions of the dialect: the complete list of QLDB's page "ql-functions", nothing more (partiql.md 4.3).

:data:`FUNCTIONS` has a row for each; the aggregates are in ``aggregates``, CAST is in ``casts``.  A compiler asks
:func:`function_named` once and :meth:`Function.call` for every row.

Three functions are written with words instead of arguments; the words come first, as plain strings:

* ``date_add``, ``date_diff``, ``extract``: the date part ("year" ...);
* ``trim``: the side ("both", "leading", "trailing"), then the characters (one blank when none are written), then the
  text.

Errors are ``PartiqlError`` of category "Evaluator" from ``faults``, without a position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ...errors import Source
from ...ion.values import (
    IonValue,
    Sexp,
    Timestamp,
    civil_from_days,
    days_from_civil,
    days_in_month,
    struct_size,
)
from ...records import dataclass
from . import faults
from .arithmetic import number_of
from .datetime_patterns import to_string, to_timestamp
from .faults import type_name
from .kinds import bare, is_unknown
from .semantics import equal_or_unknown
from .texts import ion_text
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


MANY: Final = 2**31 - 1
_MANY_CHARACTERS: Final = 64

Check = Callable[[IonValue], IonValue]
"""What makes an argument fit to be used: the value without its annotations.  Raises PartiqlError for the wrong type."""


def _text(value: IonValue) -> str:
    plain = bare(value)
    if isinstance(plain, str):
        return str(plain)
    raise faults.EXPECTED_TEXT(value=ion_text(value))


def _timestamp(value: IonValue) -> Timestamp:
    plain = bare(value)
    if isinstance(plain, Timestamp):
        return plain
    raise faults.EXPECTED_TIMESTAMP(value=ion_text(value))


_FAR: Final = 10**15  # beyond every timestamp and text, whatever the unit


def _whole(value: IonValue) -> int:
    """A number as an int, cut toward zero: Java's ``Number.intValue``, without its wrapping."""
    number = number_of(value)
    if isinstance(number, float) and not math.isfinite(number):
        return 0 if math.isnan(number) else _FAR if number > 0 else -_FAR
    if -_FAR < number < _FAR:
        return int(number)
    return _FAR if number > 0 else -_FAR


@dataclass(frozen=True, slots=True)
class Function:
    """A row of the table.

    checks: one for each argument that there may be.  least, most: how many arguments.
    sees_unknowns: False: a null or missing argument makes the result null and the function is not asked (documented:
    every page "If any argument is null or missing ...").
    apply: the function of the checked arguments; of the context when needs_context.
    count_fault: the error for a wrong number of arguments, if it is not the usual one.
    """

    name: str
    checks: tuple[Check, ...]
    least: int
    most: int
    apply: Callable[..., IonValue]
    source: Source
    evidence: str
    sees_unknowns: bool = False
    needs_context: bool = False
    count_fault: faults.Fault | None = None

    def check_count(self, count: int) -> None:
        """Raise PartiqlError unless the function takes so many arguments."""
        if self.least <= count <= self.most:
            return
        fault = self.count_fault
        if fault is None:
            exact = faults.ONE_ARGUMENT if self.least == 1 else faults.EXACT_ARGUMENTS
            fault = exact if self.least == self.most else faults.SOME_ARGUMENTS
        raise fault(name=self.name, least=self.least, most=self.most, count=count)

    def call(self, context: Context, arguments: Sequence[IonValue]) -> IonValue:
        """The value for these arguments.

        Raises PartiqlError for a wrong number of them, for the wrong type and outside the function's domain: the
        library asks when it evaluates, so that a call no row reaches is no error.
        """
        if not self.least <= len(arguments) <= self.most:
            self.check_count(len(arguments))
        if self.needs_context:
            return self.apply(context)
        if self.sees_unknowns:
            return self.apply(*arguments)
        for argument in arguments:
            if is_unknown(argument):
                return None
        return self.apply(*[check(argument) for check, argument in zip(self.checks, arguments, strict=False)])


def function_named(name: str) -> Function:
    """The function of a name in lower case.  Raises PartiqlError when there is none."""
    try:
        return FUNCTIONS[name]
    except KeyError:
        raise faults.NO_SUCH_FUNCTION(name=name) from None


# --- Conditional ---------------------------------------------------------------------------------------------


def _coalesce(*arguments: IonValue) -> IonValue:
    return next((argument for argument in arguments if not is_unknown(argument)), None)


def _nullif(first: IonValue, second: IonValue) -> IonValue:
    return None if equal_or_unknown(first, second) else first


def _exists(value: IonValue) -> bool:
    if value is MISSING:
        raise faults.EXISTS_MISSING()
    plain = bare(value)
    return isinstance(plain, list | dict) and len(plain) > 0


def _size(value: IonValue) -> int:
    """Of a list, struct or bag (documented: ql-functions.size)."""
    plain = bare(value)
    if isinstance(plain, dict):
        return struct_size(plain)
    if isinstance(plain, list) and type(plain) is not Sexp:
        return len(plain)
    raise faults.SIZE_TYPE(actual=type_name(value))


# --- Text ----------------------------------------------------------------------------------------------------


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


def _substring(text: IonValue, start: IonValue, length: IonValue = None) -> str:
    """Characters from *start* (the first is 1); a start before the text uses up length."""
    given = (text, start) if length is None else (text, start, length)
    for position, (argument, expected) in enumerate(zip(given, ("STRING", "INT", "INT"), strict=False), 1):
        if type_name(argument) != expected:
            raise faults.SUBSTRING_TYPE(position=position, expected=expected)
    first, count = bare(start), bare(length)
    if count is not None and count < 0:
        raise faults.SUBSTRING_LENGTH()
    end = None if count is None else max(first - 1 + count, 0)
    return str(bare(text))[max(first - 1, 0) : end]


def _trim(side: str, set_of: IonValue, value: IonValue) -> str:
    """side: "" when none is written, which is both.  set_of: a set of characters, not a word."""
    if not side and not isinstance(bare(set_of), str):
        raise faults.TRIM_CHARACTERS()
    characters, text = _text(set_of), _text(value)
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


# The bounds and the text of ion-java, on which the library is built.
_FIRST_MILLI: Final = -62135769600000
_END_MILLI: Final = 253402300800000
_MILLIS_BOUNDS: Final = (
    "millis: {millis} is outside of valid the range: from -62135769600000 (0001T), inclusive, to 253402300800000 "
    "(10000T) , exclusive"
)


def _known_part(name: str, part: str) -> str:
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
            moved = days_from_civil(year, month, day) + days
            millis = (moved * 86400 + seconds - 60 * (t.offset or 0)) * 1000
            if not _FIRST_MILLI <= millis < _END_MILLI:
                raise ValueError(_MILLIS_BOUNDS.format(millis=millis))
            year, month, day = civil_from_days(moved)
        else:
            year, month = divmod(year * 12 + month - 1 + amount * (12 if part == "year" else 1), 12)
            month += 1
            if not 1 <= year <= 9999:
                raise ValueError(f"Year {year} must be between 1 and 9999 inclusive")
            day = min(day, days_in_month(year, month))
    except ValueError as error:
        raise faults.TIMESTAMP_BOUNDS(what=str(error)) from error
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
    return _EXTRACTS[part](timestamp)


def _to_string(timestamp: IonValue, pattern: IonValue) -> str:
    time, text = bare(timestamp), bare(pattern)
    if not isinstance(time, Timestamp):
        raise faults.TO_STRING_TIMESTAMP()
    if not isinstance(text, str):
        raise faults.TO_STRING_PATTERN()
    return to_string(time, str(text))


def _to_timestamp(text: IonValue, pattern: IonValue = None) -> Timestamp:
    """Of strings; symbols are no strings here."""
    if type_name(text) != "STRING":
        raise faults.TO_TIMESTAMP_TEXT()
    if pattern is not None and type_name(pattern) != "STRING":
        raise faults.TO_TIMESTAMP_PATTERN()
    return to_timestamp(str(bare(text)), None if pattern is None else str(bare(pattern)))


# --- The table -----------------------------------------------------------------------------------------------


def _any(value: IonValue) -> IonValue:
    return value


def _function(
    name: str,
    checks: tuple[Check, ...],
    apply: Callable[..., IonValue],
    source: Source = "documented",
    least: int | None = None,
    most: int | None = None,
    sees_unknowns: bool = False,
    needs_context: bool = False,
    count_fault: faults.Fault | None = None,
) -> Function:
    count = len(checks)
    least, most = count if least is None else least, count if most is None else most
    evidence = f"ql-functions.{name}"
    return Function(name, checks, least, most, apply, source, evidence, sees_unknowns, needs_context, count_fault)


FUNCTIONS: Final[dict[str, Function]] = {
    row.name: row
    for row in (
        _function("size", (_any,), _size),
        _function("exists", (_any,), _exists, sees_unknowns=True, count_fault=faults.EXISTS_ARGUMENTS),
        _function(
            "coalesce",
            (_any,),
            _coalesce,
            least=1,
            most=MANY,
            sees_unknowns=True,
            count_fault=faults.COALESCE_ARGUMENTS,
        ),
        _function("nullif", (_any, _any), _nullif, sees_unknowns=True),
        _function("char_length", (_text,), len),
        _function("character_length", (_text,), len),
        _function("lower", (_text,), _lower),
        _function("upper", (_text,), _upper),
        _function("substring", (_any, _any, _any), _substring, least=2),
        _function("trim", (_any, _any, _any), _trim),
        _function("date_add", (_text, _whole, _timestamp), _date_add),
        _function("date_diff", (_text, _timestamp, _timestamp), _date_diff),
        _function("extract", (_text, _timestamp), _extract),
        _function("to_string", (_any, _any), _to_string),
        _function("to_timestamp", (_any, _any), _to_timestamp, least=1),
        _function(
            "utcnow",
            (),
            lambda context: context.utc_now(),
            needs_context=True,
            count_fault=faults.NO_ARGUMENTS,
        ),
        _function("txid", (), lambda context: context.transaction_id, needs_context=True),
    )
}
