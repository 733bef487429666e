"""Faults over HTTP: the admin requests, the client, the command; all of it is off by default."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.local_driver import CONTEXT

from qldb_emulator.admin import Admin, AdminError
from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    has_admin = getattr(request, "param", True)
    with Emulator(Settings(is_ephemeral=True, has_admin=has_admin)) as emulator:
        emulator.call("CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"}, CONTEXT)
        with Server(create_dispatcher(emulator)) as server:
            yield server


def ask(server: Server, method: str, path: str, body: str = "", content_type: str = "application/json") -> Any:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": content_type})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null"), reply.headers
    finally:
        connection.close()


def send(server: Server, document: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request("POST", "/", json.dumps(document), {"X-Amz-Target": "QLDBSession.SendCommand"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read()), reply.headers
    finally:
        connection.close()


def test_faults_are_added_listed_and_cleared(server: Server) -> None:
    status, rule, _ = ask(server, "POST", "/_qldb/faults", '{"kind": "rate-exceeded", "count": 1}')
    assert (status, rule["commands"], rule["struck"]) == (200, ["StartSession"], 0)
    status, answer, _ = send(server, {"StartSession": {"LedgerName": "cars"}})
    assert (status, answer["__type"]) == (400, "com.amazonaws.qldbsession#RateExceededException")
    assert send(server, {"StartSession": {"LedgerName": "cars"}})[0] == 200
    assert ask(server, "GET", "/_qldb/faults")[1]["faults"][0]["struck"] == 1
    assert ask(server, "DELETE", f"/_qldb/faults/{rule['id']}")[:2] == (200, {"cleared": 1})
    assert ask(server, "DELETE", "/_qldb/faults")[:2] == (200, {"cleared": 0})


def test_a_dropped_connection_gets_no_byte(server: Server) -> None:
    Admin(server.url).add_fault("drop-before", commands=["StartSession"], count=1)
    with pytest.raises(http.client.RemoteDisconnected):
        send(server, {"StartSession": {"LedgerName": "cars"}})
    assert send(server, {"StartSession": {"LedgerName": "cars"}})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status", "part"),
    [
        ("POST", "/_qldb/faults", "{", "application/json", 400, "not JSON"),
        ("POST", "/_qldb/faults", "[]", "application/json", 400, "must be a JSON object"),
        ("POST", "/_qldb/faults", "{}", "application/json", 400, "kind is required"),
        ("POST", "/_qldb/faults", '{"kind": 1}', "application/json", 400, "kind must be a text"),
        ("POST", "/_qldb/faults", '{"kind": "occ", "count": true}', "application/json", 400, "count must be"),
        ("POST", "/_qldb/faults", '{"kind": "occ", "colour": 1}', "application/json", 400, "no member 'colour'"),
        ("POST", "/_qldb/faults", '{"kind": "occ", "commands": [1]}', "application/json", 400, "list of texts"),
        ("POST", "/_qldb/faults", '{"kind": "nothing"}', "application/json", 400, "no kind of fault 'nothing'"),
        ("DELETE", "/_qldb/faults/fault-9", "", "application/json", 404, "no fault fault-9"),
        ("GET", "/_qldb/nothing", "", "application/json", 404, "There is no"),
        ("PUT", "/_qldb/faults", "", "application/json", 404, "There is no"),
    ],
)
def test_a_wrong_admin_request_is_told_why(
    server: Server, method: str, path: str, body: str, content_type: str, status: int, part: str
) -> None:
    found, answer, _ = ask(server, method, path, body, content_type)
    assert found == status
    assert part in answer["Message"]


@pytest.mark.parametrize("server", [False], indirect=True, ids=["admin off"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_admin_nothing_answers_there(server: Server, method: str) -> None:
    status, answer, headers = ask(server, method, "/_qldb/faults", '{"kind": "occ"}')
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AdminOffException")
    assert "--admin" in answer["Message"]


def test_the_helper_puts_a_fault_around_a_block(server: Server) -> None:
    admin = Admin(server.url + "/")
    with admin.fault("internal-failure", commands=["StartSession"]):
        assert send(server, {"StartSession": {"LedgerName": "cars"}})[0] == 500
    assert send(server, {"StartSession": {"LedgerName": "cars"}})[0] == 200
    assert admin.faults() == []


def test_the_client_reports_mistakes(server: Server) -> None:
    with pytest.raises(AdminError, match="no kind of fault 'nothing'"):
        Admin(server.url).add_fault("nothing")
    with pytest.raises(AdminError, match=r"No emulator answers at http://127\.0\.0\.1:1"):
        Admin("http://127.0.0.1:1").faults()
    with pytest.raises(AdminError, match="No emulator answers at nonsense"):
        Admin("nonsense").faults()


def test_the_command_adds_lists_and_clears(server: Server) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["fault", *arguments, "--url", server.url])
        assert result.exit_code == 0, result.output
        return result.output

    assert run("add", "occ", "--ledger", "cars", "--count", "2", "--probability", "0.5", "--seed", "x") == (
        "fault-1 occ on CommitTransaction ledger=cars count=2 probability=0.5 seed=x struck=0\n"
    )
    assert run("list").startswith("fault-1 occ")
    assert json.loads(run("list", "--json"))[0]["kind"] == "occ"
    assert run("clear", "fault-1") == "cleared 1 fault\n"
    assert run("list") == "no faults\n"


def test_the_command_fails_with_one_sentence(server: Server) -> None:
    result = CliRunner().invoke(main, ["fault", "add", "nothing", "--url", server.url])
    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no kind of fault 'nothing'")


def test_digests_that_differ_are_explained(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    token = send(server, {"StartSession": {"LedgerName": "cars"}})[1]["StartSession"]["SessionToken"]
    started = send(server, {"SessionToken": token, "StartTransaction": {}})[1]["StartTransaction"]
    transaction_id = started["TransactionId"]
    execute = {"TransactionId": transaction_id, "Statement": "SELECT * FROM <<1>>"}
    send(server, {"SessionToken": token, "ExecuteStatement": execute})
    commit = {"TransactionId": transaction_id, "CommitDigest": "AAAA"}
    with caplog.at_level(logging.WARNING):
        status, answer, headers = send(server, {"SessionToken": token, "CommitTransaction": commit})
    assert (status, answer["Message"]) == (400, "Digests don't match")
    assert headers["x-qldb-emulator-digest-received"] == "000000"
    assert len(headers["x-qldb-emulator-digest-expected"]) == 64
    assert len(headers["x-qldb-emulator-statement-hashes"]) == 64
    (record,) = [record for record in caplog.records if "Digests" in record.message]
    assert headers["x-qldb-emulator-digest-expected"] in record.message
    assert f"{headers['x-qldb-emulator-statement-hashes']} 'SELECT * FROM <<1>>'" in record.message
