"""Converts Ion to JSON by the down-conversion rules of the Ion cookbook.  Loses what JSON cannot hold.

==================  =======================================================================
null of any type    null
int, decimal        number, every digit kept
float               number; nan and the infinities are null
timestamp           string, as in Ion text
symbol              string; ``$0`` for the symbol without text
clob                string, one character per octet
blob                string, base64
list, sexp          array
struct              object; a repeated name stays repeated
annotations         dropped
==================  =======================================================================

Source: documented (the cookbook; QLDB's export guide names it for the JSON output format).
"""

from __future__ import annotations

import binascii
import math
from decimal import Decimal
from json.encoder import encode_basestring

from .numerals import int_text
from .symbols import MAX_DEPTH, TOO_DEEP
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    IonError,
    IonValue,
    Timestamp,
    TypedNull,
    ion_type,
    struct_items,
)


def to_json(value: IonValue) -> str:
    """Return JSON text of a value, on one line without blanks.  Raises IonError when it is nested too deeply."""
    parts: list[str] = []
    try:
        _write(value, MAX_DEPTH, parts)
    except RecursionError:
        raise IonError(TOO_DEEP) from None
    return "".join(parts)


_string = encode_basestring  # what json.dumps(text, ensure_ascii=False) calls: a third of its time


def _write(value: IonValue, depth: int, parts: list[str]) -> None:
    if type(value) is Annotated:
        value = value.value
    if isinstance(value, dict):
        if not depth:
            raise IonError(TOO_DEEP)
        separator = "{"
        for name, each in struct_items(value):
            parts.append(f"{separator}{_string('$0' if name is SYMBOL_ZERO else name)}:")
            _write(each, depth - 1, parts)
            separator = ","
        parts.append("{}" if separator == "{" else "}")
    elif isinstance(value, list):
        if not depth:
            raise IonError(TOO_DEEP)
        parts.append("[")
        for position, each in enumerate(value):
            if position:
                parts.append(",")
            _write(each, depth - 1, parts)
        parts.append("]")
    else:
        parts.append(_scalar(value))


def _scalar(value: IonValue) -> str:
    if value is None or type(value) is TypedNull:
        return "null"
    if value is SYMBOL_ZERO:
        return '"$0"'
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int_text(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Timestamp):
        return f'"{value}"'
    if isinstance(value, Clob):
        return _string(value.decode("latin-1"))
    if isinstance(value, bytes):
        return f'"{binascii.b2a_base64(value, newline=False).decode("ascii")}"'
    raise TypeError(f"not an Ion value: {ion_type(value)}")
