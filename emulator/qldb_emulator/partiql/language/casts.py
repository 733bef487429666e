"""CAST: which values become which types, and how (partiql.md 4.4).

========== ==========================================================================================================
target     from
========== ==========================================================================================================
bool       numbers (zero is false), text ("true" in any case is true, all else false)
int        bool, numbers (cut; beyond 64 bits an error), text in Ion's int notation (leading zeros and + allowed)
float      bool, numbers, text
decimal    bool, numbers (38 digits), text
timestamp  text in Ion's notation
string,    bool, numbers, timestamps, text
symbol
list, sexp, bag  each other
clob, blob each other
struct     only itself
========== ==========================================================================================================

An unknown stays what it is, whatever the type, but ``CAST(missing AS null)`` is null and ``CAST(null AS missing)`` is
missing (documented: ql-functions.cast).  A known value cannot be cast to either.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ...ion.numerals import int_text
from ...ion.values import Annotated, Clob, IonValue, Sexp, Symbol, Timestamp
from . import faults
from .arithmetic import ARITHMETIC, INT_MAX, INT_MIN, decimal_of
from .datetime_patterns import parse_ion_timestamp
from .errors import PartiqlError
from .faults import type_name
from .kinds import is_unknown, type_of_name
from .texts import ion_text, java_float
from .values import MISSING, Bag


def cast(value: IonValue, name: str) -> IonValue:
    """``CAST(value AS name)``.

    The arguments of a type, as in ``decimal(5, 2)`` or ``varchar(3)``, are read and have no effect: so it was in the
    library until TypedOpBehavior.HONOR_PARAMETERS, and by default long after (inferred).  Raises PartiqlError for a
    value that has no counterpart in the type.
    """
    target = type_of_name(name)
    if is_unknown(value):
        if target == "MISSING":
            return MISSING
        return None if target == "NULL" else value
    source = type_name(value)
    if source == target:
        return value
    if type(value) is Annotated and target in ("STRING", "SYMBOL") and source in ("BOOL", "TIMESTAMP"):
        text = ion_text(value)  # the library writes these two as Ion, with their annotations
        return Symbol(text) if target == "SYMBOL" else text
    bare = value.value if type(value) is Annotated else value
    convert = _CONVERSIONS.get(target, {}).get(source)
    if convert is None:
        raise faults.INVALID_CAST(source=source, target=target)
    return convert(bare)


def _failed(value: IonValue, target: str) -> PartiqlError:
    source = type_name(value)
    what = "string" if source in ("STRING", "SYMBOL") else source.lower()
    return faults.CAST_FAILED(source=source, target=target, what=what)


# --- To bool and numbers -------------------------------------------------------------------------------------


def _bool_of_number(value: int | float | Decimal) -> bool:
    """Zero is false, but the negative zero of floats is not zero: Java's Double.compareTo."""
    return bool(value) or (type(value) is float and math.copysign(1.0, value) < 0)  # nan is not zero


def _bool_of_text(value: str) -> bool:
    return value.lower() == "true"


def _int_of_number(value: float | Decimal) -> int:
    """Cut toward zero.  The bounds come first: 1d999999999 must not be written out."""
    if not INT_MIN - 1 < value < INT_MAX + 1:
        raise faults.INT_OVERFLOW()
    return int(value)


_INT: Final = re.compile(
    r"\s*(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB](?P<binary>[01]+(?:_[01]+)*)"
    r"|(?P<digits>\d+(?:_\d+)*))\s*",
    re.ASCII,
)


def _int_of_text(value: str) -> int:
    found = _INT.fullmatch(value)
    if not found:
        raise _failed(value, "INT")
    for group, base in (("hex", 16), ("binary", 2), ("digits", 10)):
        digits = (found.group(group) or "").replace("_", "").lstrip("0")
        if len(digits) > 64:
            raise faults.INT_OVERFLOW()
        if found.group(group):
            number = int(digits or "0", base) * (-1 if found.group("sign") == "-" else 1)
            if not INT_MIN <= number <= INT_MAX:
                raise faults.INT_OVERFLOW()
            return number
    raise _failed(value, "INT")


