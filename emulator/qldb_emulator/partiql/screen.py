"""A quick look at the rows of a scan that leaves out those which cannot match.

Only for a condition whose first term is ``source.field = constant or parameter``: nothing stands before it that could
fail, so a row for which it is surely not true need not be looked at again.  What passes is judged by the whole
condition as always.  A row that the quick look cannot judge passes: a field that is annotated, or spelt in another
case.

Measured over 20,000 decoded documents, two terms, a third passing the first: 0.44 µs a row with it, 0.68 without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ..ion.values import Annotated
from . import ast
from .analysis import conjuncts
from .data import Row
from .plan import PARAMETERS_SLOT, Slot
from .values import MISSING

BATCH_ROWS = 256
_UNDECIDED = frozenset((Annotated, type(MISSING)))

Batches = Iterator[tuple[int, list[Row]]]
Screen = Callable[[list[Any], Iterator[Row]], Batches | None]
"""(frame, rows) -> (how many rows were looked at, those that may match), batch by batch; None when it cannot help."""


def screen_of(condition: ast.Expr | None, slot: int) -> Screen | None:
    """The quick look for a scan into *slot* under a condition, or None when there is none."""
    terms = conjuncts(condition)
    if not terms or not isinstance(terms[0], ast.Binary) or terms[0].operator != "=":
        return None
    for path, constant in ((terms[0].left, terms[0].right), (terms[0].right, terms[0].left)):
        name = _field_name(path, slot)
        if name is not None and isinstance(constant, ast.Literal | ast.Parameter):
            return _screen(name, constant)
    return None


def _field_name(path: ast.Expr, slot: int) -> str | None:
    if isinstance(path, ast.Path) and isinstance(path.root, Slot) and path.root.number == slot:
        step = path.steps[0]
        if len(path.steps) == 1 and isinstance(step, ast.FieldStep):
            return step.name
    return None


def _screen(name: str, constant: ast.Literal | ast.Parameter) -> Screen:
    def screen(frame: list[Any], rows: Iterator[Row]) -> Batches | None:
        wanted = constant.value if isinstance(constant, ast.Literal) else frame[PARAMETERS_SLOT][constant.index]
        # For text and ints Python's == never says no where PartiQL's = says yes.
        return _batches(rows, name, wanted) if type(wanted) is str or type(wanted) is int else None

    return screen


def _batches(rows: Iterator[Row], name: str, wanted: object) -> Batches:
    undecided, missing = _UNDECIDED, MISSING
    while batch := list(islice(rows, BATCH_ROWS)):
        try:
            passing = [
                row
                for row in batch
                if (value := row[1].get(name, missing)) == wanted or value.__class__ in undecided
            ]
        except AttributeError:
            passing = batch  # a document that is annotated itself
        yield len(batch), passing
