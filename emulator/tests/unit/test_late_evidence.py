"""Behaviour of the service from evidence that was found late: each test names its source."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest
from helpers.local_driver import CONTEXT, LocalSession, new_emulator, new_ledger

from qldb_emulator.context import RequestContext
from qldb_emulator.engine.control.exports import _check_range
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import loads
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server


@pytest.fixture
def session():
    with new_emulator(has_admin=True) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car << {'n': 1, 'tags': [1, 2]}, {'n': 2, 'tags': [3]} >>")
        yield session


ROWS = {
    "one SET item": ("UPDATE Car SET a = 1", 2),
    "two SET items": ("UPDATE Car SET a = 1, b = 2", 4),
    "two SET items, one document": ("UPDATE Car AS c SET c.a = 1, c.b = 2 WHERE c.n = 1", 2),
    "FROM with two SET items": ("FROM Car AS c WHERE c.n = 2 SET c.a = 1, c.b = 2", 2),
    "several elements, one SET item": ("FROM Car AS c, @c.tags AS t WHERE c.n = 1 SET c.a = t", 1),
    "INSERT INTO": ("FROM Car AS c WHERE c.n = 1 INSERT INTO c.tags VALUE 9", 1),
    "REMOVE": ("UPDATE Car REMOVE n", 2),
    "DELETE": ("DELETE FROM Car", 2),
    "nothing matches": ("UPDATE Car SET a = 1, b = 2 WHERE n = 9", 0),
}


@pytest.mark.parametrize(("statement", "count"), ROWS.values(), ids=ROWS)
def test_a_change_gives_a_row_for_each_document_and_set_item(session, statement, count):
    # The Node tutorial's test "Can renew drivers license", run against AWS; localstack #7433.
    rows = session.run(statement)
    assert [list(row) for row in rows] == [["documentId"]] * count
    by_document = [row["documentId"] for row in rows]
    assert by_document == sorted(by_document, key=by_document.index), "the rows of a document are together"


def test_a_wrong_digest_has_the_code_412(session):
    # An SDK's dump of a real answer, in ion-go #173.
    transaction = session.begin()
    transaction.execute("SELECT * FROM Car")
    with pytest.raises(QldbError) as caught:
        session.send("CommitTransaction", TransactionId=transaction.id, CommitDigest=bytes(32))
    assert (caught.value.message, caught.value.members) == ("Digests don't match", {"Code": "412"})


def test_a_path_that_is_not_there_has_the_recorded_text(session):
    # driver-nodejs #78: the text stands alone, without a category and a place.
    with pytest.raises(QldbError) as caught:
        session.run("FROM Car AS t WHERE t.n = 1 INSERT INTO t.jobs VALUE {'a': 1} AT 0")
    assert caught.value.message == (
        "Document path cannot be resolved: the remaining path was not found: DocumentPath(path=[Index(index=0)])"
    )


def test_genesis_is_of_the_ledgers_creation_time():
    # journal.md 1.5: a stream or export that starts with CreationDateTime must not show it.
    with new_emulator(tick_ms=7) as emulator:
        new_ledger(emulator)
        ledger = emulator.ledgers.find("us-east-1", "cars")
        (_, ion) = next(ledger.file.blocks())
        created = emulator.call("DescribeLedger", {"Name": "cars"}, CONTEXT)["CreationDateTime"]
        assert block_from_ion(loads(ion)).timestamp.epoch_ms() == created


@pytest.mark.parametrize(("ahead_ms", "is_accepted"), [(0, True), (999, True), (1_000, False)])
def test_an_export_until_now_may_end_less_than_a_second_ahead(ahead_ms, is_accepted):
    # journal.md 5.4: the JavaScript SDK rounds times to whole seconds.
    if is_accepted:
        _check_range(0, 5_000 + ahead_ms, 5_000)
        return
    with pytest.raises(QldbError, match="End date cannot be in the future"):
        _check_range(0, 5_000 + ahead_ms, 5_000)


# --- Headers ----------------------------------------------------------------------------------------------------------

GO = "aws-sdk-go-v2/1.22.1 os/linux lang/go#1.21 md/GOOS#linux api/qldbsession#1.18.0"
OTHERS = ["Boto3/1.40.60 md/Botocore#1.40.60", "aws-sdk-js/3.629.0", "aws-sdk-java/2.19.18", ""]


def _failing_statement(server: Server, session: LocalSession, agent: str, statement: str) -> tuple[str | None, dict]:
    transaction = session.begin()
    body = json.dumps(
        {"SessionToken": session.token, "ExecuteStatement": {"TransactionId": transaction.id, "Statement": statement}}
    )
    headers = {"X-Amz-Target": "QLDBSession.SendCommand", "User-Agent": agent}
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    transaction.abort()
    assert response.status == 400
    return response.headers["x-amzn-ErrorType"], answer


def test_the_go_sdk_gets_no_error_type_beside_a_code(session):
    # Public Go programs ask ErrorCode() == "412" of an existing table (wire.md 2.6).
    with Server(create_dispatcher(session._emulator)) as server:
        error_type, answer = _failing_statement(server, session, GO, "CREATE TABLE Car")
        assert (error_type, answer["Code"]) == (None, "412")
        assert answer["__type"] == "com.amazonaws.qldbsession#BadRequestException"
        error_type, answer = _failing_statement(server, session, GO, "SELECT ? FROM Car")
        assert (error_type, "Code" in answer) == ("BadRequestException", False)
        for agent in OTHERS:
            assert _failing_statement(server, session, agent, "CREATE TABLE Car")[0] == "BadRequestException"
        metrics = server._dispatcher.gateway.metrics.text([])
        assert 'outcome="BadRequestException"' in metrics or "BadRequestException" in metrics


# --- Sessions belong to their principal -------------------------------------------------------------------------------


class User:
    """A principal that may do everything."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, action: str, resource: str, account: str) -> None:
        pass


