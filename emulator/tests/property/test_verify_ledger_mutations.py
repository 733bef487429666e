"""No row of a ledger file can be changed, deleted or added without a finding of ``verify``.

Every table and every column of the schema is read from SQLite itself, so a new one is tested from its first day.
What a change cannot be seen in is named in UNSEEN, with the reason.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.changing_ledger import CHANGES, Model
from helpers.ledgers import busy_ledger, digest
from helpers.local_driver import CONTEXT, REGION, LocalSession
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.cli.options import Unreadable
from qldb_emulator.cli.verify import audit_ledger_file
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings
from qldb_emulator.storage.schema import LIVE, create_schema
from qldb_emulator.verify.ledger import REQUIRED_FACTS, UNPROVED

DROPPED = f"index_no NOT IN (SELECT index_no FROM index_version WHERE until_seq = {LIVE})"


def schema() -> dict[str, list[str]]:
    """Table -> its stored columns."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_schema(connection, {})
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
    connection.close()
    return found


SCHEMA = schema()


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with rows of every kind, also of live and of dropped indexes."""
    root = tmp_path_factory.mktemp("data")
    clock = ManualClock(tick_ms=1)
    with Emulator(Settings(data_dir=root), clock, RandomIds(clock, "mutations")) as emulator:
        session = busy_ledger(emulator)
        session.run("CREATE INDEX ON Car (vin)")
        session.run("CREATE INDEX ON Owner (name)")
        session.run("UPDATE Car SET vin = 'D4' WHERE vin = 'B2'")
        session.run("INSERT INTO Owner {'name': 'last'}")
    return root / REGION / "cars.qldb"


def rows_of(path: Path, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of a table's key columns, and the keys of its rows, but for entries of dropped indexes (UNPROVED)."""
    connection = sqlite3.connect(path)
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
    where = f"WHERE NOT {DROPPED}" if table == "index_entry" else ""
    rows = connection.execute(f"SELECT {', '.join(keys)} FROM {table} {where}").fetchall()
    connection.close()
    return keys, rows


