"""Ion text over several lines, for people."""

from __future__ import annotations

from ...ion.codec import dumps_text
from ...ion.text_writer import symbol_text
from ...ion.values import Annotated, IonValue, Sexp, struct_items

INDENT = "  "
_LINE = 80  # characters; what fits is not split


def pretty(value: IonValue, width: int = _LINE, indent: str = "") -> str:
    """A value as Ion text; lists and structs that do not fit into *width* have a line for each item.

    indent: of the lines after the first.  The text means the same as the one of ``codec.dumps_text``.
    """
    text = dumps_text(value)
    if len(indent) + len(text) <= width:
        return text
    prefix = ""
    if isinstance(value, Annotated):
        prefix = "".join(f"{symbol_text(name)}::" for name in value.annotations)
        value = value.value
    inner = indent + INDENT
    if isinstance(value, dict) and value:
        items = [f"{_field(name)}: {pretty(item, width, inner)}" for name, item in struct_items(value)]
        return f"{prefix}{{\n{_joined(items, inner)}\n{indent}}}"
    if isinstance(value, list) and value and not isinstance(value, Sexp):
        items = [pretty(item, width, inner) for item in value]
        return f"{prefix}[\n{_joined(items, inner)}\n{indent}]"
    return text


def _joined(items: list[str], indent: str) -> str:
    return ",\n".join(f"{indent}{item}" for item in items)


def _field(name: str) -> str:
    return dumps_text({name: 0}).removeprefix("{").removesuffix(":0}")
