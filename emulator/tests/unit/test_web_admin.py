"""The admin interface: health, readiness, metrics, who may use the rest, and what wrong requests are told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from local_driver import new_emulator, new_ledger

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
    [("GET", "/_qldb/nothing"), ("PUT", "/_qldb/health"), ("GET", "/_qldb"), ("POST", "/_qldb/a/b/c")],
    ids=["unknown path", "wrong method", "bare prefix", "deep path"],
)
def test_what_is_not_there_is_said_so(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 404
    assert json.loads(answer.data)["Message"].startswith(f"There is no {method} /_qldb")
