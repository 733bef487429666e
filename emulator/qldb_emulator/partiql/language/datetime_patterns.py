"""Timestamps as text: the patterns of TO_STRING and TO_TIMESTAMP, and Ion's own notation.

A pattern is a run of symbols, each a letter repeated (partiql.md 4.5, after the pages ql-functions.timestamp-format):

======================  =============================================================================================
y  yy  yyy  yyyy        year: as it is, last two digits (read as 1970 to 2069), at least 3 and 4 digits
M MM MMM MMMM MMMMM     month: number, two digits, Jul, July, J (the last not for reading)
d dd  H HH  m mm  s ss  day, hour 0 to 23, minute, second
h hh  a                 hour 1 to 12, AM or PM
S ... SSSSSSSSS  n      fraction of the second to so many digits, nanosecond of the second
X XX XXX XXXX XXXXX     offset, Z for UTC: +05 (+0530), +0530, +05:30, +0530, +05:30
x xx xxx xxxx xxxxx     the same with digits for UTC
L ... LLLLL  O OOOO     only for writing, and on no page: month; offset as GMT+5:30, GMT+05:30
Z ZZ ZZZ ZZZZ ZZZZZ     only for writing, and on no page: offset as +0530 (three times), GMT+05:30, +05:30
'text'                  itself; '' is a quote
======================  =============================================================================================

Writing follows Java's DateTimeFormatter, which QLDB used as it is; reading is stricter about the pattern, as QLDB's
library was, and takes its numbers as Java does (several numbers without anything between them share their digits).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from functools import lru_cache
from typing import Final

from ...ion.values import Timestamp, days_in_month
from ...records import dataclass
from . import faults

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_LETTERS: Final = "yMdahHmsSnXx"
_MAX_OFFSET_MINUTES: Final = 18 * 60  # Java's ZoneOffset
_TWO_DIGIT_PIVOT: Final = 70
_NANO_DIGITS: Final = 9
_JAVA_MAX_WIDTH: Final = 19
_JAVA_SHOWN: Final = 64  # characters of a text that a DateTimeParseException shows

# --- Ion notation --------------------------------------------------------------------------------------------

_ION: Final = re.compile(
    r"(\d{4})(?:T|-(\d\d)(?:T|-(\d\d)(?:T?|T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d))))", re.ASCII
)


def parse_ion_timestamp(text: str) -> Timestamp | None:
    """The timestamp written in Ion notation (``2007T``, ``2007-02-23T12:14:33.079-08:00``), or None."""
    found = _ION.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    precision = "second" if second else "minute" if hour else "day" if day else "month" if month else "year"
    date = (int(year), int(month or 1), int(day or 1))
    time = (int(hour or 0), int(minute or 0), int(second or 0))
    try:
        return _checked(Timestamp(precision, *date, *time, fraction or "", _ion_offset(zone)))
    except ValueError:
        return None


def _ion_offset(zone: str | None) -> int | None:
    if zone is None or zone == "-00:00":
        return None
    if zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError("offset out of range")
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def _checked(timestamp: Timestamp) -> Timestamp:
    """The timestamp itself.  Raises ValueError when one of its fields is out of range."""
    t = timestamp
    if not (1 <= t.year <= 9999 and 1 <= t.month <= 12 and 1 <= t.day <= days_in_month(t.year, t.month)):
        raise ValueError("date out of range")
    if t.hour > 23 or t.minute > 59 or t.second > 59:
        raise ValueError("time out of range")
    return timestamp


# --- Writing -------------------------------------------------------------------------------------------------

_Writer = Callable[[Timestamp], str]


def to_string(timestamp: Timestamp, pattern: str) -> str:
    """``TO_STRING(timestamp, pattern)``.  Raises PartiqlError for a pattern that has no meaning."""
    return "".join([write(timestamp) for write in _writers(pattern)])


@lru_cache(maxsize=128)
def _writers(pattern: str) -> tuple[_Writer, ...]:
    writers: list[_Writer] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "'":
            text, at = _quoted(pattern, at)
            writers.append(_literal(text))
        elif letter.isascii() and letter.isalpha():
            count = len(pattern) - at - len(pattern[at:].lstrip(letter))
            writers.append(_writer(pattern, letter, count))
            at += count
        elif letter in "[]{}#":  # Java keeps them for optional parts and itself
            raise faults.FORMAT_PATTERN(pattern=pattern)
        else:
            writers.append(_literal(letter))
            at += 1
    return tuple(writers)


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    """(the text of the quoted part that begins at *start*, where it ends)."""
    found = re.compile(r"'((?:[^']|'')*)'(?!')").match(pattern, start)
    if not found:
        raise faults.FORMAT_PATTERN(pattern=pattern)
    return found.group(1).replace("''", "'") or "'", found.end()


def _literal(text: str) -> _Writer:
    return lambda timestamp: text


def _number(width: int, get: Callable[[Timestamp], int]) -> _Writer:
    return lambda timestamp: f"{get(timestamp):0{width}d}"


_NUMBERS: Final[dict[str, Callable[[Timestamp], int]]] = {
    "d": lambda t: t.day,
    "h": lambda t: t.hour % 12 or 12,
    "H": lambda t: t.hour,
    "m": lambda t: t.minute,
    "s": lambda t: t.second,
}


def _writer(pattern: str, letter: str, count: int) -> _Writer:
    """The writer of one symbol.  Raises PartiqlError when there is none of this letter and count."""
    if letter in _NUMBERS and count <= 2:
        return _number(count, _NUMBERS[letter])
    if letter == "y" and count <= _JAVA_MAX_WIDTH:
        return (lambda t: f"{t.year % 100:02d}") if count == 2 else _number(count, lambda t: t.year)
    if letter in "ML" and count <= 5:
        return _month_writer(count)
    if letter == "O" and count in (1, 4):
        return lambda t: _gmt_text(t.offset or 0, count)
    if letter == "Z" and count <= 5:
        return lambda t: _zone_text(t.offset or 0, count)
    if letter == "a" and count == 1:
        return lambda t: "AM" if t.hour < 12 else "PM"
    if letter == "S" and count <= _NANO_DIGITS:
        return lambda t: (t.fraction + "0" * _NANO_DIGITS)[:count]
    if letter == "n" and count <= _JAVA_MAX_WIDTH:
        return _number(count, lambda t: int((t.fraction + "0" * _NANO_DIGITS)[:_NANO_DIGITS]))
    if letter in "Xx" and count <= 5:
        return lambda t: _offset_text(t.offset or 0, letter, count)
    raise faults.FORMAT_PATTERN(pattern=pattern)


def _month_writer(count: int) -> _Writer:
    if count <= 2:
        return _number(count, lambda t: t.month)
    length = {3: 3, 4: None, 5: 1}[count]
    return lambda t: MONTHS[t.month - 1][:length]


def _gmt_text(offset: int, count: int) -> str:
    """``O`` and ``OOOO``: GMT+5:30 and GMT+05:30."""
    if offset == 0:
        return "GMT"
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    if count == 4:
        return f"GMT{sign}{hours:02d}:{minutes:02d}"
    return f"GMT{sign}{hours}" + (f":{minutes:02d}" if minutes else "")


def _zone_text(offset: int, count: int) -> str:
    """``Z`` to ``ZZZ``: +0530; ``ZZZZ`` as ``OOOO``; ``ZZZZZ`` as ``XXXXX``."""
    if count == 4:
        return _gmt_text(offset, count)
    return _offset_text(offset, "X", 5) if count == 5 else _offset_text(offset, "x", 2)


def _offset_text(offset: int, letter: str, count: int) -> str:
    if offset == 0 and letter == "X":
        return "Z"
    hours, minutes = divmod(abs(offset), 60)
    text = f"{'-' if offset < 0 else '+'}{hours:02d}"
    if count == 1:
        return text if minutes == 0 else f"{text}{minutes:02d}"
    return f"{text}:{minutes:02d}" if count in (3, 5) else f"{text}{minutes:02d}"


# --- Reading -------------------------------------------------------------------------------------------------

_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND, _FRACTION, _AM_PM, _OFFSET = (
    "YEAR",
    "MONTH_OF_YEAR",
    "DAY_OF_MONTH",
    "HOUR_OF_DAY",
    "MINUTE_OF_HOUR",
    "SECOND_OF_MINUTE",
    "FRACTION_OF_SECOND",
    "AM_PM",
    "OFFSET",
)
_RANKED: Final = (_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND, _FRACTION)
_FIELD_OF_LETTER: Final = {
    "y": _YEAR,
    "M": _MONTH,
    "d": _DAY,
    "a": _AM_PM,
    "h": _HOUR,
    "H": _HOUR,
    "m": _MINUTE,
    "s": _SECOND,
    "S": _FRACTION,
    "n": _FRACTION,
    "X": _OFFSET,
    "x": _OFFSET,
}
_LONGEST: Final = {
    "y": 4,
    "M": 5,
    "d": 2,
    "a": 1,
    "h": 2,
    "H": 2,
    "m": 2,
    "s": 2,
    "S": _NANO_DIGITS,
    "n": 1,
    "X": 5,
    "x": 5,
}
_PRECISION_OF_FIELD: Final = {
    _YEAR: "year",
    _MONTH: "month",
    _DAY: "day",
    _HOUR: "minute",
    _MINUTE: "minute",
    _SECOND: "second",
    _FRACTION: "second",
}


@dataclass(frozen=True, slots=True)
class _Symbol:
    """A symbol of a pattern; letter "" for literal text."""

    letter: str
    text: str

    @property
    def field(self) -> str:
        return _FIELD_OF_LETTER[self.letter]

    @property
    def is_fixed_number(self) -> bool:
        """Whether it takes exactly as many digits as it has letters, and shares a run of digits."""
        return self.letter == "S" or (len(self.text) == 2 and self.letter in "yMdhHms")


@dataclass(slots=True)
class _Reading:
    """What has been read.  values: by field; the two-digit year and the clock are already applied."""

    values: dict[str, int] = field(default_factory=dict)
    fraction: str = ""
    offset: int | None = None


class _MismatchError(Exception):
    """The text is not as the pattern says.  is_rest: it goes on behind the end of the pattern."""

    def __init__(self, at: int, is_rest: bool = False) -> None:
        super().__init__(at)
        self.at = at
        self.is_rest = is_rest


class _RangeError(Exception):
    """A field is out of its range.  is_late: Java finds it when the timestamp is made, not while it reads."""

    def __init__(self, text: str, is_late: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.is_late = is_late


def to_timestamp(text: str, pattern: str | None = None) -> Timestamp:
    """``TO_TIMESTAMP(text, pattern)``; without a pattern the text is in Ion notation.

    The precision of the result is that of the pattern.  Raises PartiqlError for a bad pattern and for a text that does
    not follow it.
    """
    if pattern is None:
        timestamp = parse_ion_timestamp(text)
        if timestamp is None:
            raise faults.ION_TIMESTAMP()
        return timestamp
    symbols = _symbols_for_reading(pattern)
    shown = f"'{text}'" if len(text) <= _JAVA_SHOWN else f"'{text[:_JAVA_SHOWN]}...'"
    try:
        reading = _read(text, symbols)
        return _timestamp_of(reading, symbols)
    except _MismatchError as error:
        where = f", unparsed text found at index {error.at}" if error.is_rest else f" at index {error.at}"
        raise faults.CUSTOM_TIMESTAMP(what=f"Text {shown} could not be parsed{where}") from None
    except _RangeError as error:
        text = error.text if error.is_late else f"Text {shown} could not be parsed: {error.text}"
        raise faults.CUSTOM_TIMESTAMP(what=text) from None


@lru_cache(maxsize=128)
def _symbols_for_reading(pattern: str) -> tuple[_Symbol, ...]:
    """The symbols of a pattern that describes a timestamp.  Raises PartiqlError for one that does not."""
    symbols = tuple(_split(pattern))
    marked = [symbol for symbol in symbols if symbol.letter]
    fields = [symbol.field for symbol in marked]
    if any(symbol.text == "MMMMM" for symbol in marked):
        raise faults.PATTERN_NOT_FOR_PARSING(pattern=pattern)
    for name in fields:
        if fields.count(name) > 1:
            raise faults.PATTERN_DUPLICATE(pattern=pattern, field=name)
    _check_complete(pattern, fields)
    if _HOUR in fields:
        is_half_day = any(symbol.letter == "h" for symbol in marked)
        if is_half_day and _AM_PM not in fields:
            raise faults.PATTERN_CLOCK_WITHOUT_AM_PM(pattern=pattern)
        if not is_half_day and _AM_PM in fields:
            raise faults.PATTERN_CLOCK_WITH_AM_PM(pattern=pattern)
    return symbols


_TOKEN: Final = re.compile(r"(?P<letter>[yMdahHmsSXxn])(?P=letter)*|(?P<text>[ /\-,:.]+)|(?P<quoted>'(?:[^']|'')*')")


def _split(pattern: str) -> list[_Symbol]:
    symbols, at = [], 0
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if not found:
            raise (faults.PATTERN_UNTERMINATED if pattern[at] == "'" else faults.PATTERN_TOKEN)(pattern=pattern)
        letter, word = found.group("letter"), found.group()
        if letter:
            if len(word) > _LONGEST[letter]:
                raise faults.PATTERN_SYMBOL(pattern=word)
            symbols.append(_Symbol(letter, word))
        elif found.group("text"):
            symbols.append(_Symbol("", word))
        else:
            symbols.append(_Symbol("", word[1:-1].replace("''", "'") or "'"))
        at = found.end()
    return symbols


def _check_complete(pattern: str, fields: list[str]) -> None:
    """Every field coarser than the finest one must be there; an offset or AM/PM needs the hour."""
    ranks = [_RANKED.index(name) for name in fields if name in _RANKED]
    if _OFFSET in fields or _AM_PM in fields:
        ranks.append(_RANKED.index(_HOUR))
    missing = [name for name in _RANKED[: max(ranks, default=0) + 1] if name not in fields]
    if missing:
        raise faults.PATTERN_INCOMPLETE(pattern=pattern, fields=", ".join(missing))


def _read(text: str, symbols: tuple[_Symbol, ...]) -> _Reading:
    reading, at = _Reading(), 0
    for position, symbol in enumerate(symbols):
        if not symbol.letter:
            at = _read_literal(text, at, symbol.text)
        elif symbol.letter == "a":
            at = _read_am_pm(text, at, reading)
        elif symbol.letter in "Xx":
            at = _read_offset(text, at, symbol, reading)
        elif symbol.letter == "M" and len(symbol.text) > 2:
            at = _read_month_name(text, at, len(symbol.text) == 3, reading)
        else:
            at = _read_number(text, at, symbol, symbols[position + 1 :], reading)
    if at != len(text):
        raise _MismatchError(at, is_rest=True)
    return reading


def _read_literal(text: str, at: int, literal: str) -> int:
    if text[at : at + len(literal)].lower() != literal.lower():
        raise _MismatchError(at)
    return at + len(literal)


def _read_am_pm(text: str, at: int, reading: _Reading) -> int:
    word = text[at : at + 2].upper()
    if word not in ("AM", "PM"):
        raise _MismatchError(at)
    reading.values[_AM_PM] = 0 if word == "AM" else 1
    return at + 2


def _read_month_name(text: str, at: int, is_short: bool, reading: _Reading) -> int:
    rest = text[at : at + len("September")].lower()
    for number, name in enumerate(MONTHS, 1):
        word = (name[:3] if is_short else name).lower()
        if rest.startswith(word):
            reading.values[_MONTH] = number
            return at + len(word)
    raise _MismatchError(at)


_OFFSETS: Final = {
    1: re.compile(r"([+-])(\d\d)(\d\d)?", re.ASCII),
    2: re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII),
    3: re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII),
    4: re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?", re.ASCII),
    5: re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII),
}


def _read_offset(text: str, at: int, symbol: _Symbol, reading: _Reading) -> int:
    if symbol.letter == "X" and text[at : at + 1] in ("Z", "z"):
        reading.offset = 0
        return at + 1
    found = _OFFSETS[len(symbol.text)].match(text, at)
    if not found:
        raise _MismatchError(at)
    sign, hours, minutes, *seconds = found.groups()
    if seconds and seconds[0] not in (None, "00"):
        raise faults.OFFSET_SECONDS()
    total = int(hours) * 60 + int(minutes or 0)
    if int(minutes or 0) > 59:
        raise _MismatchError(at)
    if total > _MAX_OFFSET_MINUTES:
        raise _RangeError("Zone offset not in valid range: -18:00 to +18:00")
    reading.offset = -total if sign == "-" else total
    return found.end()


def _read_number(text: str, at: int, symbol: _Symbol, following: tuple[_Symbol, ...], reading: _Reading) -> int:
    end = at
    while end < len(text) and "0" <= text[end] <= "9" and end - at < _JAVA_MAX_WIDTH * 2:
        end += 1
    least, most = _width(symbol)
    if least != most:
        end -= _digits_of_fixed(following)
    if symbol.text == "yyyy" and end - at - _digits_of_fixed(following) > most:
        raise _MismatchError(at)  # a year of more digits needs a sign
    end = min(end, at + most)
    if end - at < least:
        raise _MismatchError(at)
    digits = text[at:end]
    if symbol.letter == "S":
        reading.fraction = digits
    elif symbol.letter == "n":
        if int(digits) >= 10**_NANO_DIGITS:
            raise _MismatchError(at)
        reading.fraction = f"{int(digits):09d}"
    else:
        reading.values[symbol.field] = _two_digit_year(int(digits)) if symbol.text == "yy" else int(digits)
    return end


def _width(symbol: _Symbol) -> tuple[int, int]:
    """(fewest, most) digits a number takes."""
    count = len(symbol.text)
    if symbol.is_fixed_number or symbol.text == "yyyy":  # Java wants a + before a year of more than four digits
        return count, count
    return count, _JAVA_MAX_WIDTH


def _digits_of_fixed(following: tuple[_Symbol, ...]) -> int:
    """How many digits the fixed numbers take that follow without anything between."""
    digits = 0
    for symbol in following:
        if not symbol.letter or not symbol.is_fixed_number:
            break
        digits += len(symbol.text)
    return digits


def _two_digit_year(number: int) -> int:
    return number + (1900 if number >= _TWO_DIGIT_PIVOT else 2000)


# Field -> (its name in Java, the least value, the greatest, the range as Java shows it)
_RANGES: Final = {
    _YEAR: ("YearOfEra", 1, 999_999_999, "1 - 999999999/1000000000"),
    _MONTH: ("MonthOfYear", 1, 12, "1 - 12"),
    _DAY: ("DayOfMonth", 1, 31, "1 - 28/31"),
    _HOUR: ("HourOfDay", 0, 23, "0 - 23"),
    _MINUTE: ("MinuteOfHour", 0, 59, "0 - 59"),
    _SECOND: ("SecondOfMinute", 0, 59, "0 - 59"),
}
_CLOCK_HOUR: Final = ("ClockHourOfAmPm", 0, 12, "1 - 12")


def _check_range(row: tuple[str, int, int, str], value: int, is_late: bool = False) -> None:
    name, least, most, shown = row
    if not least <= value <= most:
        raise _RangeError(f"Invalid value for {name} (valid values {shown}): {value}", is_late)


def _timestamp_of(reading: _Reading, symbols: tuple[_Symbol, ...]) -> Timestamp:
    """Raises _RangeError when a field is out of its range.

    As Java's "smart" resolving has it, a day beyond the end of its month, up to 31, is that end, and 24:00 is the
    beginning of the next day.
    """
    values = reading.values
    fields = {symbol.field for symbol in symbols if symbol.letter}
    finest = max((name for name in fields if name in _RANKED), key=_RANKED.index)
    year, month, day = values[_YEAR], values.get(_MONTH, 1), values.get(_DAY, 1)
    _check_range(_RANGES[_YEAR], year)
    for name, value in ((_MONTH, month), (_DAY, day)):
        _check_range(_RANGES[name], value, is_late=_DAY not in fields)
    hour, minute, second = values.get(_HOUR, 0), values.get(_MINUTE, 0), values.get(_SECOND, 0)
    fraction = reading.fraction.rstrip("0")
    if _AM_PM in values:
        _check_range(_CLOCK_HOUR, hour)
        hour = hour % 12 + 12 * values[_AM_PM]
    is_next_day = hour == 24 and not minute and not second and not fraction
    hour = 0 if is_next_day else hour
    for name, value in ((_HOUR, hour), (_MINUTE, minute), (_SECOND, second)):
        _check_range(_RANGES[name], value)
    if year <= 9999:
        day = min(day, days_in_month(year, month))
        if is_next_day:
            year, month, day = _next_day(year, month, day)
    if year > 9999:
        raise _RangeError(f"Year {year} must be between 1 and 9999 inclusive", is_late=True)
    return Timestamp(_PRECISION_OF_FIELD[finest], year, month, day, hour, minute, second, fraction, reading.offset)


def _next_day(year: int, month: int, day: int) -> tuple[int, int, int]:
    if day < days_in_month(year, month):
        return year, month, day + 1
    return (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