def values_of(path: Path, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What a query returns."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, parameters).fetchall()


def changed(path: Path, copy: Path, sql: str, parameters: tuple[Any, ...]) -> Path:
    """Return a copy of the file in which one statement was run."""
    for left in copy.parent.glob(f"{copy.name}*"):
        left.unlink()
    shutil.copyfile(path, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        assert connection.execute(sql, parameters).rowcount == 1
    return copy


def is_found(path: Path) -> bool:
    """Whether verify exits with 1 (broken), or says that the file cannot be read."""
    try:
        return audit_ledger_file(path, "a changed ledger").verdict == "broken"
    except Unreadable:
        return True


def others(value: Any) -> Iterator[Any]:
    """Yield values that differ from this one by little, and by type."""
    if isinstance(value, int):
        yield from (value + 1, value - 1, value ^ (1 << 20), str(value) + "x", None)
    elif isinstance(value, str):
        yield from (value + "x", value.swapcase() if value.swapcase() != value else "y", value.encode(), None)
    elif isinstance(value, bytes):
        middle = len(value) // 2
        yield from (value + b"\0", value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :], b"", None)
    else:
        yield from (0, b"\x0f", "text")


def test_the_whole_ledger_is_whole_and_stays_as_it_is(ledger_file: Path) -> None:
    before = ledger_file.read_bytes()
    report = audit_ledger_file(ledger_file, "a ledger")
    assert (report.verdict, report.findings) == ("whole", ())
    assert ledger_file.read_bytes() == before
    assert [path.name for path in ledger_file.parent.iterdir()] == ["cars.qldb"]


def test_every_table_has_rows_here(ledger_file: Path) -> None:
    assert {table: bool(rows_of(ledger_file, table)[1]) for table in SCHEMA} == dict.fromkeys(SCHEMA, True)


@pytest.mark.parametrize("table", sorted(SCHEMA.keys() - {"meta"}))
def test_no_deleted_row_goes_unseen(ledger_file: Path, tmp_path: Path, table: str) -> None:
    keys, rows = rows_of(ledger_file, table)
    where = " AND ".join(f"{key} = ?" for key in keys)
    unseen = [
        row
        for row in rows
        if not is_found(changed(ledger_file, tmp_path / "copy.qldb", f"DELETE FROM {table} WHERE {where}", row))
    ]
    assert unseen == []


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in sorted(SCHEMA.keys() - {"meta"}) for column in SCHEMA[table]]
)
def test_no_changed_column_goes_unseen(ledger_file: Path, tmp_path: Path, table: str, column: str) -> None:
    keys, rows = rows_of(ledger_file, table)
    where = " AND ".join(f"{key} = ?" for key in keys)
    unseen, tried = [], 0
    # Every kind of row is among these: each table's first, last and some between.
    for row in dict.fromkeys((*rows[:3], rows[len(rows) // 2], *rows[-3:])):
        ((value,),) = values_of(ledger_file, f"SELECT {column} FROM {table} WHERE {where}", row)
        for other in others(value):
            try:
                copy = changed(
                    ledger_file,
                    tmp_path / "copy.qldb",
                    f"UPDATE {table} SET {column} = ? WHERE {where}",
                    (other, *row),
                )
            except (sqlite3.IntegrityError, sqlite3.DataError):
                continue  # SQLite itself allows no such row
            tried += 1
            if not is_found(copy):
                unseen.append((row, value, other))
    assert tried
    assert unseen == []


@pytest.mark.parametrize("table", sorted(SCHEMA.keys() - {"meta", "block"}))
def test_no_added_row_goes_unseen(ledger_file: Path, tmp_path: Path, table: str) -> None:
    keys, rows = rows_of(ledger_file, table)
    columns = ", ".join(SCHEMA[table])
    first = keys[0]
    shown = ", ".join(
        f"{column} + 1000" if column == first else f"{column} || 'x'" if column in ("table_id", "index_id") else column
        for column in SCHEMA[table]
    ).replace("document_id,", "document_id || 'x'," if table == "document" else "document_id,")
    where = " AND ".join(f"{key} = ?" for key in keys)
    sql = f"INSERT INTO {table} ({columns}) SELECT {shown} FROM {table} WHERE {where}"
    assert is_found(changed(ledger_file, tmp_path / "copy.qldb", sql, rows[-1]))


@pytest.mark.parametrize("table", ["block", "revision", "document", "index_entry"])
def test_a_report_is_the_same_as_with_every_block_decoded(ledger_file, tmp_path, monkeypatch, table) -> None:
    keys, rows = rows_of(ledger_file, table)
    where = " AND ".join(f"{key} = ?" for key in keys)
    for column in SCHEMA[table]:
        ((value,),) = values_of(ledger_file, f"SELECT {column} FROM {table} WHERE {where}", rows[-1])
        sql = f"UPDATE {table} SET {column} = ? WHERE {where}"
        copy = changed(ledger_file, tmp_path / "copy.qldb", sql, (next(others(value)), *rows[-1]))
        with monkeypatch.context() as patch:
            patch.setattr("qldb_emulator.verify.ledger.read_block", lambda *_: None)
            expected = audit_ledger_file(copy, "a ledger").as_dict()
        assert audit_ledger_file(copy, "a ledger").as_dict() == expected
        assert expected["verdict"] == "broken"


def test_facts_are_not_proved_but_those_that_a_ledger_needs_are_there(ledger_file: Path, tmp_path: Path) -> None:
    """meta is true by itself: which values a ledger was given is in no block (UNPROVED)."""
    assert "meta" in UNPROVED
    copy = tmp_path / "copy.qldb"
    for key in REQUIRED_FACTS:
        assert is_found(changed(ledger_file, copy, "DELETE FROM meta WHERE key = ?", (key,))), key
        for value in ("not JSON", json.dumps([1])):
            assert is_found(changed(ledger_file, copy, "UPDATE meta SET value = ? WHERE key = ?", (value, key))), key
    other = json.dumps("another strand")
    assert is_found(changed(ledger_file, copy, "UPDATE meta SET value = ? WHERE key = 'strand_id'", (other,)))


def test_entries_of_dropped_indexes_may_be_there_or_not(tmp_path: Path) -> None:
    """They wait for the next opening, because an open transaction may still use the index."""
    assert "index_entry of dropped indexes" in UNPROVED
    model = Model(tmp_path)
    model.session.run("CREATE INDEX ON T (k)")
    model.insert(1)
    model.toggle_index(0)
    model.emulator.close()
    path = tmp_path / REGION / "cars.qldb"
    assert audit_ledger_file(path, "").verdict == "whole"
    connection = sqlite3.connect(path)
    assert connection.execute(f"DELETE FROM index_entry WHERE {DROPPED}").rowcount == 1
    connection.commit()
    connection.close()
    assert audit_ledger_file(path, "").verdict == "whole"


def test_a_kept_digest_beyond_the_end_of_the_journal_says_that_blocks_are_missing(tmp_path: Path) -> None:
    clock = ManualClock(tick_ms=1)
    with Emulator(Settings(data_dir=tmp_path), clock, RandomIds(clock, "missing")) as emulator:
        busy_ledger(emulator)
        path = tmp_path / REGION / "cars.qldb"
        early = tmp_path / "early.qldb"
        ledger = emulator.ledgers.find(REGION, "cars")
        assert ledger is not None
        ledger.file.fork(early)
        LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'late'}")
        _, tip = digest(emulator)
        value = emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)["Digest"].hex()
    number = str(loads(tip)["sequenceNo"])
    assert audit_ledger_file(path, "", value, number).verdict == "whole"
    report = audit_ledger_file(early, "", value, number)
    assert report.verdict == "broken"
    (finding,) = report.findings
    assert (finding.check, finding.detail) == ("digest", "the digest kept is of a longer journal")


@settings(max_examples=15, deadline=None)
@given(st.lists(CHANGES, min_size=5, max_size=40))
def test_whatever_was_done_to_a_ledger_it_is_whole(tmp_path_factory: pytest.TempPathFactory, changes: Any) -> None:
    """The second derivation agrees with the first, with redactions, dropped indexes and tables, before a stop and
    after it."""
    model = Model(tmp_path_factory.mktemp("data"))
    model.session.run("CREATE INDEX ON T (k)")
    for name, *arguments in changes:
        getattr(model, name)(*arguments)
    ledger = model.emulator.ledgers.find(REGION, "cars")
    assert ledger is not None
    path = ledger.file.path
    for _ in range(2):
        report = audit_ledger_file(path, "")
        assert (report.verdict, report.findings) == ("whole", ())
        model.emulator.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON revision BEGIN DELETE FROM index_entry; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t (a)",
        "CREATE INDEX i ON document (seq)",
        "DROP INDEX revision_of_block",
        "ALTER TABLE block ADD COLUMN note",
    ],
    ids=lambda sql: " ".join(sql.split()[:2]),
)
def test_what_is_not_of_the_schema_is_found(ledger_file: Path, tmp_path: Path, sql: str) -> None:
    """A trigger would change rows with the next commit, and a view could stand for a table."""
    copy = tmp_path / "changed.qldb"
    shutil.copyfile(ledger_file, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute(sql)
    assert is_found(copy)
