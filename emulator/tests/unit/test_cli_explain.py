"""``qldb-emulator explain``: plans without a server, from every kind of catalogue; errors for wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.local_driver import CONTEXT, LocalSession

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

STATEMENT = "SELECT * FROM Vehicle WHERE VIN = ? AND Color = ?"
PLAN = """select *
  filter VIN = ? AND Color = ?
    Vehicle: seek Vehicle by index on VIN, VIN = ?
reads the documents of Vehicle with VIN = ?, and any that come to have it
      what the name Vehicle stands for, and its indexes
"""


def explain(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)], input=text)


def test_tables_are_given_as_options() -> None:
    assert explain(STATEMENT, "--table", "Vehicle(VIN)").output == PLAN
    assert explain("-", "--table", "Vehicle ( VIN , Year )", text=STATEMENT).output == PLAN
    assert "scan Vehicle" in explain(STATEMENT, "--table", "Vehicle").output


@pytest.mark.parametrize(
    "rows",
    [
        '[{tableId:"x", name:"Vehicle", indexes:[{indexId:"y", expr:"[VIN]", status:"ONLINE"}], status:"ACTIVE"}]',
        '{name:Vehicle, indexes:[{expr:"[VIN]"}, {expr:"[Color]", status:"BUILDING"}]} {name:"Person"}',
        '{"name": "Vehicle", "indexes": [{"expr": "[VIN]"}]}',
    ],
    ids=["a list", "values", "JSON"],
)
def test_a_catalogue_is_rows_of_user_tables(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "catalogue.ion"
    path.write_text(rows)
    assert explain(STATEMENT, "--catalogue", path).output == PLAN


def test_a_ledger_gives_its_own(tmp_path: Path) -> None:
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        members = {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
        emulator.call("CreateLedger", members, CONTEXT)
        session = LocalSession(emulator, "cars")
        session.run("CREATE TABLE Vehicle")
        session.run("CREATE INDEX ON Vehicle (VIN)")
        assert explain(STATEMENT, "--ledger", "cars", "--data-dir", tmp_path).output == PLAN
    result = explain(STATEMENT, "--ledger", "boats", "--data-dir", tmp_path)
    assert (result.exit_code, "Ledger boats is not found" in result.output) == (3, True)
    nobody = explain("cars", STATEMENT, "--url", "http://127.0.0.1:1")
    assert (nobody.exit_code, "No emulator answers" in nobody.output) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("SELECT FROM x",), 1, "Error: Parser Error: at line 1, column 14: "),
        (("SELECT * FROM x",), 1, "No such variable named 'x'"),
        (("SELECT * FROM x",), 1, "  SELECT * FROM x\n                ^\nName a ledger, or give --table"),
        (("SELECT abs(1) FROM <<1>>",), 1, "No such function: abs"),
        (("SELECT", "*", "FROM", "x"), 2, "Give one statement, in quotes"),
        ((STATEMENT, "--table", "Vehicle(VIN"), 2, "must look like Vehicle or Vehicle(VIN, Color)"),
        ((STATEMENT, "--table", "Vehicle", "--table", "Vehicle"), 2, "table Vehicle is given twice"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], code: int, text: str) -> None:
    result = explain(*arguments)
    assert (result.exit_code, text in result.output) == (code, True), result.output


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("{name:", "is neither Ion nor JSON"),
        ("1", "a row has no name"),
        ("{name:T,status:GONE}", "the row of table T"),
        ("{name:T,indexes:[{expr:VIN}]}", "has no expr such as [VIN]"),
    ],
)
def test_a_wrong_catalogue_is_said(tmp_path: Path, rows: str, text: str) -> None:
    path = tmp_path / "catalogue.ion"
    path.write_text(rows)
    result = explain("SELECT * FROM T", "--catalogue", path)
    assert (result.exit_code, text in result.output) == (1, True), result.output
    assert json.dumps(result.output).count("Traceback") == 0
