"""Values inside error messages, in the two notations the library used: Ion text and PartiQL text.

Which message has which notation stands in ``faults``.  A long value is cut, so that no message grows with the data.
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
    """As ion-java's ``toPrettyString`` writes a scalar: lobs with blanks inside their braces."""
    text = ion_text(value)
    return f"{text[:2]} {text[2:-2]} {text[-2:]}" if text.startswith("{{") else text


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
    figures = ("-" if sign else "") + "".join(map(str, digits))
    if exponent > 0:
        return f"{figures}d{exponent}"
    if -exponent < len(digits):
        whole = len(figures) + exponent
        return f"{figures[:whole]}.{figures[whole:]}"
    return f"{figures}d{exponent}"


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
