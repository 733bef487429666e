"""docs/migrate.md: each command and program runs, and the questions have the same answers in three databases."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from helpers.ledgers import digest
from helpers.local_driver import LocalSession, new_ledger
from helpers.postgres import Postgres, postgres
from helpers.support import ROOT

from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings

PAGE = ROOT / "docs" / "migrate.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
QUESTIONS = [text for language, text in BLOCKS if language == "sql"]
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
URL = "postgresql://localhost/"
MARCH_MS = 1_772_323_200_000  # 2026-03-01, the moment that the page asks about

CARS = [
    "{vin:'A', make:\"Audi\", price:10000.50, mileage:100}",
    "{vin:'B', make:\"Audi\", price:20000.25, mileage:5}",
    '{vin:\'C\', make:"BMW", price:30000.00, mileage:7, owner:{name:"M"}}',
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with changes before and after the moment, its export, and its digest as the AWS CLI prints it."""
    folder = tmp_path_factory.mktemp("migrate")
    clock = ManualClock(MARCH_MS - 50 * 86_400_000, tick_ms=1)
    with Emulator(Settings(data_dir=folder / ".qldb-emulator"), clock, RandomIds(clock, "migrate")) as emulator:
        session = new_ledger(emulator, "cars")
        session.run("CREATE TABLE Car")
        for text in CARS:
            session.run("INSERT INTO Car ?", loads(text))
        for days, statement in (
            (10, "UPDATE Car SET mileage = 200 WHERE vin = 'A'"),
            (30, "UPDATE Car SET mileage = 150 WHERE vin = 'A'"),
            (30, "DELETE FROM Car WHERE vin = 'B'"),
            (10, "UPDATE Car SET price = 31000.75 WHERE vin = 'C'"),
        ):
            clock.advance(days * 86_400)
            LocalSession(emulator, "cars").run(statement)  # the last session has expired
        value, tip = digest(emulator)
    (folder / "digest.json").write_text(
        json.dumps({"Digest": base64.b64encode(value).decode(), "DigestTipAddress": {"IonText": tip}})
    )
    run(folder, "qldb-emulator export cars ./export --format ION_BINARY")
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT / "emulator"), "PYTHONWARNINGS": "ignore"}


def run(folder: Path, command: str) -> str:
    """What a command of the page prints."""
    words = command.replace("qldb-emulator ", f"{sys.executable} -m qldb_emulator ", 1)
    done = subprocess.run(
        words, shell=True, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done.stdout


def program(folder: Path, text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def filled(folder: Path, server: Postgres) -> dict[str, str]:
    """Every command of the page was run, in order.  The URLs of the databases."""
    urls = {name: server.database(name) for name in ("cars", "live")}
    for line in COMMANDS:
        if line.startswith("pip "):
            continue  # installing is what compat_tests/package does
        for name, url in urls.items():
            line = line.replace(f"{URL}{name}", url)
        output = run(folder, line)
        if " verify-tables " in line:
            assert output.startswith("The tables are whole"), output
    return urls


def in_postgresql(url: str, sql: str) -> list[Any]:
    import psycopg

    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()


def in_sqlite(path: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def in_duckdb(folder: Path, sql: str) -> list[Any]:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    with duckdb.connect() as connection:
        for name in ("Car", "Car_history", "blocks"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/cars-parquet/{name}.parquet'")
        found: list[Any] = connection.execute(sql).fetchall()
        return found


def plain(rows: list[Any]) -> list[list[Any]]:
    return [[Decimal(str(v)) if isinstance(v, (int, float, Decimal)) else v for v in row] for row in rows]


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_a_question_has_the_same_answer_everywhere(folder, filled, number):
    sql = QUESTIONS[number]
    expected = plain(in_postgresql(filled["cars"], sql))
    assert expected
    assert plain(in_sqlite(folder / "cars.db", sql)) == expected
    assert plain(in_postgresql(filled["live"], sql)) == expected
    assert plain(in_duckdb(folder, sql)) == expected


def test_the_answers_are_right(folder, filled):
    answers = [plain(in_sqlite(folder / "cars.db", sql)) for sql in QUESTIONS]
    assert answers[0] == [["Audi", 1, 150, 150], ["BMW", 1, 7, 7]]
    assert answers[1] == [["A", 150], ["B", 5], ["C", 7]]
    assert [row[1] for row in answers[2]] == [2, 1, 1]
    assert answers[3] == [["Audi", Decimal("10000.5")], ["BMW", Decimal("31000.75")]]
    assert [(row[0], *row[3:]) for row in answers[4]] == [("A", 200, 150)]
    assert answers[5] == [["A"], ["B"], ["C"]]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_page_runs(folder, filled, number):
    needed = "pyiceberg" if "pyiceberg" in PROGRAMS[number] else "duckdb"
    pytest.importorskip(needed, reason=f"needs {needed}")
    assert program(folder, PROGRAMS[number]).strip() in ("(2,)", "7")