_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_JAVA_BLANKS: Final = "".join(map(chr, range(33)))


def _float_of_text(value: str) -> float:
    """As Java's Double.parseDouble reads, but for hexadecimal."""
    text = value.strip(_JAVA_BLANKS)
    if text.lstrip("+-") in ("NaN", "Infinity") and text[:2] not in ("++", "--", "+-", "-+"):
        return float(text)
    if text[-1:] in ("d", "D", "f", "F"):
        text = text[:-1]
    if not _NUMBER.fullmatch(text):
        raise _failed(value, "FLOAT")
    return float(text)


def _decimal_of_text(value: str) -> Decimal:
    """As Java's BigDecimal reads; rounded to 38 digits."""
    text = value.strip(_JAVA_BLANKS)
    if not _NUMBER.fullmatch(text):
        raise _failed(value, "DECIMAL")
    try:
        number = ARITHMETIC.create_decimal(text)
    except decimal.DecimalException as error:
        raise _failed(value, "DECIMAL") from error
    return number if number else number.copy_abs()


def _decimal_of_float(value: float) -> Decimal:
    if not math.isfinite(value):
        raise faults.NOT_A_DECIMAL()
    return decimal_of(value)


def _float_of_int(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _float_of_decimal(value: Decimal) -> float:
    return float(value)  # beyond the range it is an infinity, as in Java


# --- To text -------------------------------------------------------------------------------------------------


def _text_of_bool(value: bool) -> str:
    return "true" if value else "false"


_TEXTS: Final[dict[str, Callable[[IonValue], str]]] = {
    "BOOL": _text_of_bool,
    "INT": int_text,
    "FLOAT": java_float,
    "DECIMAL": str,
    "TIMESTAMP": str,
    "STRING": str,
    "SYMBOL": str,
}


def _symbol_after(text_of: Callable[[IonValue], str]) -> Callable[[IonValue], Symbol]:
    return lambda value: Symbol(text_of(value))


def _timestamp_of_text(value: str) -> Timestamp:
    timestamp = parse_ion_timestamp(value)
    if timestamp is None:
        raise _failed(value, "TIMESTAMP")
    return timestamp


# --- The matrix ----------------------------------------------------------------------------------------------

_Conversion = Callable[[IonValue], IonValue]


def _each(names: str, convert: _Conversion) -> dict[str, _Conversion]:
    return dict.fromkeys(names.split(), convert)


_CONVERSIONS: Final[dict[str, dict[str, _Conversion]]] = {
    # target -> source -> conversion; documented: ql-functions.cast, details: the library
    "BOOL": _each("INT FLOAT DECIMAL", _bool_of_number) | _each("STRING SYMBOL", _bool_of_text),
    "INT": _each("BOOL", int) | _each("FLOAT DECIMAL", _int_of_number) | _each("STRING SYMBOL", _int_of_text),
    "FLOAT": _each("BOOL", float)
    | _each("INT", _float_of_int)
    | _each("DECIMAL", _float_of_decimal)
    | _each("STRING SYMBOL", _float_of_text),
    "DECIMAL": _each("BOOL", lambda value: Decimal(int(value)))
    | _each("INT", decimal_of)
    | _each("FLOAT", _decimal_of_float)
    | _each("STRING SYMBOL", _decimal_of_text),
    "TIMESTAMP": _each("STRING SYMBOL", _timestamp_of_text),
    "STRING": {source: text_of for source, text_of in _TEXTS.items() if source != "STRING"},
    "SYMBOL": {source: _symbol_after(text_of) for source, text_of in _TEXTS.items() if source != "SYMBOL"},
    "CLOB": _each("BLOB", Clob),
    "BLOB": _each("CLOB", bytes),
    "LIST": _each("SEXP BAG", list),
    "SEXP": _each("LIST BAG", Sexp),
    "BAG": _each("LIST SEXP", Bag),
    "STRUCT": {},
}
