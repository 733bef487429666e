"""Writes values as Ion text in the service's style: on one line, without optional blanks.

``{a:1,b:"x",'9mov0f':[1,2],date:2017-08-21,amount:90.25,hash:{{NoCh...}}}``; source: recorded (GetBlock and GetRevision
answers in the AWS CLI's examples); what they do not show follows the Java writer.
"""

from __future__ import annotations

import binascii
import math
import re
from decimal import Decimal

from .binary_reader import MAX_EXPONENT
from .binary_writer import check_top_level, plain
from .numerals import int_text
from .symbols import MAX_DEPTH, TOO_DEEP
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    Document,
    IonError,
    IonValue,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    struct_items,
)

# An unquoted symbol; keywords are excluded, and so is a text in the form of an id.
_BARE_SYMBOL = re.compile(r"(?!(?:null|true|false|nan|\$[0-9]+)\Z)[A-Za-z_$][A-Za-z0-9_$]*\Z").match
_OPERATOR = re.compile(r"(?!.*/[/*])[!#%&*+\-./;<=>?@^`|~]+\Z").match
_NEEDS_ESCAPE = re.compile(r'["\\\x00-\x1f\x7f]').search
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)},
    0: "\\0",
    7: "\\a",
    8: "\\b",
    9: "\\t",
    10: "\\n",
    11: "\\v",
    12: "\\f",
    13: "\\r",
    0x5C: "\\\\",
}
_STRING_ESCAPES = {**_ESCAPES, 0x22: '\\"'}
_SYMBOL_ESCAPES = {**_ESCAPES, 0x27: "\\'"}
_CLOB_ESCAPES = {**_STRING_ESCAPES, **{code: f"\\x{code:02x}" for code in range(0x80, 0x100)}}

# Field names recur; the cache is dropped when it is full, so hostile names cost no memory.
_NAME_CACHE: dict[str, str] = {}
_NAME_CACHE_ENTRIES = 4096
_NAME_CACHE_CHARACTERS = 128


def write(value: IonValue, max_depth: int = MAX_DEPTH) -> str:
    """Return Ion text of one top-level value.

    Raises IonError for what Ion cannot hold, TypeError for an object that is not an Ion value.
    """
    check_top_level(value)
    parts: list[str] = []
    _write(value, max_depth, parts)
    text = "".join(parts)
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise IonError("a text has half of a surrogate pair") from None
    return text


def symbol_text(symbol: str) -> str:
    """Return a symbol as text: bare where possible, otherwise quoted."""
    if symbol is SYMBOL_ZERO:
        return "$0"
    if _BARE_SYMBOL(symbol):
        return str(symbol)
    return "'" + symbol.translate(_SYMBOL_ESCAPES) + "'"


def string_text(text: str) -> str:
    """Return a string as it stands in text."""
    return f'"{text.translate(_STRING_ESCAPES)}"' if _NEEDS_ESCAPE(text) else f'"{text}"'


def decimal_text(value: Decimal) -> str:
    """Return a decimal with all digits of its coefficient: ``90.25``, ``5.``, ``0.00``, ``1d3``, ``15d-9``, ``-0.``."""
    if not value.is_finite():
        raise IonError(f"{value} is no Ion decimal")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if abs(exponent) > MAX_EXPONENT:
        raise IonError(f"the exponent of a decimal is beyond {MAX_EXPONENT}")
    text = str(value)
    if "E" not in text:
        return text if exponent else text + "."
    # Python writes 1.5E-8; Ion's own style has an integer coefficient: 15d-9.
    return f"{text[: text.index('E')].replace('.', '')}d{exponent}"


def float_text(value: float) -> str:
    """Return a float, always with an exponent: ``1e0``, ``-2.5e-7``, ``nan``, ``+inf``."""
    if math.isfinite(value):
        text = repr(value)
        if "e" in text:
            digits, _, exponent = text.partition("e")
            return f"{digits}e{int(exponent)}"
        return f"{text.removesuffix('.0')}e0"
    return "nan" if value != value else "+inf" if value > 0 else "-inf"


def _write(value: IonValue, depth: int, parts: list[str]) -> None:
    """Append the text of a value.  depth: how many more containers may open."""
    kind = type(value)
    if kind is str:
        parts.append(string_text(value))
    elif kind is int:
        parts.append(int_text(value))
    elif value is None:
        parts.append("null")
    elif kind is bool:
        parts.append("true" if value else "false")
    elif kind is dict or kind is Document or isinstance(value, dict):
        _write_struct(value, depth, parts)
    elif isinstance(value, list):
        _write_sequence(value, depth, parts)
    elif kind is Decimal:
        parts.append(decimal_text(value))
    elif kind is Timestamp:
        parts.append(str(value))
    elif kind is bytes:
        parts.append("{{" + binascii.b2a_base64(value, newline=False).decode("ascii") + "}}")
    elif kind is float:
        parts.append(float_text(value))
    elif kind is Annotated:
        parts.extend([_name_text(each) + "::" for each in value.annotations])
        _write(value.value, depth, parts)
    else:
        parts.append(_rarer_text(value))


def _name_text(name: str) -> str:
    """Return a field name or annotation."""
    known = _NAME_CACHE.get(name)
    if known is None:
        known = symbol_text(name)
        if len(known) <= _NAME_CACHE_CHARACTERS:
            if len(_NAME_CACHE) >= _NAME_CACHE_ENTRIES:
                _NAME_CACHE.clear()
            _NAME_CACHE[name] = known
    return known


def _write_struct(value: dict[str, IonValue], depth: int, parts: list[str]) -> None:
    if not depth:
        raise IonError(TOO_DEEP)
    opening = "{"
    for name, each in struct_items(value):
        parts.append(f"{opening}{_name_text(name)}:")
        _write(each, depth - 1, parts)
        opening = ","
    parts.append("{}" if opening == "{" else "}")


def _write_sequence(value: list[IonValue], depth: int, parts: list[str]) -> None:
    if not depth:
        raise IonError(TOO_DEEP)
    is_sexp = isinstance(value, Sexp)
    separator = " " if is_sexp else ","
    parts.append("(" if is_sexp else "[")
    for position, each in enumerate(value):
        if position:
            parts.append(separator)
        if is_sexp and type(each) is Symbol and _OPERATOR(each):
            parts.append(each)
        else:
            _write(each, depth - 1, parts)
    parts.append(")" if is_sexp else "]")


def _rarer_text(value: IonValue) -> str:
    if isinstance(value, Symbol):
        return symbol_text(value)
    if isinstance(value, TypedNull):
        return f"null.{value.ion_type}"
    if isinstance(value, Clob):
        return '{{"' + value.decode("latin-1").translate(_CLOB_ESCAPES) + '"}}'
    parts: list[str] = []
    _write(plain(value), 0, parts)
    return parts[0]
