"""``verify-tables`` finds every changed cell: each column of each table, in each kind of target, one cell at a time."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.ledgers import busy_ledger, digest
from helpers.postgres import Postgres, postgres_if_installed

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import loads
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.settings import Settings
from qldb_emulator.tables import TargetError, csv_files, open_target, postgresql, verify_tables
from qldb_emulator.tables import sqlite as sqlite_target
from qldb_emulator.tables.build import Options, build_tables
from qldb_emulator.tables.layout import BLOCKS, VERIFICATION, Columns, layouts_from_plain
from qldb_emulator.tables.texts import date_text, time_text
from qldb_emulator.verify import SavedDigest, Source, choose_journal

KINDS = ["parquet", "csv", "sqlite", "postgresql"]
EVERY_TYPE = [
    '{i:1, price:1.50, f:1.5e0, s:"x", empty:"", b:true, t:2020-02-29T12:00:00.120Z, d:2020-02-29, blob:{{AAE=}}}',
    "{i:null, price:null, f:null, s:null, empty:null, b:null, t:null, d:null, blob:null, wide:12345678901234567890.5}",
    '{i:2, price:1.5, f:2.5e0, s:"y", empty:"", b:false, t:2020-02-29T12:00Z, d:2020-03-01, blob:{{AAI=}}, wide:1d-20}',
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres | None]:
    with postgres_if_installed() as running:
        yield running


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SavedDigest]:
    """A journal with every kind of transaction and of field, and its digest."""
    folder = tmp_path_factory.mktemp("altered")
    with Emulator(Settings(data_dir=folder / "data")) as emulator:
        session = busy_ledger(emulator)
        session.run("CREATE TABLE Every")
        for text in EVERY_TYPE:
            session.run("INSERT INTO Every ?", loads(text))
        session.run("UPDATE Every AS e SET e.s = 'z' WHERE e.i = 2")
        value, tip = digest(emulator)
    made = CliRunner().invoke(main, ["export", "cars", str(folder / "export"), "--data-dir", str(folder / "data")])
    assert made.exit_code == 0, made.output
    address = loads(tip)
    return folder / "export", SavedDigest(value, BlockAddress(address["strandId"], address["sequenceNo"]))


def write(export: Path, target: str) -> None:
    source = Source(str(export))
    container, opened = source.open(), open_target(target)
    try:
        build_tables(source, container, choose_journal(container), opened, Options())
    finally:
        opened.close()
        container.close()


def verdict(target: str, kept: SavedDigest) -> str:
    """Whole, broken, incomplete; "refused" when the tables cannot be read at all."""
    try:
        opened = open_target(target)
        try:
            return verify_tables(opened, kept).verdict
        finally:
            opened.close()
    except TargetError:
        return "refused"


# --- One cell ----------------------------------------------------------------------------------------------------


class Cells:
    """A whole target, and copies of it with one cell changed.  Values are as the package reads them."""

    def __init__(self, target: str) -> None:
        self.target = target
        opened = open_target(target)
        try:
            about = json.loads(opened.verification()["tables"])
            self.tables: dict[str, Columns] = {"blocks": BLOCKS, "_verification": VERIFICATION}
            for layout in layouts_from_plain(about["tables"], opened.dialect):
                self.tables[layout.history] = layout.history_columns
                if not opened.has_views:
                    self.tables[layout.current] = layout.current_columns
            self.rows = {name: list(opened.read(name, self.tables[name])) for name in list(self.tables)[2:]}
            self.rows["_verification"] = [tuple(opened.verification().values())]
            self.rows["blocks"] = list(opened.read("blocks", BLOCKS))
        finally:
            opened.close()

    @contextmanager
    def changed(self, table: str, row: int, column: str, value: Any) -> Iterator[str]:
        """A target that has another value in a cell."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of connections."""


class FileCells(Cells):
    """A directory or a file, which is copied."""

    @contextmanager
    def changed(self, table: str, row: int, column: str, value: Any) -> Iterator[str]:
        kind, _, path = self.target.partition(":")
        copied = Path(f"{path}-altered")
        (shutil.copytree if Path(path).is_dir() else shutil.copy)(path, copied)
        columns = self.tables[table]
        number = [name for name, _ in columns].index(column)
        try:
            {"csv": in_csv, "parquet": in_parquet, "sqlite": in_sqlite}[kind](
                copied, table, row, number, columns, value
            )
            yield f"{kind}:{copied}"
        finally:
            shutil.rmtree(copied) if copied.is_dir() else copied.unlink()


def in_csv(folder: Path, table: str, row: int, number: int, columns: Columns, value: Any) -> None:
    path = folder / f"{table}.csv"
    text = path.read_bytes().decode()
    fields = re.findall(r'("(?:[^"]|"")*"|[^,\r\n]*)(?:,|\r\n)', text)
    position = (row + 1) * len(columns) + number
    fields[position] = "" if value is None else csv_files.FORMAT[columns[number][1]](value)
    lines = [",".join(fields[start : start + len(columns)]) for start in range(0, len(fields), len(columns))]
    path.write_text("".join([f"{line}\r\n" for line in lines]), encoding="utf-8", newline="")


