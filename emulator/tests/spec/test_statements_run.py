"""Statements that people sent to QLDB: those that ran there run here, and those that failed are refused."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from helpers.local_driver import LocalSession, LocalTransaction, new_emulator, new_ledger
from helpers.statement_corpus import DROPPED, TEXT, document_of, parameters_of, plan_of, tables_of
from helpers.support import SHARED, needs_shared

from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.partiql.syntax import ast

pytestmark = needs_shared

NO_STATEMENTS = {
    "From here, click the button to add your data:": "prose of a page",
    "INSERT INTO v.Owners.SecondaryOwners VALUE ?": "the middle of a statement that is put together from parts",
    "INSERT INTO Person <<\\": "a shell's text with its backslashes",
}
COLLAPSED = {"SELECT TRIM(LEADING FROM ' foobar ') FROM << 0 >>": "its blanks were lost when it was collected"}


@cache
def _entries() -> list[dict[str, str]]:
    path = SHARED / "statements" / "statements.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [entry for entry in found if not entry["statement"].startswith(tuple(NO_STATEMENTS))]


def _texts(expectation: str) -> list[str]:
    return list(dict.fromkeys(entry["statement"] for entry in _entries() if entry["expect"] == expectation))


def _prepared(session: LocalSession, text: str) -> tuple[str, list[Any]]:
    """Make what a statement needs; the statement with the ids of what there is, and its parameters."""
    found = plan_of(text)
    document, parameters = document_of(found), parameters_of(found)
    statement = found.statement
    names = set(tables_of(text))
    if "user_tables" in text:
        names |= {TEXT, *re.findall(r"name\s*=\s*'(\w+)'", text)}
    if isinstance(statement, ast.CreateTable):
        names -= {statement.name}
    if isinstance(statement, ast.UndropTable) or "history( '" in text:
        names |= {"Dropped"}
    ids = {}
    for name in sorted(names):
        ids[name] = session.run(f'CREATE TABLE "{name}"')[0]["tableId"]
        session.run(f'INSERT INTO "{name}" ?', document)
        if "user_tables" in text:
            session.run(f'CREATE INDEX ON "{name}" (VIN)')
    if isinstance(statement, ast.DropIndex):
        session.run(f'CREATE INDEX ON "{statement.table}" (VIN)')
        [index] = session.run("SELECT VALUE indexes[0].indexId FROM information_schema.user_tables")
        text = text.replace(statement.index_id, index)
    elif "Dropped" in names:
        session.run("DROP TABLE Dropped")
        text = text.replace(DROPPED, ids["Dropped"])
    elif isinstance(statement, ast.Exec):
        return _redaction(session, text, parameters)
    return text, parameters


def _redaction(session: LocalSession, text: str, parameters: list[Any]) -> tuple[str, list[Any]]:
    """Return a revision that may be redacted, in place of the one the statement names."""
    [table] = session.run("CREATE TABLE Redacted")
    [made] = session.run("INSERT INTO Redacted {'a': 1}")
    [address] = session.run("SELECT VALUE blockAddress FROM _ql_committed_Redacted")
    session.run("UPDATE Redacted SET a = 2")
    arguments = f"'{table['tableId']}', '{made['documentId']}'"
    address_text = dumps_text(address)
    text = re.sub(r"'[^']*'\s*,\s*'[^']*'", arguments, text)
    return re.sub(r"`[^`]*`", f"`{address_text}`", text), [address for _ in parameters]


CUT_OFF = "UPDATE DriversLicense AS d SET d.ValidFromDate = ?, d.ValidToDate = ? WHERE d.LicenseNumber"
REFUSED_FOR_DATA = {CUT_OFF: "Expected boolean"}  # the end of the statement is in another string of its program
DEFINITIONS = ("CreateTable", "DropTable", "UndropTable", "CreateIndex", "DropIndex", "Exec")


@cache
def _rows_found(text: str) -> int:
    """Return how many rows a statement gives.  Raises QldbError."""
    with new_emulator() as emulator:
        emulator.clock.advance(5 * 365 * 24 * 3600)  # past every history range that was asked for
        session = new_ledger(emulator, permissions_mode="STANDARD")
        text, parameters = _prepared(session, text)
        return len(session.run(text, *parameters))


@pytest.mark.parametrize("text", _texts("ok"), ids=lambda text: " ".join(text.split())[:80])
def test_a_statement_that_ran_runs(text: str) -> None:
    if text in REFUSED_FOR_DATA:
        with pytest.raises(QldbError, match=REFUSED_FOR_DATA[text]):
            _rows_found(text)
        return
    rows = _rows_found(text)
    if type(plan_of(text).statement).__name__ in DEFINITIONS:
        assert rows == 1


def test_most_of_them_find_the_document_made_for_them() -> None:
    """Or the test above would not have evaluated much.  The others ask for a document by an id that is made up."""
    texts = [text for text in _texts("ok") if text not in REFUSED_FOR_DATA]
    nothing = [text for text in texts if _rows_found(text) == 0]
    assert [text for text in nothing if not re.search(r"\b(\w+_|p|metadata\.)?id\s*=", text)] == []
    assert len(nothing) < len(texts) / 10


VALUE = re.compile(r"value (.*?)(?:; |$)")
VALUES = [
    (entry["statement"], match[1])
    for entry in _entries()
    if entry["expect"] == "ok" and (match := VALUE.match(entry["note"])) and entry["statement"] not in COLLAPSED
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text[:80] for text, _ in VALUES])
def test_a_page_of_the_guide_shows_this_value(text: str, expected: str) -> None:
    with new_emulator() as emulator:
        session = new_ledger(emulator)

        def work(transaction: LocalTransaction) -> tuple[str, Any]:
            [row] = transaction.execute(text)
            return transaction.id, row

        transaction_id, row = session.execute(work)
    if expected == "missing":
        assert row == {}
    elif expected.startswith("current transaction id"):
        assert row == {"_1": transaction_id}
    else:
        assert list(row) == ["_1"]
        assert ion_equal(loads(expected), row["_1"]), row


@pytest.mark.parametrize(
    "entry", [entry for entry in _entries() if entry["expect"] == "error"], ids=lambda entry: entry["statement"][:80]
)
def test_a_statement_that_failed_is_refused_with_its_message(entry: dict[str, str]) -> None:
    text, note = entry["statement"], entry["note"]
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        for name in tables_of(text) if "No such variable" not in note else ():
            session.run(f'CREATE TABLE "{name}"')
        with pytest.raises(QldbError) as caught:
            session.run(text)
    assert caught.value.shape == "BadRequestException"
    for part in re.findall(r"No such variable named '\w+'|expected expression, .* operator", note):
        assert part in caught.value.message


def test_nothing_of_the_corpus_is_left_out_silently() -> None:
    assert len(_texts("ok")) > 300
    assert len(VALUES) > 55
