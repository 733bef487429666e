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
from collections.abc import Callable, Iterable
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from .numerals import int_text
from .symbols import MAX_DEPTH, TOO_DEEP
from .values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    Document,
    IonError,
    IonValue,
    Timestamp,
    TypedNull,
    ion_type,
    struct_items,
)


def to_json(value: IonValue) -> str:
    """Return JSON text of a value, on one line without blanks.  Raises IonError when it is nested too deeply."""
    try:
        return _text(value, MAX_DEPTH)
    except RecursionError:
        raise IonError(TOO_DEEP) from None


_string = encode_basestring  # what json.dumps(text, ensure_ascii=False) calls: a third of its time

# Documents of one table have few sets of names, so the text round their values is made once.  The cache is emptied when
# it is full and takes no long names, so hostile names cost little memory.
_FORMS: dict[tuple[str, ...], str] = {}
_FORMS_MAX = 512
_FORM_CHARACTERS_MAX = 4096


def _text(value: IonValue, depth: int) -> str:
    """depth: how many more containers may open."""
    kind = type(value)
    if kind is dict or kind is Document:
        if not depth:
            raise IonError(TOO_DEEP)
        depth -= 1
        form = object_form(tuple(value))
        # Most values are strings: testing for them here saves a call for each.
        return form % tuple([_string(each) if type(each) is str else _text(each, depth) for each in value.values()])
    write = _BY_TYPE.get(kind)
    if write is not None:
        return write(value)
    if kind is list:
        if not depth:
            raise IonError(TOO_DEEP)
        return f"[{','.join([_text(each, depth - 1) for each in value])}]"
    return _rarer(value, depth)


def object_form(names: tuple[str, ...]) -> str:
    """Return the JSON text of an object with these names, ``%s`` in the place of each value."""
    known = _FORMS.get(names)
    if known is not None:
        return known
    form = _form(names)
    if len(form) <= _FORM_CHARACTERS_MAX:
        if len(_FORMS) >= _FORMS_MAX:
            _FORMS.clear()
        _FORMS[names] = form
    return form


def _form(names: Iterable[str]) -> str:
    parts = [_string("$0" if name is SYMBOL_ZERO else name).replace("%", "%%") + ":%s" for name in names]
    return "{" + ",".join(parts) + "}"


_BY_TYPE: dict[type, Callable[[Any], str]] = {
    str: _string,
    int: int_text,
    Decimal: str,
    Timestamp: lambda value: f'"{value}"',
    bool: lambda value: "true" if value else "false",
    float: lambda value: repr(value) if math.isfinite(value) else "null",
    type(None): lambda value: "null",
    TypedNull: lambda value: "null",
    bytes: lambda value: f'"{binascii.b2a_base64(value, newline=False).decode("ascii")}"',
    Clob: lambda value: _string(value.decode("latin-1")),
}


def _rarer(value: IonValue, depth: int) -> str:
    """The text of a value that documents seldom hold, or of a subclass of a frequent one (an enumeration's, say)."""
    if type(value) is Annotated:
        return _text(value.value, depth)
    if value is SYMBOL_ZERO:
        return '"$0"'
    if isinstance(value, (dict, list)):
        if not depth:
            raise IonError(TOO_DEEP)
        if isinstance(value, list):
            return _text(list(value), depth)
        pairs = struct_items(value)
        return _form([name for name, _ in pairs]) % tuple([_text(each, depth - 1) for _, each in pairs])
    for kind in (str, bool, int, float, Decimal, Timestamp, Clob, bytes):
        if isinstance(value, kind):
            return _BY_TYPE[kind](value)
    raise TypeError(f"not an Ion value: {ion_type(value)}")