def in_parquet(folder: Path, table: str, row: int, number: int, columns: Columns, value: Any) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = folder / f"{table}.parquet"
    found = parquet.read_table(path)
    field = found.schema.field(number)
    values = found.column(number).cast(arrow.int64()) if columns[number][1] == "TIME" else found.column(number)
    listed = values.to_pylist()
    is_decimal = value is not None and arrow.types.is_decimal(field.type)
    listed[row] = Decimal(value) if is_decimal else value
    if columns[number][1] == "DATE":
        listed = [each if each is None or isinstance(each, int) else each.toordinal() - 719163 for each in listed]
    parquet.write_table(found.set_column(number, field, arrow.array(listed, field.type)), path)


def in_sqlite(path: Path, table: str, row: int, number: int, columns: Columns, value: Any) -> None:
    name, kind = columns[number]
    convert = sqlite_target.STORED.get(kind, lambda value: value)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        place = f'SELECT rowid FROM "{table}" ORDER BY rowid LIMIT 1 OFFSET {row}'
        stored = None if value is None else convert(value)
        connection.execute(f'UPDATE "{table}" SET "{name}" = ? WHERE rowid = ({place})', (stored,))


class DatabaseCells(Cells):
    """A database, each of whose tables has a copy to go back to."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        psycopg = pytest.importorskip("psycopg")
        self.connection = psycopg.connect(target, autocommit=True)
        self.connection.execute("CREATE SCHEMA kept")
        for table in self.tables:
            self.connection.execute(f'CREATE TABLE kept."{table}" AS SELECT * FROM "{table}"')

    @contextmanager
    def changed(self, table: str, row: int, column: str, value: Any) -> Iterator[str]:
        kind = dict(self.tables[table])[column]
        execute = self.connection.execute
        stored = {"TIME": time_text, "DATE": date_text}.get(kind, lambda value: value)
        place = f'SELECT ctid FROM "{table}" LIMIT 1 OFFSET {row}'
        mark = f"%s::{postgresql.TYPES[kind]}"
        execute(
            f'UPDATE "{table}" SET "{column}" = {mark} WHERE ctid = ({place})',
            (None if value is None else stored(value),),
        )
        try:
            yield self.target
        finally:
            execute(f'TRUNCATE "{table}"')
            execute(f'INSERT INTO "{table}" SELECT * FROM kept."{table}"')

    def close(self) -> None:
        self.connection.close()


def other_values(kind: str, value: Any, keeps_scale: bool) -> list[Any]:
    """What a cell is changed to."""
    if value is None:
        by_kind = {
            "TEXT": ["", "x"],
            "JSON": ["{}"],
            "BYTES": [b"", b"x"],
            "DECIMAL": ["1.5"],
            "FLOAT": [0.0],
            "BOOL": [False],
        }
        return by_kind.get(kind, [0])
    if kind == "TEXT" or kind == "JSON":
        return [None, value + (" " if kind == "JSON" else "x"), *([""] if kind == "TEXT" and value else [])]
    if kind == "DECIMAL":
        scaled = f"{value}0" if "." in value else f"{value}.0"
        return [None, str(Decimal(value) + 1), *([scaled] if keeps_scale else [])]
    if kind == "BYTES":
        return [None, bytes([value[0] ^ 1]) + value[1:] if value else b"x"]
    return [None, not value if kind == "BOOL" else value + 1]


def server_refuses() -> type[Exception]:
    found: type[Exception] = pytest.importorskip("psycopg").errors.IntegrityError
    return found


CLAIMS = ("program", "source", "report")
"""What ``_verification`` says that nothing in the tables can confirm."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_cell_is_found(kind, export, server, tmp_path):
    if kind == "postgresql" and server is None:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    folder, kept = export
    target = server.database("altered") if kind == "postgresql" and server else f"{kind}:{tmp_path / 'target'}"
    write(folder, target)
    assert verdict(target, kept) == "whole"
    cells: Cells = (DatabaseCells if kind == "postgresql" else FileCells)(target)
    missed, tried = [], 0
    refused = (sqlite3.IntegrityError, *(() if server is None else (server_refuses(),)))
    for table, columns in cells.tables.items():
        for number, (column, column_kind) in enumerate(columns):
            if column in CLAIMS:
                continue
            seen = set()
            for row, values in enumerate(cells.rows[table]):
                if (values[number] is None) in seen:
                    continue
                seen.add(values[number] is None)
                for value in other_values(column_kind, values[number], kind != "parquet"):
                    tried += 1
                    try:
                        with cells.changed(table, row, column, value) as altered:
                            if verdict(altered, kept) not in ("broken", "refused"):
                                missed.append((table, column, values[number], value))
                    except refused:
                        continue  # a key of the database does not allow it
    cells.close()
    assert missed == []
    assert tried > 100