COMMANDS = {
    "StartTransaction": {},
    "ExecuteStatement": {"TransactionId": "x" * 22, "Statement": "SELECT 1 FROM Car"},
    "FetchPage": {"TransactionId": "x" * 22, "NextPageToken": "abcd"},
    "CommitTransaction": {"TransactionId": "x" * 22, "CommitDigest": bytes(32)},
    "AbortTransaction": {},
    "EndSession": {},
}


@pytest.mark.parametrize("has_fault", [False, True], ids=["", "with a fault rule"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("other", [User("eve"), None], ids=["another user", "no user"])
def test_a_session_of_another_principal_is_no_session(session, command, other, has_fault):
    emulator = session._emulator
    if has_fault:
        rule = {"kind": "invalid-session", "commands": ("StartTransaction", "ExecuteStatement")}
        emulator.faults.add(_rule(rule), emulator.ids.new_request_id)

    def context(user: User | None) -> RequestContext:
        return RequestContext(CONTEXT.region, "AKID", CONTEXT.request_id, user)

    maria = LocalSession(emulator, "cars", context(User("maria")))
    with pytest.raises(QldbError) as caught:
        emulator.send_command(command, maria.token, COMMANDS[command], context(other))
    assert caught.value.message == "No such session"
    emulator.faults.clear(None)
    # Another key of the same user goes on with it: the session is untouched.
    emulator.send_command("StartTransaction", maria.token, {}, context(User("maria")))


def _rule(members: dict):
    from qldb_emulator.engine.workbench.faults import Rule

    return Rule(**members)


# --- Impossible names in the admin interface --------------------------------------------------------------------------

NAMES = ["a b", "..", ".", "x" * 300, "\0", "é", "a/b", "-", "~", "a\nb", "../x", "\ud800", "", "²"]
ROUTES = [
    ("POST", "/_qldb/ledgers/{}/fork", {"name": "new"}),
    ("GET", "/_qldb/ledgers/{}/diff?from=0", None),
    ("POST", "/_qldb/ledgers/{}/snapshots", {"name": "new"}),
    ("GET", "/_qldb/ledgers/{}/stream?follow=false", None),
    ("DELETE", "/_qldb/ledgers/cars/snapshots/{}", None),
    ("POST", "/_qldb/ledgers/cars/snapshots/{}/restore", None),
    ("DELETE", "/_qldb/faults/{}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=[row[1] for row in ROUTES])
def test_an_impossible_name_is_not_found(session, method, path, body):
    from urllib.parse import quote

    with Server(create_dispatcher(session._emulator)) as server:
        for name in NAMES:
            text = quote(name.encode("utf-8", "surrogatepass"), safe="")
            connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
            connection.request(method, path.format(text), None if body is None else json.dumps(body))
            status = connection.getresponse().status
            connection.close()
            is_other_route = name == "" and path.endswith("faults/{}")
            assert status == 404 or is_other_route, (name, status)


def test_an_impossible_ledger_in_a_body_is_not_found(session):
    with Server(create_dispatcher(session._emulator)) as server:
        for name in NAMES:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
            connection.request("POST", "/_qldb/reset", json.dumps({"ledger": name}))
            assert connection.getresponse().status == 404, name
            connection.close()


def test_a_directory_has_no_ledger_of_an_impossible_name(session, tmp_path: Path):
    directory = session._emulator.directory
    assert not any(directory.exists("us-east-1", name) for name in NAMES)
    assert not any(directory.has_snapshot("us-east-1", "cars", name) for name in NAMES)
    assert not any(directory.exists(name, "cars") for name in NAMES)
