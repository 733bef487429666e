"""Journal records without Kinesis: server-sent events and lines over HTTP, the command, the file."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.local_driver import CONTEXT, LocalSession, new_emulator, new_ledger

from qldb_emulator.cli import main
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.outgoing import local_streams
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings
from qldb_emulator.storage.errors import StorageError
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

ARN = "arn:aws:qldb:us-east-1:123456789012:stream/cars/local"
SECONDS = 30


@pytest.fixture
def server() -> Iterator[tuple[Server, LocalSession]]:
    with new_emulator(has_admin=True) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car ?", {"n": 1})
        with Server(create_dispatcher(emulator)) as running:
            yield running, session


class Events:
    """A client of server-sent events."""

    def __init__(self, server: Server, query: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
        self._connection.request("GET", f"/_qldb/ledgers/cars/stream{query}", headers=headers)
        self.response = self._connection.getresponse()

    def next(self) -> dict[str, str]:
        """Return the next event as its fields; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if not line and fields:
                return fields
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value

    def close(self) -> None:
        self._connection.close()


def _kind(event: dict[str, str]) -> tuple[str, str | None]:
    record = json.loads(event["data"])
    assert list(record) == ["qldbStreamArn", "recordType", "payload"]
    assert (record["qldbStreamArn"], record["recordType"]) == (ARN, event["event"])
    return event["event"], event.get("id")


def _get(server: Server, query: str, ledger: str = "cars") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)
    connection.request("GET", f"/_qldb/ledgers/{ledger}/stream{query}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_events_of_the_past_and_then_each_new_one(server):
    running, session = server
    events = Events(running)
    assert events.response.headers["Content-Type"] == "text/event-stream"
    expected = [("BLOCK_SUMMARY", "1"), ("BLOCK_SUMMARY", None), ("REVISION_DETAILS", "2")]
    assert expected == [_kind(events.next()) for _ in expected]
    session.run("INSERT INTO Car ?", {"n": 2})
    assert [_kind(events.next()) for _ in range(2)] == [("BLOCK_SUMMARY", None), ("REVISION_DETAILS", "3")]
    events.close()


def test_a_client_that_comes_back_goes_on_where_it_was(server):
    running, _ = server
    events = Events(running, **{"Last-Event-ID": "1"})
    assert _kind(events.next()) == ("BLOCK_SUMMARY", None)
    event = events.next()
    assert json.loads(event["data"])["payload"]["revision"]["data"] == {"n": 1}
    events.close()


def test_without_following_it_ends_with_the_last_block(server):
    status, body = _get(server[0], "?follow=false&format=ndjson&from=1")
    records = [json.loads(line) for line in body.splitlines()]
    kinds = ["BLOCK_SUMMARY", "BLOCK_SUMMARY", "REVISION_DETAILS"]
    assert (200, kinds) == (status, [record["recordType"] for record in records])
    assert records[2]["payload"]["tableInfo"]["tableName"] == "Car"


def test_a_stream_ends_with_its_ledger(server):
    running, session = server
    events = Events(running, "?from=2")
    events.next()
    session._emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
    events.next()
    assert events.response.read() == b""


def test_the_server_stops_although_a_client_listens(server):
    running, _ = server
    events = Events(running)
    events.next()
    running.stop()
    events.response.read()  # to a proper end: a connection that is cut raises IncompleteRead
    assert events.response.isclosed()
    events.close()


BAD = [("?from=x", 400), ("?from=99999999999", 400), ("?follow=maybe", 400), ("?format=xml", 400), ("?region=a/b", 400)]


@pytest.mark.parametrize(("query", "status"), BAD, ids=[row[0] for row in BAD])
def test_bad_questions_have_clear_answers(server, query, status):
    found, body = _get(server[0], query)
    assert status == found
    assert json.loads(body)["Message"]


def test_an_unknown_ledger_is_not_found(server):
    assert _get(server[0], "", ledger="bikes")[0] == 404


def test_documents_are_shown_with_the_admin_interface_only():
    with new_emulator(has_admin=False) as emulator:
        new_ledger(emulator)
        with Server(create_dispatcher(emulator)) as running:
            assert _get(running, "")[0] == 403


# --- The command --------------------------------------------------------------------------------------------------


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["stream", *arguments])


