"""Values inside error messages, in the two notations the library used: Ion text and PartiQL text.

``faults`` says which message has which notation.  A long value is cut, so that messages have a bounded length.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from ...ion import codec
from ...ion.values import Annotated, IonValue, Sexp, Symbol, TypedNull, struct_items
from .values import MISSING, Bag

SHOWN_CHARACTERS: Final = 1000  # ours: of a value in a message
_INT_LIMIT = 10**SHOWN_CHARACTERS


def ion_text(value: IonValue) -> str:
    """A value as Ion text: a bag is a list there, MISSING is null."""
    return _cut(_ion(value))


def partiql_text(value: IonValue) -> str:
    """A value as PartiQL text: ``[1, 'x']``, ``{'a': 1}``; types that PartiQL cannot write are Ion in backticks."""
    return _cut(_partiql(value))


def pretty_ion_text(value: IonValue) -> str:
    """As ion-java's ``toPrettyString`` writes: the parts of a container on lines of their own."""
    return _cut(_pretty(value, "\n"))


def _pretty(value: IonValue, line: str, is_in_sexp: bool = False) -> str:
    """line: a line break and the blanks before the container that the value is in."""
    if type(value) is Annotated:
        return "".join([_symbol(name) + "::" for name in value.annotations]) + _pretty(value.value, line, is_in_sexp)
    if isinstance(value, dict):
        fields = [f"{line}  {_symbol(name)}:{_pretty(part, line + '  ')}" for name, part in struct_items(value)]
        return "{" + ",".join(fields) + line + "}"
    if type(value) is Sexp:
        return "(" + "".join([f"{line}  {_pretty(part, line + '  ', True)}" for part in value]) + line + ")"
    if isinstance(value, list):
        return "[" + ",".join([f"{line}  {_pretty(part, line + '  ')}" for part in value]) + line + "]"
    if type(value) is Decimal:
        return _pretty_decimal(value)
    if type(value) is Symbol and is_in_sexp and _OPERATOR.fullmatch(value):
        return value
    if type(value) in (str, Symbol):
        return codec.dumps_text(value)
    text = _ion(value)
    return f"{text[:2]} {text[2:-2]} {text[-2:]}" if text.startswith("{{") else text


_OPERATOR: Final = re.compile(r"[!#%&*+./;<=>?@^`|~-]+")
_SMALLEST_WITH_POINT = -6  # the exponent of the smallest number that is written with a point


def _pretty_decimal(value: Decimal) -> str:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent != 0 and _SMALLEST_WITH_POINT <= value.adjusted() < 0:
        return f"{value:f}"
    if exponent < 0 and value.adjusted() < 0:
        return _plain_exponent(value)
    return _decimal(value)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def _ion(value: IonValue) -> str:
    """As ion-java's ``IonValue.toString`` writes."""
    if type(value) is Annotated:
        return "".join([_symbol(name) + "::" for name in value.annotations]) + _ion(value.value)
    if value is MISSING:
        return "null"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_symbol(name)}:{_ion(part)}" for name, part in struct_items(value)) + "}"
    if type(value) is Sexp:
        return "(" + " ".join(map(_ion, value)) + ")"
    if isinstance(value, list):
        return "[" + ",".join(map(_ion, value)) + "]"
    if type(value) is Decimal:
        return _decimal(value)
    if type(value) is float:
        return _float(value)
    if type(value) is int and abs(value) >= _INT_LIMIT:
        return "a large int"
    return _NOT_ASCII.sub(_escaped, codec.dumps_text(value))


def _symbol(name: str) -> str:
    return _NOT_ASCII.sub(_escaped, codec.dumps_text(Symbol(name)))


_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _decimal(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits))
    if exponent > 0:
        return _plain_exponent(value)
    minus = "-" if sign else ""
    if -exponent < len(figures):
        whole = len(figures) + exponent
        return f"{minus}{figures[:whole]}.{figures[whole:]}"
    if len(figures) == 1:
        return _plain_exponent(value)
    return f"{minus}{figures[0]}.{figures[1:]}d{value.adjusted()}"


def _plain_exponent(value: Decimal) -> str:
    """``123d-5``"""
    sign, digits, exponent = value.as_tuple()
    return ("-" if sign else "") + "".join(map(str, digits)) + f"d{exponent}"


def _float(value: float) -> str:
    text = java_float(value)
    if not math.isfinite(value):
        return {"NaN": "nan", "Infinity": "+inf"}.get(text, "-inf")
    if text.endswith(".0"):
        text = text[:-2]
    return text if "E" in text else text + "e0"


def java_float(value: float) -> str:
    """As Java's Double.toString writes: 1000.0, 1.0E10, Infinity, NaN."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    figures = "".join(map(str, digits)).lstrip("0")
    prefix = "-" if sign else ""
    if not figures:
        return prefix + "0.0"
    point = len(figures) + int(exponent)  # where the point stands in the figures
    figures = figures.rstrip("0") or "0"
    if -2 <= point <= 7:
        padded = "0" * max(0, 1 - point) + figures
        at = max(point, 1)
        padded = padded.ljust(at, "0")
        return f"{prefix}{padded[:at]}.{padded[at:] or '0'}"
    return f"{prefix}{figures[0]}.{figures[1:] or '0'}E{point - 1}"


def _partiql(value: IonValue) -> str:
    bare = value.value if type(value) is Annotated else value
    if bare is MISSING:
        return "MISSING"
    if bare is None or type(bare) is TypedNull:
        return "NULL"
    if isinstance(bare, bool):
        return "true" if bare else "false"
    if type(bare) is int:
        return str(bare) if abs(bare) < _INT_LIMIT else "a large int"
    if type(bare) is Decimal:
        return str(bare)
    if type(bare) is str:
        return f"'{bare}'"
    if isinstance(bare, dict):
        return "{" + ", ".join(f"'{name}': {_partiql(part)}" for name, part in struct_items(bare)) + "}"
    if isinstance(bare, list) and type(bare) is not Sexp:
        begin, end = ("<<", ">>") if type(bare) is Bag else ("[", "]")
        return begin + ", ".join(map(_partiql, bare)) + end
    return f"`{_ion(value)}`"
