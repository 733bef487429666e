"""Following a ledger gives what ``tables`` gives, whenever it was begun and however the documents change."""

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
from click.testing import CliRunner, Result
from helpers.ledgers import busy_ledger, digest, redact
from helpers.local_driver import LocalSession, new_ledger
from helpers.postgres import Postgres, postgres_if_installed
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings
from qldb_emulator.tables import open_target
from qldb_emulator.tables.layout import layouts_from_plain
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres | None]:
    with postgres_if_installed() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path, server: Postgres | None) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'target.db'}"
    if server is None:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    return server.database("follow")


def named(target: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every history and current state, by the names of columns."""
    opened = open_target(target)
    try:
        layouts = layouts_from_plain(json.loads(opened.verification()["tables"])["tables"], opened.dialect)
        found = {}
        for layout in layouts:
            for name, columns in ((layout.history, layout.history_columns), (layout.current, layout.current_columns)):
                names = [column.lower() for column, _ in columns]
                found[name.lower()] = [
                    dict(zip(names, map(plain, row), strict=True)) for row in opened.read(name, columns)
                ]
        return found
    finally:
        opened.close()


def plain(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else value


def follow(target: str, folder: Path, *options: str) -> None:
    result = run("follow", "cars", "--to", target, "--data-dir", folder, "--once", *options)
    assert result.exit_code == 0, result.output


def same_as_tables(target: str, folder: Path, *options: str) -> None:
    """The target has what ``tables`` would write now."""
    expected = folder.parent / "expected.db"
    expected.unlink(missing_ok=True)
    result = run("tables", "cars", "--to", f"sqlite:{expected}", "--data-dir", folder, *options)
    assert result.exit_code == 0, result.output
    assert named(target) == named(f"sqlite:{expected}")


STEPS = [
    ("INSERT INTO Car {'vin': 'A', 'n': 1, 'x': 'text', 'maybe': null}", ()),
    ("INSERT INTO Car {'vin': 'B', 'n': 2, 'new': `2020-01-01T00:00:00Z`}", ()),
    ("UPDATE Car SET n = 2.50 WHERE vin = 'A'", ()),
    ("UPDATE Car SET x = 7 WHERE vin = 'B'", ()),
    ("UPDATE Car SET maybe = true WHERE vin = 'A'", ()),
    ("UPDATE Car SET n = 'no number' WHERE vin = 'A'", ()),
    ("INSERT INTO Car ?", (loads('{vin:"C", big:123456789012345678901234567890, \'50%\':1, owner:{name:"M"}}'),)),
    ("UPDATE Car SET vin = 'C2' WHERE vin = 'C'", ()),
    ("INSERT INTO Other {'a': 1}", ()),
    ("DELETE FROM Car WHERE vin = 'B'", ()),
    ("SELECT * FROM Car", ()),
]


def test_step_by_step_the_target_is_what_tables_would_write(target, tmp_path):
    """New fields, wider types, types that drift away, deletions, redactions, a table more."""
    folder = tmp_path / "data"
    for number in range(-1, len(STEPS) + 1):
        with Emulator(Settings(data_dir=folder)) as emulator:
            if number < 0:
                session = new_ledger(emulator, "cars")
                session.run("CREATE TABLE Car")
                session.run("CREATE TABLE Other")
            elif number < len(STEPS):
                LocalSession(emulator, "cars").run(STEPS[number][0], *STEPS[number][1])
            else:
                redact(LocalSession(emulator, "cars"), "Car", 0)
        follow(target, folder)
        same_as_tables(target, folder)
    with Emulator(Settings(data_dir=folder)) as emulator:
        value, tip = digest(emulator)
    result = run("verify-tables", target, "--digest", base64.b64encode(value).decode())
    assert result.exit_code == 0, result.output
    assert tip


def test_flattened_and_only_some_tables(target, tmp_path):
    folder = tmp_path / "data"
    with Emulator(Settings(data_dir=folder)) as emulator:
        session = new_ledger(emulator, "cars")
        session.run("CREATE TABLE Car")
        session.run("CREATE TABLE Other")
        session.run("INSERT INTO Car {'owner': {'name': 'M', 'age': 1}}")
        session.run("INSERT INTO Other {'a': 1}")
    follow(target, folder, "--flatten", "--only", "Car")
    same_as_tables(target, folder, "--flatten", "--only", "Car")
    assert named(target)["car"][0]["owner_name"] == "M"
    result = run("follow", "cars", "--to", target, "--data-dir", folder, "--once")
    assert (result.exit_code, "other options" in result.output) == (1, True)


def test_tables_can_be_followed_from_where_they_end(target, tmp_path):
    folder = tmp_path / "data"
    with Emulator(Settings(data_dir=folder)) as emulator:
        busy_ledger(emulator)
    assert run("tables", "cars", "--to", target, "--data-dir", folder).exit_code == 0
    with Emulator(Settings(data_dir=folder)) as emulator:
        session = LocalSession(emulator, "cars")
        session.run("INSERT INTO Car {'vin': 'Z', 'price': 'much'}")
        session.run("UPDATE Car SET owner = 'me' WHERE vin = 'A1'")
    follow(target, folder)
    same_as_tables(target, folder)


def test_another_ledger_or_an_older_state_is_refused(target, tmp_path):
    import shutil

    for name in ("one", "other"):
        with Emulator(Settings(data_dir=tmp_path / name)) as emulator:
            new_ledger(emulator, "cars").run("CREATE TABLE Car")
    shutil.copytree(tmp_path / "one", tmp_path / "before")
    with Emulator(Settings(data_dir=tmp_path / "one")) as emulator:
        LocalSession(emulator, "cars").run("INSERT INTO Car {'a': 1}")
    follow(target, tmp_path / "one")
    before = named(target)
    for name, word in (("other", "strand"), ("before", "does not have")):
        result = run("follow", "cars", "--to", target, "--data-dir", tmp_path / name, "--once")
        assert (result.exit_code, word in result.output) == (1, True), result.output
    with Emulator(Settings(data_dir=tmp_path / "before")) as emulator:
        LocalSession(emulator, "cars").run("INSERT INTO Car {'a': 2}")
    result = run("follow", "cars", "--to", target, "--data-dir", tmp_path / "before", "--once")
    assert (result.exit_code, "another hash" in result.output) == (1, True), result.output
    assert named(target) == before


@pytest.mark.parametrize(
    "target", ["parquet:x", "csv:x", "x", "sqlite:/proc/nowhere/x.db", "postgresql://127.0.0.1:1/x"]
)
def test_targets_that_cannot_follow(target, tmp_path):
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        new_ledger(emulator, "cars")
    result = run("follow", "cars", "--to", target, "--data-dir", tmp_path, "--once")
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output


def test_a_database_of_something_else_is_left_alone(tmp_path):
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        new_ledger(emulator, "cars")
    connection = sqlite3.connect(tmp_path / "mine.db")
    connection.execute("CREATE TABLE mine (a)")
    connection.close()
    result = run("follow", "cars", "--to", f"sqlite:{tmp_path / 'mine.db'}", "--data-dir", tmp_path / "data", "--once")
    assert (result.exit_code, "something else" in result.output) == (1, True)


def test_a_file_that_cannot_be_written_for_the_first_time_is_not_left_behind(tmp_path, monkeypatch):
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        new_ledger(emulator, "cars").run("CREATE TABLE Car")

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("qldb_emulator.tables.sqlite.insert", full)
    result = run("follow", "cars", "--to", f"sqlite:{tmp_path / 'a.db'}", "--data-dir", tmp_path / "data", "--once")
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("steps", [(3, 5), (len(STEPS), 0)])
def test_a_server_is_followed_over_its_api(target, tmp_path, steps):
    """The tables are those of the ledger's file, whichever of both the next step is read from."""
    settings = Settings(data_dir=tmp_path / "data")
    with Emulator(settings) as emulator, Server(create_dispatcher(emulator)) as server:
        session = new_ledger(emulator, "cars")
        session.run("CREATE TABLE Car")
        session.run("CREATE TABLE Other")
        first, second = steps
        for count in (first, second):
            for statement, parameters in STEPS[:count]:
                session.run(statement, *parameters)
            result = run("follow", "cars", "--to", target, "--url", server.url, "--once")
            assert result.exit_code == 0, result.output
    same_as_tables(target, tmp_path / "data")
    follow(target, tmp_path / "data")


def test_a_server_that_does_not_answer_or_has_no_such_ledger_is_one_sentence(tmp_path):
    target = tmp_path / "a.db"
    settings = Settings(data_dir=tmp_path / "data")
    with Emulator(settings) as emulator, Server(create_dispatcher(emulator)) as server:
        url = server.url
        result = run("follow", "nothing", "--to", f"sqlite:{target}", "--url", url, "--once")
        assert (result.exit_code, result.output.count("\n")) == (3, 1), result.output
    result = run("follow", "cars", "--to", f"sqlite:{target}", "--url", url, "--once")
    assert (result.exit_code != 0, result.output.count("\n")) == (True, 1), result.output
    assert not target.exists()


# --- Two processes -----------------------------------------------------------------------------------------------

WAITING_FOLLOWER = """
import sys
from qldb_emulator.cli import follow, main
from qldb_emulator.tables import TargetError

run = follow._run

def waiting(*arguments):
    print("open", flush=True)
    if sys.stdin.readline() == "leave\\n":
        raise TargetError("it was told to leave")
    run(*arguments)

follow._run = waiting
main()
"""
"""``qldb-emulator`` that tells when ``follow`` has opened its target, and then waits for a line."""


def waiting_follower(target: str, folder: Path) -> subprocess.Popen[str]:
    """A follower in a process of its own, its target open."""
    words = ["follow", "cars", "--to", target, "--data-dir", str(folder), "--once"]
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING_FOLLOWER, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "emulator")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


@pytest.mark.parametrize(
    ("first", "second", "second_ends_first"),
    [("leave", "go", False), ("go", "leave", True), ("go", "go", False), ("leave", "leave", False)],
)
def test_two_followers_of_a_new_file_do_not_remove_it_from_under_each_other(tmp_path, first, second, second_ends_first):
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        session = new_ledger(emulator, "cars")
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car {'vin': 'A'}")
    target = f"sqlite:{tmp_path / 'target.db'}"
    followers = [(waiting_follower(target, tmp_path / "data"), order) for order in (first, second)]
    for follower, order in reversed(followers) if second_ends_first else followers:
        _, errors = follower.communicate(f"{order}\n")
        assert follower.returncode == (0 if order == "go" else 1), errors
    if "go" in (first, second):
        same_as_tables(target, tmp_path / "data")
    left = {path.name for path in tmp_path.iterdir()} - {"data", "expected.db"}
    assert left == ({"target.db"} if "go" in (first, second) else set())
