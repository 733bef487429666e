"""Statements that people sent to QLDB: those that ran have a program, those that failed are refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from helpers.partiql_support import MemoryLedger
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.planning.catalogue import TableInfo
from qldb_emulator.partiql.planning.explain import explain

pytestmark = needs_shared

NO_STATEMENTS = {
    "From here, click the button to add your data:": "prose of a page",
    "INSERT INTO v.Owners.SecondaryOwners VALUE ?": "the middle of a statement that is put together from parts",
    "INSERT INTO Person <<\\": "a shell's text with its backslashes",
}
_TABLE = re.compile(r'(?:from|into|update|join|on|table|,)\s+"?([A-Za-z_]\w*)"?', re.IGNORECASE)
_HISTORY = re.compile(r"history\s*\(\s*([A-Za-z_]\w*)", re.IGNORECASE)


def _read(name: str) -> Any:
    path = SHARED / "statements" / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _texts(expectation: str) -> list[str]:
    found = {entry["statement"]: None for entry in _read("statements.json") if entry["expect"] == expectation}
    return [text for text in found if not text.startswith(tuple(NO_STATEMENTS))]


def _ledger(text: str) -> MemoryLedger:
    """Return a ledger with every table that the text may name."""
    ledger = MemoryLedger()
    names = set(_TABLE.findall(text)) | set(_HISTORY.findall(text))
    for name in sorted({name.removeprefix("_ql_committed_") for name in names}):
        ledger.add_table(name)
    dropped = TableInfo("5PLf9SXwndd63lPaSIa0O6", "Dropped", "INACTIVE")
    ledger.catalogue = ledger.catalogue.replace(dropped)
    return ledger


@pytest.mark.parametrize("text", _texts("ok"), ids=lambda text: " ".join(text.split())[:80])
def test_a_statement_that_ran_has_a_program_and_a_plan_to_show(text: str) -> None:
    assert explain(_ledger(text).prepare(text).plan)


@pytest.mark.parametrize("text", _texts("error"), ids=lambda text: " ".join(text.split())[:80])
def test_a_statement_that_failed_is_refused(text: str) -> None:
    ledger = MemoryLedger() if "t" not in text.split() else _ledger(text)
    with pytest.raises(PartiqlError):
        list(ledger.prepare(text).rows((), ledger))


def test_the_talk_about_cars() -> None:
    ledger = MemoryLedger()
    ledger.add_table("cars")
    steps = [entry["statement"] for entry in _read("talk.json")["cars"][1:]]
    insert, update, select, committed, history, delete = steps
    assert ledger.run(insert) == ["cars-0"]
    assert ledger.run(update) == ["cars-0"]
    new = '{Manufacturer:"Tesla",Model:"Model S",Year:2012,VIN:123456789,Owner:"Richard Roe"}'
    assert ledger.query(select) == [new]
    row = next(ledger.prepare(committed).rows((), ledger))
    assert (list(row), row["metadata"]["version"]) == (["blockAddress", "hash", "data", "metadata"], 1)
    owners = [loads(row)["data"]["Owner"] for row in ledger.query(history)]
    assert owners == ["Maria Garcia", "Richard Roe"]
    assert ledger.run(delete) == ["cars-0"]
    assert ledger.query(select) == []
    assert ["data" in loads(row) for row in ledger.query(history)] == [True, True, False]


def test_the_talk_about_nested_documents() -> None:
    talk = _read("talk.json")
    ledger = MemoryLedger()
    ledger.add_table("VehicleRegistration", talk["nested_document"])
    for entry in talk["nested"]:
        expected = [dumps_text(row) for row in loads(entry["rows"])]
        assert ledger.query(entry["statement"]) == expected


def test_the_talk_about_ion_in_a_document() -> None:
    ledger = MemoryLedger()
    ledger.add_table("Vehicle")
    for text in _read("talk.json")["ion_documents"]:
        assert ledger.run(f"INSERT INTO Vehicle {text}") == ["Vehicle-0"]
    assert ledger.query("SELECT MfgDate, Specs.BatterySize, Specs.EngSize FROM Vehicle") == [
        "{MfgDate:2017-03-01,BatterySize:null.int,EngSize:3.3}"
    ]
