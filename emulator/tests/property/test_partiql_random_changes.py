"""Random UPDATE, DELETE and FROM-first statements: the compiled program changes what a naive model changes.

The model evaluates conditions and values with the reference evaluator and edits plain copies of the documents.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from helpers.partiql_maker import Maker
from helpers.partiql_reference import Names, Reference, flat
from helpers.partiql_support import MemoryLedger
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dumps_text
from qldb_emulator.partiql.execution.expressions import to_ion
from qldb_emulator.partiql.language import semantics
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING
from qldb_emulator.partiql.syntax import ast
from qldb_emulator.partiql.syntax.parser import parse

FIELDS = ("a", "b", "c", '"b"', "B", "s.a", "s.x", "s.n", "l", "s")
DELETED = "deleted"
GONE = object()  # an element that is removed: positions are those before the statement, so it keeps its place


class ChangeMaker(Maker):
    """Makes statements about one table, T, as t."""

    def statement(self) -> str:
        truth = self.truth(["t"], 1)
        where = self.pick("", "", f" WHERE {truth}", f" WHERE {self.lookup(['t'])} AND {truth}")
        operation = self.operation()
        return str(
            self.pick(
                f"DELETE FROM T AS t BY tid{where}",
                f"UPDATE T AS t BY tid {operation}{where}",
                f"UPDATE T AS t BY tid {operation}{where}",
                f"FROM T AS t BY tid{where} {operation}",
            )
        )

    def nested(self) -> str:
        """About the elements of the documents' lists, too."""
        names = ["t", "x"]
        value, other = self.value(names, 1), self.value(names, 1)
        where = self.pick("", f" WHERE {self.truth(names, 1)}", f" WHERE x.a = {value}", " WHERE i > 0")
        operation = self.pick(
            f"SET x = {value}",
            f"SET x.a = {value}",
            f"SET x.b = {value}, t.c = {other}",
            "REMOVE x",
            "REMOVE x.a",
            f"SET t.b = {value}",
        )
        return f"FROM T AS t BY tid, {self.pick('@', '')}t.l AS x AT i{where} {operation}"

    def operation(self) -> str:
        value = self.value(["t"], 1)
        assignments = ", ".join(
            f"{self.pick('t.', '')}{field} = {self.value(['t'], 1)}"
            for field in self.random.sample(("a", "b", "c", "s.a", "s.n"), self.pick(1, 1, 2, 3))
        )
        return str(
            self.pick(
                f"SET {assignments}",
                f"SET {assignments}",
                f"SET {self.pick('t.', '')}{self.pick(*FIELDS)} = {value}",
                f"SET t.l[{self.pick(0, 1, 3)}] = {value}",
                f"SET t = {{'a': {value}, 'new': 1}}",
                f"REMOVE t.{self.pick(*FIELDS)}",
                f"REMOVE t.l[{self.pick(0, 1)}]",
                "REMOVE t",
                f"INSERT INTO t.l VALUE {value}",
                f"INSERT INTO t.l VALUE {value} AT {self.pick(0, 1, 2)}",
                f"INSERT INTO t.l VALUE 'new' AT {self.pick(0, 1, 2)}",
                f"INSERT INTO t.s VALUE {value} AT {self.pick(chr(39) + 'k' + chr(39), chr(39) + 'a' + chr(39))}",
            )
        )


class Failed(Exception):
    """The model finds that the statement cannot be carried out."""


def key_of(container: Any, step: ast.Step, reference: Reference, names: Names) -> Any:
    """Return where a step leads in a container: the key that is there, or the one it would have."""
    if isinstance(step, ast.IndexStep):
        return reference.value(step.index, names)
    if isinstance(container, dict) and step.name not in container and not step.is_quoted:
        return next((name for name in container if name.lower() == step.name.lower()), step.name)
    return step.name


def there(container: Any, key: Any) -> bool:
    if isinstance(container, dict):
        return key in container
    return isinstance(container, list) and isinstance(key, int) and key < len(container)


