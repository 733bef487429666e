"""A quick look at the rows of a scan that leaves out those which cannot match.

Only for a condition that begins with terms ``source.field <comparison> constant or parameter``, joined by AND: such a
comparison never fails, so a row for which one of them is surely not true need not be looked at again.  What passes is
judged by the whole condition as always.  A row that the quick look cannot judge passes: a field that is annotated, of
another kind than the constant, or spelt in another case.

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

Sieve = Callable[[list[Row], str, Any], list[Row]]
"""(rows, field name, constant) -> the rows whose comparison is true or cannot be judged here."""


def screen_of(condition: ast.Expr | None, slot: int) -> Screen | None:
    """The quick look for a scan into *slot* under a condition, or None when there is none."""
    terms = []
    for term in conjuncts(condition):
        found = _term(term, slot)
        if found is None:
            break
        terms.append(found)
    return _screen(terms) if terms else None


def _term(term: ast.Expr, slot: int) -> tuple[str, str, ast.Literal | ast.Parameter] | None:
    """(operator, field name, constant) of a comparison that the quick look understands."""
    if not isinstance(term, ast.Binary) or term.operator not in SIEVES:
        return None
    for operator, path, constant in (
        (term.operator, term.left, term.right),
        (_TURNED[term.operator], term.right, term.left),
    ):
        name = _field_name(path, slot)
        if name is not None and isinstance(constant, ast.Literal | ast.Parameter):
            return operator, name, constant
    return None


def _field_name(path: ast.Expr, slot: int) -> str | None:
    if isinstance(path, ast.Path) and isinstance(path.root, Slot) and path.root.number == slot:
        step = path.steps[0]
        if len(path.steps) == 1 and isinstance(step, ast.FieldStep):
            return step.name
    return None


def _equal(rows: list[Row], name: str, wanted: Any) -> list[Row]:
    # For text and ints Python's == never says no where PartiQL's = says yes.
    missing, undecided = MISSING, _UNDECIDED
    return [row for row in rows if (v := row[1].get(name, missing)) == wanted or v.__class__ in undecided]


def _less(rows: list[Row], name: str, wanted: Any) -> list[Row]:
    return [row for row in rows if (v := row[1].get(name)).__class__ is not int or v < wanted]


def _less_equal(rows: list[Row], name: str, wanted: Any) -> list[Row]:
    return [row for row in rows if (v := row[1].get(name)).__class__ is not int or v <= wanted]


def _greater(rows: list[Row], name: str, wanted: Any) -> list[Row]:
    return [row for row in rows if (v := row[1].get(name)).__class__ is not int or v > wanted]


def _greater_equal(rows: list[Row], name: str, wanted: Any) -> list[Row]:
    return [row for row in rows if (v := row[1].get(name)).__class__ is not int or v >= wanted]


# operator -> (the classes of constants it can judge, how)
SIEVES: dict[str, tuple[frozenset[type], Sieve]] = {
    "=": (frozenset((str, int)), _equal),
    "<": (frozenset((int,)), _less),
    "<=": (frozenset((int,)), _less_equal),
    ">": (frozenset((int,)), _greater),
    ">=": (frozenset((int,)), _greater_equal),
}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _screen(terms: list[tuple[str, str, ast.Literal | ast.Parameter]]) -> Screen:
    prepared = [(*SIEVES[operator], name, constant) for operator, name, constant in terms]

    def screen(frame: list[Any], rows: Iterator[Row]) -> Batches | None:
        sieves = []
        for classes, sieve, name, constant in prepared:
            wanted = constant.value if isinstance(constant, ast.Literal) else frame[PARAMETERS_SLOT][constant.index]
            if type(wanted) in classes:
                sieves.append((sieve, name, wanted))
        return _batches(rows, sieves) if sieves else None

    return screen


def _batches(rows: Iterator[Row], sieves: list[tuple[Sieve, str, Any]]) -> Batches:
    while batch := list(islice(rows, BATCH_ROWS)):
        passing = batch
        try:
            for sieve, name, wanted in sieves:
                passing = sieve(passing, name, wanted)
        except AttributeError:
            passing = batch  # a document that is annotated itself
        yield len(batch), passing
