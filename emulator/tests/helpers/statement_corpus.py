"""Prepares what a statement needs to run: tables, a matching document, parameters of sensible types.

All of it follows from the statement's own plan: the paths that it takes into its tables make the document, what they
are compared with makes their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from qldb_emulator.ion.values import Timestamp
from qldb_emulator.partiql.planning.analysis import walk
from qldb_emulator.partiql.planning.catalogue import Catalogue, TableInfo
from qldb_emulator.partiql.planning.plan import (
    AggregateCall,
    DocumentFetch,
    HistoryScan,
    IndexSeek,
    InsertPlan,
    Plan,
    Scan,
    Slot,
    Unnest,
    UpdatePlan,
)
from qldb_emulator.partiql.planning.planner import plan
from qldb_emulator.partiql.syntax import ast
from qldb_emulator.partiql.syntax.parser import parse

_TABLE = re.compile(r'(?:from|into|update|join|on|table|,)\s+"?([A-Za-z_]\w*)"?', re.IGNORECASE)
_HISTORY = re.compile(r"history\s*\(\s*([A-Za-z_]\w*)", re.IGNORECASE)
_NUMERIC = frozenset("+-*/%")
DROPPED = "5PLf9SXwndd63lPaSIa0O6"  # the table id of the guide's examples
TEXT = "text"
MOMENT = Timestamp("day", 2019, 6, 5)


def tables_of(text: str) -> list[str]:
    """Return every name in a statement that may be a table's."""
    names = {name.removeprefix("_ql_committed_") for name in (*_TABLE.findall(text), *_HISTORY.findall(text))}
    return sorted(names - {"information_schema"})


def plan_of(text: str) -> Plan:
    """Return the plan of a statement where every table is there.  Raises PartiqlError."""
    tables = [TableInfo(f"id of {name}", name) for name in tables_of(text)]
    return plan(parse(text), Catalogue((*tables, TableInfo(DROPPED, "Dropped", "INACTIVE"))))


def parameters_of(found: Plan) -> list[Any]:
    """A value for each ``?``, by where it stands: a struct to insert, a list after IN, a number in arithmetic."""
    values: list[Any] = [TEXT] * found.parameter_count

    def put(node: object, value: Any) -> None:
        if isinstance(node, ast.Parameter):
            values[node.index] = value

    for node in walk(found.statement):
        if isinstance(node, ast.Binary) and node.operator in _NUMERIC:
            put(node.left, 1)
            put(node.right, 1)
        elif isinstance(node, ast.In):
            put(node.collection, [TEXT])
        elif isinstance(node, ast.DateCall):
            put(node.arguments[-1], MOMENT)
        elif isinstance(node, ast.History):
            put(node.start, MOMENT)
            put(node.end, MOMENT)
    if isinstance(found.root, InsertPlan):
        value = found.statement.value
        for item in getattr(value, "items", (value,)):
            put(item, {"inserted": 1})
    elif isinstance(found.root, UpdatePlan):
        for edit in found.root.edits:
            if not edit.place.steps and edit.place.origin is None:
                put(edit.value, {"whole": 1})
    return values


class _Shape:
    """What is known of a value: its fields, or the shape of its elements, or the value itself."""

    def __init__(self) -> None:
        self.fields: dict[str, _Shape] = {}
        self.element: _Shape | None = None
        self.value: Any = TEXT

    def at(self, steps: tuple[ast.Step, ...]) -> _Shape:
        shape = self
        for step in steps:
            if isinstance(step, ast.FieldStep):
                shape = shape.fields.setdefault(step.name, _Shape())
            elif isinstance(step, ast.IndexStep | ast.ElementsStep):
                shape = shape.elements()
        return shape

    def elements(self) -> _Shape:
        if self.element is None:
            self.element = _Shape()
        return self.element

    def built(self) -> Any:
        if self.fields:
            return {name: shape.built() for name, shape in self.fields.items()}
        return self.value if self.element is None else [self.element.built()]


def document_of(found: Plan) -> dict[str, Any]:
    """Return a document that has every field the statement asks for; the same for all its tables."""
    root = _Shape()
    shapes: dict[int, _Shape] = {}
    kinds = (Scan, IndexSeek, DocumentFetch, HistoryScan, Unnest)
    sources = [node for node in walk(found.root) if isinstance(node, kinds)]
    for source in sorted(sources, key=lambda node: node.slot):
        if isinstance(source, Unnest):
            collection = source.collection
            if isinstance(collection, ast.Path) and isinstance(collection.root, Slot):
                base = shapes.get(collection.root.number)
                if base is not None:
                    shapes[source.slot] = base.at(collection.steps).elements()
        elif isinstance(source, HistoryScan) or source.source.view == "committed":
            row = shapes[source.slot] = _Shape()
            row.fields["data"] = root
        else:
            shapes[source.slot] = root

    def shape_of(node: object) -> _Shape | None:
        if isinstance(node, Slot):
            return shapes.get(node.number)
        if isinstance(node, ast.Path) and isinstance(node.root, Slot) and node.root.number in shapes:
            return shapes[node.root.number].at(node.steps)
        return None

    for part in walk(found.root):
        shape_of(part)
    for shape, value in _compared(found, shape_of):
        if shape.value is TEXT:
            shape.value = value
    if isinstance(found.root, UpdatePlan):
        _prepare_places(found.root, root, shapes)
    built = root.built()
    return built if isinstance(built, dict) else {"value": built}


def _compared(found: Plan, shape_of: Any) -> Iterator[tuple[_Shape, Any]]:
    for node in walk(found.root):
        pairs: list[tuple[object, Any]] = []
        if isinstance(node, ast.Binary):
            sides = ((node.left, node.right), (node.right, node.left))
            default = 1 if node.operator in _NUMERIC else TEXT
            for one, other in sides:
                value = other.value if isinstance(other, ast.Literal) else default
                pairs.append((one, value + 1 if node.operator == ">" and isinstance(value, int) else value))
        elif isinstance(node, ast.In):
            items = getattr(node.collection, "items", ())
            first = items[0] if items else None
            pairs = [(node.value, first.value if isinstance(first, ast.Literal) else TEXT), (node.collection, [TEXT])]
        elif isinstance(node, ast.Like) and isinstance(node.pattern, ast.Literal):
            pairs = [(node.value, node.pattern.value.replace("%", "any"))]
        elif isinstance(node, ast.Is) and node.type.name == "null":
            pairs = [(node.value, TEXT if node.is_negated else None)]
        elif isinstance(node, ast.Between):
            pairs = [(node.value, node.low.value if isinstance(node.low, ast.Literal) else TEXT)]
        elif isinstance(node, ast.DateCall):
            pairs = [(node.arguments[-1], MOMENT)]
        elif isinstance(node, ast.Call) and node.name.lower() == "size":
            pairs = [(node.arguments[0], [TEXT])]
        elif isinstance(node, AggregateCall) and node.call.name.lower() in ("sum", "avg"):
            pairs = [(node.argument, 1)]
        for one, value in pairs:
            shape = shape_of(one)
            if shape is not None:
                yield shape, value


def _prepare_places(update: UpdatePlan, root: _Shape, shapes: dict[int, _Shape]) -> None:
    """What an edit changes must be there: the containers on the way, the list that is inserted into."""
    for edit in update.edits:
        base = root if edit.place.origin is None else shapes.get(edit.place.origin.slot, _Shape())
        if edit.kind == "insert":
            target = base.at(edit.place.steps)
            if not isinstance(edit.at, ast.Literal) or not isinstance(edit.at.value, str):
                target.elements()
        elif edit.place.steps:
            base.at(edit.place.steps)
