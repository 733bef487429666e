"""Replays a recorded history serially, in the order of the commits, on plain dictionaries.

Every statement of a committed transaction must have seen exactly what it would have seen had the transactions run one
after the other.  The model shares no code with the engine, and knows nothing of snapshots, marks or indexes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.isolation_workload import Record, Step

ABSENT = "Semantic Error: at line 1"  # No such variable named ...


@dataclass(slots=True)
class Table:
    """documents: id -> document as the running transaction sees it.  touched: the ids that it wrote.

    committed: the documents before it.  revisions: (id, version, document or None).
    """

    status: str = "ACTIVE"
    indexes: list[str] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    committed: dict[str, dict[str, Any]] = field(default_factory=dict)
    revisions: list[tuple[str, int, dict[str, Any] | None]] = field(default_factory=list)


class Refused(Exception):
    """The statement fails; the text is the beginning of its error."""


class Model:
    """A ledger, one transaction at a time.  tables: (name, table), dropped ones included."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, Table]] = []

    def active(self, name: str) -> Table:
        """Return the table of a name."""
        for other, table in self.tables:
            if other == name and table.status == "ACTIVE":
                return table
        raise Refused(ABSENT[:24])

    def execute(self, step: Step) -> list[Any]:
        """Return the rows of a statement.  Raises Refused."""
        table, *arguments = step.arguments
        if step.name in _READS:
            found = self.active(table)
            return _READS[step.name](found, arguments)
        if step.name in _WRITES:
            return self._write(self.active(table), step.name, arguments)
        handler: Callable[[str], list[Any]] = getattr(self, f"_{step.name}")
        return handler(table)

    def _write(self, table: Table, name: str, arguments: list[Any]) -> list[Any]:
        chosen = _WRITES[name](arguments)
        ids = [i for i, document in table.documents.items() if chosen(i, document)]
        table.touched.update(dict.fromkeys(ids))
        for document_id in ids:
            if name.startswith("delete"):
                del table.documents[document_id]
            elif name == "update_all":
                table.documents[document_id]["v"] += arguments[0]
            else:
                table.documents[document_id]["k" if name == "move_key" else "v"] = arguments[0]
        return [{"documentId": document_id} for document_id in ids]

    def insert(self, table: str, document: dict[str, Any], document_id: str) -> None:
        """The id is the engine's choice, so it comes from the record."""
        found = self.active(table)
        found.touched[document_id] = None
        assert not any(document_id in other.documents for _, other in self.tables), "an id was given twice"
        found.documents[document_id] = dict(document)

    def _join(self, _: str) -> list[Any]:
        a, b = self.active("A"), self.active("B")
        return [
            {"av": x["v"], "bv": y["v"]} for x in a.documents.values() for y in b.documents.values() if x["k"] == y["k"]
        ]

    def _catalogue(self, _: str) -> list[Any]:
        return [{"name": n, "status": t.status, "exprs": sorted(f"[{i}]" for i in t.indexes)} for n, t in self.tables]

    def _create_table(self, name: str) -> list[Any]:
        if any(other == name and table.status == "ACTIVE" for other, table in self.tables):
            raise Refused(f"Table with name: USER.{name} already exists"[:24])
        if len(self.tables) == 40:
            raise Refused("Exceeded tables limit: Ledger has"[:24])
        self.tables.append((name, Table()))
        return [{}]

    def _drop_table(self, name: str) -> list[Any]:
        self.active(name).status = "INACTIVE"
        return [{}]

    def _create_index(self, name: str) -> list[Any]:
        table = self.active(name)
        if "k" in table.indexes:
            raise Refused("Index on field k of table"[:24])
        table.indexes.append("k")
        return [{}]

    def commit(self) -> None:
        """Each document that was written gets one revision, unless the transaction itself made and deleted it."""
        for _, table in self.tables:
            for document_id in table.touched:
                after = table.documents.get(document_id)
                if after is not None or document_id in table.committed:
                    version = sum(1 for i, _, _ in table.revisions if i == document_id)
                    table.revisions.append((document_id, version, copy.deepcopy(after)))
            table.touched = {}
            table.committed = copy.deepcopy(table.documents)


