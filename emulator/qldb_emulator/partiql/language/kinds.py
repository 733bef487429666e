"""What kind of value a value is: unknown or known, and its type as the language names it."""

from __future__ import annotations

from typing import Final

from ...ion.values import Annotated, IonValue, TypedNull
from .faults import type_name
from .values import MISSING


def is_unknown(value: IonValue) -> bool:
    """Whether a value is MISSING or a null of any type."""
    return value is None or bare(value) is None


def bare(value: IonValue) -> IonValue:
    """The value without its annotations; ``None`` for every unknown."""
    if type(value) is Annotated:
        value = value.value
    return None if value is MISSING or type(value) is TypedNull else value


_TYPE_OF_NAME: Final[dict[str, str]] = {
    # name in the text -> type of the library; the SQL names stand for Ion types (ql-reference.docs)
    "missing": "MISSING",
    "null": "NULL",
    "bool": "BOOL",
    "boolean": "BOOL",
    "int": "INT",
    "integer": "INT",
    "smallint": "INT",
    "float": "FLOAT",
    "real": "FLOAT",
    "double_precision": "FLOAT",
    "double precision": "FLOAT",
    "decimal": "DECIMAL",
    "dec": "DECIMAL",
    "numeric": "DECIMAL",
    "timestamp": "TIMESTAMP",
    "symbol": "SYMBOL",
    "string": "STRING",
    "char": "STRING",
    "character": "STRING",
    "varchar": "STRING",
    "character_varying": "STRING",
    "character varying": "STRING",
    "list": "LIST",
    "struct": "STRUCT",
    "tuple": "STRUCT",
    "bag": "BAG",
    "sexp": "SEXP",
    "blob": "BLOB",
    "clob": "CLOB",
}

TYPE_NAMES: Final = frozenset(_TYPE_OF_NAME)


def type_of_name(name: str) -> str:
    """The library's type for a type name of the text ("integer" -> "INT").  Raises KeyError for an unknown name."""
    return _TYPE_OF_NAME[name]


def is_type(value: IonValue, name: str) -> bool:
    """``value IS name``: never unknown.  MISSING is null too; a typed null is of type null and of no other.

    The arguments of a type (``IS decimal(5, 2)``) have no effect, as with CAST.
    """
    wanted = _TYPE_OF_NAME[name]
    actual = type_name(value)
    return actual in ("NULL", "MISSING") if wanted == "NULL" else actual == wanted
