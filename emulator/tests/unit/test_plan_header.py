"""The header x-qldb-emulator-plan: only on demand, of a bounded size, the plan and what was read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flask import Flask
from helpers.local_driver import new_emulator, new_ledger
from helpers.wire_support import SESSION_HEADERS, Reply, ask, environ_of

from qldb_emulator.engine.session.plan_header import MAX_CHARACTERS
from qldb_emulator.ion.codec import dumps
from qldb_emulator.web.app import create_app

HEADER = "x-qldb-emulator-plan"


class Wire:
    """A session over HTTP, by hand."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._token = self.send(StartSession={"LedgerName": "cars"}).json["StartSession"]["SessionToken"]
        self._id = self.send(StartTransaction={}).json["StartTransaction"]["TransactionId"]

    def send(self, **command: Any) -> Reply:
        body = command if "StartSession" in command else {"SessionToken": self._token, **command}
        return ask(self._app, environ_of("POST", "/", headers=SESSION_HEADERS, body=json.dumps(body).encode()))

    def execute(self, text: str, *parameters: Any) -> Reply:
        holders = [{"IonBinary": base64.b64encode(dumps(value)).decode()} for value in parameters]
        return self.send(ExecuteStatement={"TransactionId": self._id, "Statement": text, "Parameters": holders})


@pytest.fixture
def wire():
    with new_emulator(shows_plans=True) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Vehicle")
        session.run("CREATE INDEX ON Vehicle (VIN)")
        session.run("INSERT INTO Vehicle <<{'VIN': 'a', 'n': 1}, {'VIN': 'b', 'n': 2}>>")
        yield Wire(create_app(emulator))


@pytest.mark.parametrize(
    ("text", "parameters", "plan", "reads", "read_ios"),
    [
        (
            "SELECT * FROM Vehicle WHERE VIN = ?",
            ["a"],
            ["select *", "  filter VIN = ?", "    Vehicle: seek Vehicle by index on VIN, VIN = ?"],
            ["a key of Vehicle.VIN", "name Vehicle"],
            1,
        ),
        (
            "SELECT n FROM Vehicle",
            [],
            ["select n", "  Vehicle: scan Vehicle"],
            ["every document of Vehicle", "name Vehicle"],
            2,
        ),
        (
            "SELECT VALUE name FROM information_schema.user_tables",
            [],
            ["select value name", "  user_tables: scan information_schema.user_tables"],
            ["catalogue"],
            1,
        ),
        ("1 + 1", [], ["value 1 + 1"], [], 1),
    ],
    ids=["index", "scan", "catalogue", "expression"],
)
def test_the_header_says_how_a_statement_was_read(
    wire: Wire, text: str, parameters: list[Any], plan: list[str], reads: list[str], read_ios: int
) -> None:
    answer = wire.execute(text, *parameters)
    shown = json.loads(answer.headers[HEADER])
    assert (shown["plan"], shown["reads"]) == (plan, reads)
    assert answer.json["ExecuteStatement"]["ConsumedIOs"]["ReadIOs"] == read_ios


def test_the_header_has_a_bound(wire: Wire) -> None:
    values = ", ".join(f"'é{number:060d}'" for number in range(1000))
    by_index = wire.execute(f"SELECT * FROM Vehicle WHERE VIN IN ({values})")
    by_id = wire.execute(f"SELECT * FROM Vehicle BY id WHERE id IN ({values})")
    for answer in (by_index, by_id):
        value = answer.headers[HEADER]
        assert len(value) <= MAX_CHARACTERS
        assert value.isascii()
        assert "..." in value


def test_only_a_server_that_was_told_sends_it() -> None:
    with new_emulator(has_admin=True) as emulator:
        new_ledger(emulator)
        assert HEADER not in Wire(create_app(emulator)).execute("1 + 1").headers
