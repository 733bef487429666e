"""SQLite's plans for the queries of the hot path: seeks only, no sorting, no cost for ended rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.storage_steps import Delete, Put, Scribe

from qldb_emulator.storage import LedgerFile, reads

STATEMENTS = {name: sql for name, sql in vars(reads).items() if name.startswith("SQL_")}
# Forty tables at most, and as many times five indexes: read as a whole.
WHOLE_CATALOGUE = {"SQL_TABLES", "SQL_INDEXES"}


@pytest.fixture
def scribe(tmp_path: Path) -> Iterator[Scribe]:
    with LedgerFile.create(tmp_path / "cars.qldb", "off") as file:
        yield Scribe(file)


def query_plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":(\w+)", sql), 1) or [1] * sql.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - WHOLE_CATALOGUE))
def test_every_step_is_a_search_in_an_index(scribe: Scribe, name: str) -> None:
    with scribe.file.write() as writer:
        plan = query_plan(writer.connection(), STATEMENTS[name])
    steps = [step for step in plan if not step.startswith(("CORRELATED SCALAR SUBQUERY", "COMPOUND"))]
    assert steps
    assert [step for step in steps if not step.startswith("SEARCH")] == []


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_nothing_is_sorted_or_indexed_on_the_fly(scribe: Scribe, name: str) -> None:
    with scribe.file.write() as writer:
        plan = query_plan(writer.connection(), STATEMENTS[name])
    assert [step for step in plan if "TEMP B-TREE" in step or "AUTOMATIC" in step] == []


def steps_of(scribe: Scribe, question: str) -> int:
    """Return how many steps of its virtual machine SQLite needs for a question about document a, key k."""
    table_no, at_seq = 1, scribe.next_seq - 1
    (index_no,) = scribe.indexes[table_no]
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with scribe.file.write() as writer:
        ask: Callable[[], object] = {
            "index": lambda: list(writer.seek_index(index_no, [b"k"], at_seq)),
            "document": lambda: list(writer.seek_documents(table_no, ["a"], at_seq)),
            "revision": lambda: writer.revision_at(1, at_seq),
            "past revision": lambda: writer.revision_at(1, 1),
        }[question]
        ask()  # since 3.41 SQLite also counts the steps of preparing a statement, which happens once
        writer.connection().set_progress_handler(step, 1)
        rows = ask()
        writer.connection().set_progress_handler(None, 1)
    assert rows
    return count


QUESTIONS = ["index", "document", "revision", "past revision"]


def test_the_cost_does_not_grow_with_revisions_and_dead_entries(scribe: Scribe) -> None:
    table_no = scribe.table("Cars", ["colour"])
    scribe.block(table_no, Put("a", b"a0", [b"k"]), Put("neighbour", b"", [b"other"]))
    before = {question: steps_of(scribe, question) for question in QUESTIONS}
    for number in range(100):
        scribe.block(table_no, Put("a", b"changed", [b"other"]), Put(f"d{number}", b"", [b"k"]))
        scribe.block(table_no, Put("a", b"changed again", [b"k"]), Delete(f"d{number}"))
    assert before == {question: steps_of(scribe, question) for question in QUESTIONS}