def test_the_command_prints_what_there_is(server):
    running, _ = server
    result = _run("cars", "--from", "2", "--url", running.url)
    assert result.exit_code == 0
    assert [json.loads(line)["recordType"] for line in result.stdout.splitlines()] == [
        "BLOCK_SUMMARY",
        "REVISION_DETAILS",
    ]


def test_the_command_says_what_is_wrong(server):
    running, _ = server
    result = _run("bikes", "--url", running.url)
    assert (result.exit_code, result.stderr) == (1, "Error: The Ledger with name bikes is not found\n")
    result = _run("cars", "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr.startswith("Error: http://127.0.0.1:1 does not send the stream: ")) == (
        3,
        True,
    )
    result = _run("cars", "--url", "nonsense")
    assert (result.exit_code, result.stderr.startswith("Error: nonsense does not send the stream: ")) == (3, True)


# --- The file -----------------------------------------------------------------------------------------------------


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def _numbers(path: Path) -> list[tuple[str, int]]:
    """Return (ledger, sequence number) of every summary."""
    return [
        (line["qldbStreamArn"].split("/")[1], line["payload"]["blockAddress"]["sequenceNo"])
        for line in _lines(path)
        if line["recordType"] == "BLOCK_SUMMARY"
    ]


def test_a_file_gets_the_records_of_every_ledger_up_to_the_last(tmp_path):
    path = tmp_path / "records.ndjson"
    with new_emulator(stream_file=path) as emulator:
        cars, bikes = new_ledger(emulator, "cars"), new_ledger(emulator, "bikes")
        cars.run("CREATE TABLE Car")
        bikes.run("CREATE TABLE Bike")
        cars.run("INSERT INTO Car ?", {"n": 1})
        emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
        assert [row for row in _numbers(path) if row[0] == "cars"] == [("cars", 1), ("cars", 2)]
    assert [row for row in _numbers(path) if row[0] == "bikes"] == [("bikes", 1)]


def test_a_file_that_cannot_be_opened_is_one_sentence_and_leaves_nothing_locked(tmp_path):
    settings = Settings(data_dir=tmp_path, stream_file=tmp_path / "no" / "file")
    with pytest.raises(StorageError, match=r"The stream file .*no/file cannot be opened: No such file or directory"):
        Emulator(settings)
    Emulator(Settings(data_dir=tmp_path)).close()


def test_a_restart_writes_nothing_twice_and_another_file_everything(tmp_path):
    clock = ManualClock(tick_ms=1)
    settings = {"data_dir": tmp_path / "data"}
    paths = [tmp_path / "one", tmp_path / "two"]
    with Emulator(Settings(**settings, stream_file=paths[0]), clock, RandomIds(clock)) as emulator:
        new_ledger(emulator).run("CREATE TABLE Car")
    for path, expected in ((paths[0], [1, 2]), (paths[1], [1, 2])):
        with Emulator(Settings(**settings, stream_file=path), clock, RandomIds(clock)) as emulator:
            session = LocalSession(emulator, "cars")
            if path == paths[0]:
                session.run("INSERT INTO Car ?", {"n": 1})
        assert expected == [number for _, number in _numbers(path)]


def test_records_arrive_while_the_ledger_is_in_use(tmp_path):
    path = tmp_path / "records.ndjson"
    with new_emulator(stream_file=path) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        _eventually(lambda: len(_numbers(path)) == 1)
        session.run("INSERT INTO Car ?", {"n": 1})
        _eventually(lambda: len(_numbers(path)) == 2)


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(local_streams, "_PAUSE_SECONDS", 0.01)
    path = tmp_path / "records.ndjson"
    with new_emulator(stream_file=path) as emulator:
        session = new_ledger(emulator)
        ledger = emulator.ledgers.find("us-east-1", "cars")
        _eventually(lambda: emulator.stream_file.position(ledger) == 1)
        file = emulator.stream_file
        write, failures = file.write, []

        def full(*arguments: Any) -> None:
            failures.append(1)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(file, "write", full)
        session.run("CREATE TABLE Car")
        _eventually(lambda: failures)
        monkeypatch.setattr(file, "write", write)
        _eventually(lambda: len(_numbers(path)) == 1)
    assert f"{path} cannot be written: No space left on device" in caplog.text