def edited(document: Any, operation: ast.Operation, reference: Reference, names: Names) -> Any:
    """Return a document after an operation.  Raises Failed; PartiqlError for values that cannot be evaluated."""
    box: dict[str, Any] = {"t": document}  # the whole document is a place, too

    def place(target: ast.Expr) -> tuple[Any, Any]:
        steps = list(target.steps) if isinstance(target, ast.Path) else []
        root = target.root if isinstance(target, ast.Path) else target
        assert isinstance(root, ast.Variable)
        container: Any = box
        key: Any = "t"
        if root.name == "x":
            container, key = document["l"], names.values["i"]
        elif root.name != "t":
            steps.insert(0, ast.FieldStep(root.name, root.is_quoted))
        for step in steps:
            if not there(container, key):
                raise Failed
            container = container[key]
            key = key_of(container, step, reference, names)
        return container, key

    def value_of(node: ast.Expr) -> Any:
        value = reference.value(node, names)
        return value if value is MISSING else to_ion(value)

    if isinstance(operation, ast.SetOperation):
        for assignment in operation.assignments:
            value = value_of(assignment.value)
            container, key = place(assignment.target)
            if container is box and not isinstance(value, dict):
                raise Failed
            put(container, key, value)
    elif isinstance(operation, ast.RemoveOperation):
        try:
            container, key = place(operation.target)
        except Failed:
            return document
        if container is box:
            return DELETED
        if isinstance(operation.target, ast.Variable):
            container[key] = GONE
        elif there(container, key):
            del container[key]
    else:
        value = value_of(operation.value)
        container, key = place(operation.target)
        if not there(container, key):
            raise Failed
        target, at = container[key], None if operation.at is None else reference.value(operation.at, names)
        if isinstance(target, list) and not isinstance(at, str) and (at is None or at <= len(target)):
            target.insert(len(target) if at is None else at, None if value is MISSING else value)
        elif isinstance(target, dict) and isinstance(at, str):
            target[at] = None if value is MISSING else value
        else:
            raise Failed
    return box["t"]


def put(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, dict) and isinstance(key, str):
        if value is MISSING:
            container.pop(key, None)
        else:
            container[key] = value
    elif isinstance(container, list) and isinstance(key, int):
        value = None if value is MISSING else value
        if key < len(container):
            container[key] = value
        else:
            container.append(value)
    else:
        raise Failed


def model(statement: ast.Update | ast.Delete, reference: Reference) -> list[tuple[str, str]] | None:
    """(document id, Ion text or DELETED) of every change; None when a condition fails: an index may spare that."""
    items = list(flat(statement.source))
    found = []
    try:
        for row in reference.rows(items, Names(source_count=len(items))):
            if statement.where is None or semantics.is_true(reference.value(statement.where, row)):
                found.append(row)
    except PartiqlError:
        return None
    documents: dict[str, Any] = {}
    for row in found:
        document_id, elements = row.values["tid"], row.values.get("i")
        if elements is MISSING:
            continue  # the document has no list: nothing to change in it
        before = documents.get(document_id, deepcopy(row.values["t"]))
        if isinstance(statement, ast.Delete):
            documents[document_id] = DELETED
        else:
            [operation] = statement.operations
            documents[document_id] = edited(before, operation, reference, row)
    for document in documents.values():
        if isinstance(document, dict) and isinstance(document.get("l"), list):
            document["l"][:] = [element for element in document["l"] if element is not GONE]
    return [(key, document if document is DELETED else dumps_text(document)) for key, document in documents.items()]


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**48))
def test_compiled_changes_agree_with_the_model(seed: int) -> None:
    maker = ChangeMaker(seed)
    text = maker.statement() if maker.pick(True, True, False) else maker.nested()
    note(text)
    statement = parse(text)
    assert isinstance(statement, ast.Update | ast.Delete)
    parameters = [maker.pick(maker.scalar(), [maker.scalar(), 1]) for _ in range(statement.parameter_count)]
    ledger = MemoryLedger()
    ledger.add_table("T", maker.document(), *maker.documents(), indexes=["a"])
    before = ledger.current("T")
    try:
        expected = model(statement, Reference(ledger, tuple(parameters)))
    except (Failed, PartiqlError):
        expected = [("error", "")]
    if expected is None:
        event("a condition fails")
        return
    try:
        changes = ledger.changes(text, *parameters)
        actual = [
            (str(change.document_id), DELETED if change.kind == "delete" else dumps_text(change.value))
            for change in changes
        ]
    except PartiqlError:
        actual = [("error", "")]
    event("refused" if expected[:1] == [("error", "")] else "changes" if expected else "no changes")
    assert expected == actual
    assert before == ledger.current("T")