def _documents(table: Table, chosen: Callable[[str, dict[str, Any]], bool]) -> list[Any]:
    return [{"doc": document, "id": i} for i, document in table.documents.items() if chosen(i, document)]


def _revisions(table: Table, document_id: str | None = None) -> list[Any]:
    return [
        {"id": i, "version": version, **({} if document is None else {"data": document})}
        for i, version, document in table.revisions
        if document_id in (None, i)
    ]


_READS: dict[str, Callable[[Table, list[Any]], list[Any]]] = {
    "scan": lambda table, _: _documents(table, lambda i, d: True),
    "seek": lambda table, a: _documents(table, lambda i, d: d["k"] == a[0]),
    "seek_in": lambda table, a: _documents(table, lambda i, d: d["k"] in a),
    "fetch": lambda table, a: _documents(table, lambda i, d: i == a[0]),
    "filter": lambda table, a: _documents(table, lambda i, d: d["v"] == a[0]),
    "count": lambda table, _: [{"n": len(table.documents)}],
    "committed": lambda table, _: [row for row in _revisions(table) if _is_latest(table, row) and "data" in row],
    "history": lambda table, _: _revisions(table),
    "history_of": lambda table, a: _revisions(table, a[0]),
}
_WRITES: dict[str, Callable[[list[Any]], Callable[[str, dict[str, Any]], bool]]] = {
    "update_key": lambda a: lambda i, d: d["k"] == a[1],
    "move_key": lambda a: lambda i, d: d["k"] == a[1],
    "update_id": lambda a: lambda i, d: i == a[1],
    "delete_key": lambda a: lambda i, d: d["k"] == a[0],
    "delete_id": lambda a: lambda i, d: i == a[0],
    "update_all": lambda a: lambda i, d: True,
}


def _is_latest(table: Table, row: dict[str, Any]) -> bool:
    return not any(i == row["id"] and version > row["version"] for i, version, _ in table.revisions)


def comparable(step: Step, rows: Sequence[Any]) -> list[str]:
    """Return rows without what the model cannot know and without their order, which nothing promises."""
    if step.name in ("create_table", "drop_table", "create_index"):
        return [str(len(rows))]
    if step.name == "catalogue":
        rows = [
            row
            if "exprs" in row
            else {**_only(row, "name", "status"), "exprs": sorted(i["expr"] for i in row["indexes"])}
            for row in rows
        ]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def _only(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def audit(records: Sequence[Record]) -> list[str]:
    """Return what is wrong with a history: nothing, if it is serializable in the order of its commits."""
    model, wrong = Model(), []
    for record in sorted((r for r in records if r.outcome == "committed"), key=lambda r: r.order):
        for number, step in enumerate(record.steps):
            problem = _check(model, step)
            if problem is not None:
                wrong.append(f"commit {record.order}, statement {number}: {step.name}{step.arguments}: {problem}")
        model.commit()
    return wrong


def _check(model: Model, step: Step) -> str | None:
    try:
        if step.name == "insert":
            model.active(step.arguments[0])
            if step.rows is None:
                return f"failed with {step.error!r}"
            model.insert(step.arguments[0], step.arguments[1], step.rows[0]["documentId"])
            return None
        expected = model.execute(step)
    except Refused as refusal:
        text = str(refusal)
        return None if step.error == text else f"should fail with {text!r}; saw {step.rows}, error {step.error!r}"
    if step.rows is None:
        return f"failed with {step.error!r}; should see {expected}"
    seen, right = comparable(step, step.rows), comparable(step, expected)
    return None if seen == right else f"saw {seen}, should see {right}"
