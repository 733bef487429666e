"""The admin interface: health, readiness, metrics, who may use the rest, and errors for wrong requests."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from helpers.local_driver import new_emulator, new_ledger

from qldb_emulator.admin import Admin, AdminError
from qldb_emulator.compiled import build
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.web.admin import ROUTES
from qldb_emulator.web.app import create_app


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with new_emulator(has_admin=True) as made:
        yield made


@pytest.fixture
def app(emulator: Emulator) -> Flask:
    return create_app(emulator)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_health_says_who_answers(client: FlaskClient) -> None:
    answer = client.get("/_qldb/health")
    assert (answer.status_code, answer.json["status"], answer.json["name"]) == (200, "ok", "qldb-emulator")
    assert answer.json["build"] == build()


def test_ready_follows_the_init_files(app: Flask, client: FlaskClient) -> None:
    admin = app.extensions["qldb_admin"]
    admin.is_ready = False
    assert client.get("/_qldb/ready").status_code == 503
    assert client.get("/_localstack/health").json["services"]["qldb"] == "starting"
    admin.is_ready = True
    assert client.get("/_qldb/ready").status_code == 200
    assert client.get("/_localstack/health").json["services"]["qldb"] == "running"


def test_metrics_count_requests_by_operation_and_outcome(emulator: Emulator, client: FlaskClient) -> None:
    new_ledger(emulator)
    client.get("/ledgers")
    client.get("/ledgers/none")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'qldb_requests_total{operation="ListLedgers",outcome="ok"} 1' in text
    assert 'qldb_requests_total{operation="DescribeLedger",outcome="ResourceNotFoundException"} 1' in text
    assert "qldb_sessions 1" in text
    assert "qldb_blocks 1" in text


def test_every_bucket_includes_the_smaller_ones(app: Flask) -> None:
    metrics = app.extensions["qldb_gateway"].metrics
    for seconds in (0.0005, 0.004, 99.0):
        metrics.observe("X", "ok", seconds)
    lines = [line for line in metrics.text().splitlines() if 'operation="X"' in line and "_bucket" in line]
    counts = [int(line.rsplit(" ", 1)[1]) for line in lines]
    assert counts == sorted(counts)
    assert (counts[0], counts[2], counts[-2], counts[-1]) == (1, 2, 2, 3)


def test_the_index_lists_every_row(client: FlaskClient) -> None:
    assert len(client.get("/_qldb/").json["routes"]) == len(ROUTES)


def test_without_admin_only_open_rows_answer() -> None:
    with new_emulator() as emulator:
        client = create_app(emulator).test_client()
        for route in ROUTES:
            path = route.rule.replace("<name>", "x").replace("<ledger>", "x").replace("<snapshot>", "x")
            if "<" in path:
                continue
            answer = client.open(path, method=route.method)
            assert (answer.status_code == 403) is not route.is_open, route


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/_qldb/nothing"), ("PUT", "/_qldb/health"), ("POST", "/_qldb"), ("POST", "/_qldb/a/b/c")],
    ids=["unknown path", "wrong method", "bare prefix", "deep path"],
)
def test_what_is_not_there_is_said_so(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 404
    assert json.loads(answer.data)["Message"].startswith(f"There is no {method} /_qldb")


def post(client: FlaskClient, path: str, **members: object):
    return client.post(f"/_qldb{path}", json=members)


def test_snapshot_restore_fork_diff_and_reset_over_http(emulator: Emulator, client: FlaskClient) -> None:
    session = new_ledger(emulator)
    session.run("CREATE TABLE Car")
    assert post(client, "/ledgers/cars/snapshots", name="empty").json["blocks"] == 2
    session.run("INSERT INTO Car ?", {"VIN": "1"})
    found = client.get("/_qldb/ledgers/cars/diff?from=empty").json
    assert (found["changes"]["added"], found["documents"][0]["after"]["data"]) == (1, '{VIN:"1"}')
    assert post(client, "/ledgers/cars/fork", name="copy").json["blocks"] == 3
    assert post(client, "/ledgers/cars/snapshots/empty/restore").json["blocks"] == 2
    assert [row["name"] for row in client.get("/_qldb/ledgers").json["ledgers"]] == ["cars", "copy"]
    assert [row["name"] for row in client.get("/_qldb/snapshots?ledger=cars").json["snapshots"]] == ["empty"]
    assert client.delete("/_qldb/ledgers/cars/snapshots/empty").status_code == 200
    assert post(client, "/reset").json == {"deleted": ["cars", "copy"], "seeded": False}


def test_recent_statements_show_parameters_plan_time_and_scans(emulator: Emulator, client: FlaskClient) -> None:
    session = new_ledger(emulator)
    session.run("CREATE TABLE Car")
    session.run("INSERT INTO Car ?", {"VIN": "1"})
    after = client.get("/_qldb/requests").json["last"]
    session.run("SELECT * FROM Car WHERE VIN = ?", "1")
    answer = client.get(f"/_qldb/requests?after={after}").json
    (row,) = answer["statements"]
    assert (row["statement"], row["parameters"], row["scans"]) == ("SELECT * FROM Car WHERE VIN = ?", ['"1"'], ["Car"])
    assert "scan Car" in row["plan"]
    assert row["durationMs"] >= 0
    client.delete("/_qldb/requests")
    assert client.get("/_qldb/requests").json == {"last": after + 1, "statements": []}


def test_a_failed_statement_is_among_them_with_its_error(emulator: Emulator, client: FlaskClient) -> None:
    session = new_ledger(emulator)
    with pytest.raises(Exception, match="No such variable"):
        session.run("SELECT * FROM Nowhere")
    (row,) = client.get("/_qldb/requests").json["statements"]
    assert row["error"]["type"] == "BadRequestException"


def test_of_a_very_large_statement_only_the_beginning_is_kept() -> None:
    with new_emulator() as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car ?", [{"text": "x" * 70_000}])
        row = emulator.statement_log.rows()[-1].members()
        assert (row["parameters"], row["parametersLeftOut"]) == ([], 1)
        with pytest.raises(Exception, match="No such variable"):
            session.run(f"SELECT * FROM Nowhere WHERE a = '{'x' * 70_000}'")
        assert len(emulator.statement_log.rows()[-1].text) == 64 * 1024


def test_the_ring_keeps_the_newest() -> None:
    with new_emulator(statement_log=2) as emulator:
        session = new_ledger(emulator)
        for number in range(3):
            session.run(f"SELECT VALUE {number} FROM information_schema.user_tables")
        assert [row.number for row in emulator.statement_log.rows()] == [2, 3]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/reset", b"{", 400, "the body is not JSON"),
        ("POST", "/reset", b"[]", 400, "the body must be a JSON object"),
        ("POST", "/reset", b'{"seed":1}', 400, "seed must be true or false"),
        ("POST", "/reset", b'{"seed":true}', 400, "nothing to seed with"),
        ("POST", "/reset", b'{"ledger":5}', 400, "a text 'ledger'"),
        ("POST", "/reset", b'{"ledger":"none"}', 404, "is not found"),
        ("POST", "/reset", b'{"Name":"cars"}', 400, "no member 'Name'; it has ledger, seed"),
        ("POST", "/reset?ledger=cars", b"", 400, "no query parameter 'ledger'; it has region"),
        ("DELETE", "/faults?id=fault-1", b"", 400, "no query parameter 'id'; it has none"),
        ("DELETE", "/requests?ledger=cars", b"", 400, "no query parameter 'ledger'; it has none"),
        ("POST", "/ledgers/cars/fork", b'{"name":"copy","Snapshot":"s"}', 400, "no member 'Snapshot'"),
        ("POST", "/ledgers/cars/fork", b"", 400, "a text 'name'"),
        ("POST", "/ledgers/cars/fork", b'{"name":"a--b"}', 400, ""),
        ("POST", "/ledgers/cars/snapshots", b'{"name":"12"}', 400, "it stands for a block"),
        ("POST", "/ledgers/cars/snapshots", b'{"name":"a/b"}', 400, "cannot be the name of a file"),
        ("GET", "/ledgers/cars/diff", b"", 400, "from is missing"),
        ("GET", "/ledgers/cars/diff?from=now&limit=x", b"", 400, "limit must be a number"),
        ("GET", "/ledgers?region=../etc", b"", 400, "is no region"),
        ("GET", "/ledgers/..%2f..%2fetc/diff?from=now", b"", 404, ""),
        ("POST", "/ledgers/cars/snapshots/none/restore", b"", 404, "has no snapshot none: it has none"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else str(value),
)
def test_wrong_requests_get_one_sentence(
    emulator: Emulator, client: FlaskClient, method: str, path: str, body: bytes, status: int, text: str
) -> None:
    new_ledger(emulator)
    answer = client.open(f"/_qldb{path}", method=method, data=body)
    assert (answer.status_code, text in answer.get_data(as_text=True)) == (status, True), answer.data
    assert [ledger.name for ledger in emulator.ledgers.in_region("us-east-1")] == ["cars"]


def test_a_page_of_another_origin_is_refused(client: FlaskClient) -> None:
    assert client.post("/_qldb/reset", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/_qldb/reset", headers={"Origin": "http://localhost"}).status_code == 200


def test_a_server_that_is_still_at_work_is_not_said_to_be_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AdminError, match=r"has not answered within 0\.1 s; it may still be at work"):
            Admin(url).request("GET", "/faults", seconds=0.1)
    with pytest.raises(AdminError, match="No emulator answers"):
        Admin(url).request("GET", "/faults", seconds=0.1)
