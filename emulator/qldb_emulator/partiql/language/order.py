"""The natural order: a total order over all values, whatever their kinds.

It decides ``<`` between containers and between lobs.
"""

from __future__ import annotations

from typing import Any, Final

from ...budget import charge
from ...ion.compare import kind, order_key
from ...ion.values import Annotated, IonValue, struct_items

_RANKS: Final = ("null", "bool", "number", "timestamp", "text", "lob", "list", "sexp", "struct", "bag")
_PART_BYTES: Final = 100  # of the key of one element


def natural_order(value: IonValue) -> tuple[Any, ...]:
    """A sort key over all values, whatever their kinds: the library's natural order, nulls first.

    By kind in the order of :data:`_RANKS`; then scalars as ``<`` has them, lobs by octets, lists and sexps element by
    element, structs and bags by their sorted parts.
    """
    bare = value.value if type(value) is Annotated else value
    of = kind(bare)
    rank = _RANKS.index(of)
    if of == "null":
        return (rank,)
    if of == "lob":
        return rank, bytes(bare)
    if of in ("list", "sexp", "bag", "struct"):
        charge(_PART_BYTES * len(bare))
    if of in ("list", "sexp"):
        return rank, [natural_order(element) for element in bare]
    if of == "bag":
        return rank, sorted(natural_order(element) for element in bare)
    if of == "struct":
        return rank, sorted((natural_order(name), natural_order(part)) for name, part in struct_items(bare))
    return rank, order_key(bare)
