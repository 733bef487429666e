"""A plan as text for people: how every source is read, and what is filtered above it.

::

    select v.VIN, o.PersonId
      filter v.VIN = ? AND o.PersonId IS NOT NULL
        join, in this order
          v: seek VehicleRegistration by index on VIN, v.VIN = ?
          o: elements of v.Owners.SecondaryOwners
"""

from __future__ import annotations

from collections.abc import Iterator

from ..syntax import ast
from ..syntax.printer import to_text
from .analysis import walk
from .plan import (
    Access,
    CatalogueScan,
    DefinitionPlan,
    DeletePlan,
    DocumentFetch,
    Edit,
    ExecPlan,
    ExpressionPlan,
    Filter,
    HistoryScan,
    IndexSeek,
    InsertPlan,
    Join,
    Plan,
    Relation,
    Scan,
    SelectPlan,
    Subquery,
    Unnest,
    UpdatePlan,
)

_INDENT = "  "
Line = tuple[int, str]
_TABLE_ACCESSES = (Scan, IndexSeek, DocumentFetch, HistoryScan, CatalogueScan)


def explain(plan: Plan) -> str:
    """The text, lines joined by newlines."""
    return "\n".join(_INDENT * depth + text for depth, text in _statement(plan))


def reads(plan: Plan) -> list[str]:
    """What a transaction reads by this statement, a line each.  It conflicts with a transaction that writes any of it
    before it commits.

    Written documents belong to it, too.  (Recorded: driver-python #14, the concurrency demos of qldb-guide.)
    """
    accesses = [node for node in walk(plan.root) if isinstance(node, _TABLE_ACCESSES)]
    lines = [_read(access) for access in sorted(accesses, key=lambda access: access.slot)]
    names = [f"what the name {table.name} stands for, and its indexes" for _, table in plan.actions if table]
    if isinstance(plan.root, DefinitionPlan):
        names = ["which tables and indexes there are"]
    return list(dict.fromkeys([*lines, *names]))


def _read(access: Access) -> str:
    match access:
        case Scan(source=source):
            return f"every document of {source.table.name}: a scan"
        case IndexSeek(source=source, probe=probe):
            return f"the documents of {source.table.name} with {to_text(probe.condition)}, and any that come to have it"
        case DocumentFetch(source=source, probe=probe):
            return f"the documents of {source.table.name} with {to_text(probe.condition)}"
        case HistoryScan(table=table, probe=None):
            return f"every document of {table.name}: a scan of its history"
        case HistoryScan(table=table, probe=probe):
            assert probe is not None
            return f"the documents of {table.name} with {to_text(probe.condition)}"
    return "which tables and indexes there are"


def _statement(plan: Plan) -> Iterator[Line]:
    root, statement = plan.root, plan.statement
    match root:
        case SelectPlan():
            assert isinstance(statement, ast.Query)
            assert isinstance(statement.expression, ast.Select)
            yield from _select(root, statement.expression, 0)
        case ExpressionPlan(value=value):
            yield 0, f"value {_written(statement)}"
            yield from _nested(value, 1)
        case InsertPlan(table=table):
            assert isinstance(statement, ast.Insert)
            yield 0, f"insert into {table.name}"
            yield 1, f"{'document' if root.is_single else 'documents'} {to_text(statement.value)}"
        case UpdatePlan(table=table):
            yield 0, f"update {table.name}"
            for edit in root.edits:
                yield 1, _edit(edit)
            yield from _relation(root.relation, 1)
        case DeletePlan(table=table):
            yield 0, f"delete from {table.name}"
            yield from _relation(root.relation, 1)
        case ExecPlan(name=name):
            yield 0, f"exec {name}"
        case DefinitionPlan():
            yield 0, f"define {to_text(statement)}"


def _written(statement: ast.Statement) -> str:
    return to_text(statement.expression) if isinstance(statement, ast.Query) else to_text(statement)


def _edit(edit: Edit) -> str:
    return f"{edit.kind} {to_text(edit.place.written)}"


def _select(plan: SelectPlan, select: ast.Select, depth: int) -> Iterator[Line]:
    yield depth, f"{'aggregate' if plan.aggregates else 'select'} {_columns(select)}"
    yield from _relation(plan.relation, depth + 1)
    yield from _nested((plan.projection, plan.aggregates), depth + 1)


def _columns(select: ast.Select) -> str:
    if select.is_star:
        return "*"
    if select.value is not None:
        return f"value {to_text(select.value)}"
    return ", ".join(to_text(item) for item in select.items)


def _relation(relation: Relation, depth: int) -> Iterator[Line]:
    if isinstance(relation, Filter):
        yield depth, f"filter {to_text(relation.written)}"
        yield from _nested(relation.condition, depth + 1)
        yield from _relation(relation.input, depth + 1)
    elif isinstance(relation, Join):
        yield depth, "join, in this order"
        for part in relation.inputs:
            yield from _access(part.access, depth + 1)
            if part.written is not None:
                yield depth + 2, f"on {to_text(part.written)}"
                yield from _nested(part.condition, depth + 2)
    else:
        yield from _access(relation, depth)


def _access(access: Access, depth: int) -> Iterator[Line]:
    yield depth, f"{access.alias}: {_path(access)}"
    if isinstance(access, Unnest):
        yield from _nested(access.collection, depth + 1)


def _path(access: Access) -> str:
    match access:
        case Scan(source=source):
            return f"scan {_table(source.view, source.table.name)}"
        case IndexSeek(source=source, index=index, probe=probe):
            table = _table(source.view, source.table.name)
            return f"seek {table} by index on {index.field_name}, {to_text(probe.condition)}"
        case DocumentFetch(source=source, probe=probe):
            return f"seek {_table(source.view, source.table.name)} by document id, {to_text(probe.condition)}"
        case HistoryScan(table=table, probe=None):
            return f"scan history of {table.name}{_range(access)}"
        case HistoryScan(table=table, probe=probe):
            assert probe is not None
            return f"seek history of {table.name} by document id, {to_text(probe.condition)}{_range(access)}"
        case CatalogueScan():
            return "scan information_schema.user_tables"
    assert isinstance(access, Unnest)
    return f"{'fields' if access.is_unpivot else 'elements'} of {_source_text(access.written)}"


def _source_text(written: ast.Expr) -> str:
    return "nested query" if isinstance(written, ast.Select) else to_text(written)


def _table(view: str, name: str) -> str:
    return name if view == "user" else f"committed view of {name}"


def _range(access: HistoryScan) -> str:
    if access.start is None:
        return ""
    return f", revisions active from {to_text(access.start)}" + (
        "" if access.end is None else f" to {to_text(access.end)}"
    )


def _nested(expression: object, depth: int) -> Iterator[Line]:
    """The nested queries of an expression."""
    for node in walk(expression, stop_at=Subquery):
        if isinstance(node, Subquery):
            yield depth, "nested query"
            yield from _relation(node.query.relation, depth + 1)
            yield from _nested((node.query.projection, node.query.aggregates), depth + 1)
