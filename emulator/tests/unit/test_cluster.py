"""Servers that share journals: where sessions are, what becomes of those whose server is gone, who delivers streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger
from helpers.postgres import Postgres, postgres

from qldb_emulator.clock import SystemClock
from qldb_emulator.engine import steward as steward_module
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import committer
from qldb_emulator.errors import LEDGER_LOG_UNUSABLE, QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.journal.hashing import CommitDigest
from qldb_emulator.log import postgres_servers
from qldb_emulator.log.postgres import PostgresLogs
from qldb_emulator.log.postgres_connections import Connections
from qldb_emulator.log.postgres_schema import SCHEMA, WAITS_FOR_STANDBY
from qldb_emulator.log.seam import LogError, UnknownOutcome, Unreachable
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def url(database: Postgres) -> str:
    return database.database("shared")


class Member:
    """A server among others, in this process.  joins: otherwise it listens only, as one does that starts."""

    def __init__(self, url: str, joins: bool = True) -> None:
        self.emulator = Emulator(Settings(is_ephemeral=True, journal=url), SystemClock(), RandomIds(SystemClock()))
        self.server = Server(create_dispatcher(self.emulator))
        self.server.start()
        assert self.emulator.steward is not None
        self.steward = self.emulator.steward
        if joins:
            self.steward.start(self.server.url)
        self._clients: dict[str, Any] = {}

    def session_client(self) -> Any:
        return self._client("qldb-session")

    def client(self) -> Any:
        return self._client("qldb")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"max_attempts": 0}),
        )

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.server.stop()
        self.emulator.close()


@contextmanager
def members(url: str, count: int = 2) -> Iterator[list[Member]]:
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            member = Member(url)
            stack.callback(member.close)
            found.append(member)
        for member in found:
            member.steward._look()  # they all know each other, without a second's wait
        yield found


@pytest.fixture
def pair(url: str) -> Iterator[list[Member]]:
    with members(url) as found:
        new_ledger(found[0].emulator).run("CREATE TABLE T")
        yield found


def begin(member: Member, name: str = "cars") -> tuple[str, str]:
    """A session and its open transaction: (token, transaction id)."""
    client = member.session_client()
    token = client.send_command(StartSession={"LedgerName": name})["StartSession"]["SessionToken"]
    return token, client.send_command(SessionToken=token, StartTransaction={})["StartTransaction"]["TransactionId"]


def commit(member: Member, token: str, transaction_id: str, digest: CommitDigest | None = None) -> Any:
    value = (digest or CommitDigest(transaction_id)).value
    asked = {"TransactionId": transaction_id, "CommitDigest": value}
    return member.session_client().send_command(SessionToken=token, CommitTransaction=asked)["CommitTransaction"]


def insert(member: Member, token: str, transaction_id: str) -> CommitDigest:
    from qldb_emulator.journal.hashing import statement_digest

    statement = "INSERT INTO T {'k': 1}"
    asked = {"TransactionId": transaction_id, "Statement": statement, "Parameters": []}
    member.session_client().send_command(SessionToken=token, ExecuteStatement=asked)
    digest = CommitDigest(transaction_id)
    digest.add(statement_digest(statement, []))
    return digest


def held(member: Member) -> list[Any]:
    return LocalSession(member.emulator, "cars").run("SELECT VALUE k FROM T")


def test_sessions_of_a_ledger_are_on_its_owner_whoever_is_asked(pair: list[Member]) -> None:
    tokens = [begin(member)[0] for member in (*pair, *pair)]
    homes = {token.rpartition("-")[2] for token in tokens}
    assert len(homes) == 1
    assert homes <= {member.steward.server_id for member in pair}
    assert sorted(member.emulator.sessions.count() for member in pair)[1] >= 4


def test_every_server_answers_the_commands_of_every_session(pair: list[Member]) -> None:
    for member in pair:
        token, transaction_id = begin(member)
        other = pair[0] if member is pair[1] else pair[1]
        digest = insert(other, token, transaction_id)
        assert commit(member, token, transaction_id, digest)["TransactionId"] == transaction_id
    assert held(pair[0]) == held(pair[1]) == [1, 1]


def test_ledgers_are_owned_by_the_servers_that_were_asked_first(pair: list[Member]) -> None:
    for number, member in enumerate(pair):
        name = f"ledger{number}"
        member.client().create_ledger(Name=name, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        member.session_client().send_command(StartSession={"LedgerName": name})
        assert (REGION, name) in member.steward.owned()
    assert {row["Name"] for row in pair[1].client().list_ledgers()["Ledgers"]} == {"cars", "ledger0", "ledger1"}


def owner_and_other(pair: list[Member]) -> tuple[Member, Member]:
    owner_id = begin(pair[0])[0].rpartition("-")[2]
    return (pair[0], pair[1]) if pair[0].steward.server_id == owner_id else (pair[1], pair[0])


def die(member: Member) -> None:
    """What others see of a SIGKILL: no request is answered, and the server says no more that it is alive."""
    halt(member)
    member.server.stop()


def halt(member: Member) -> None:
    """Do nothing by itself from now on: the test says what happens when."""
    member.steward._stop.set()
    for thread in member.steward._threads:
        thread.join()


def test_a_session_whose_server_is_gone_is_no_session(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    token, transaction_id = begin(other)
    die(owner)
    with pytest.raises(ClientError, match="No such session"):
        insert(other, token, transaction_id)
    new_token, _ = begin(other)  # the owner does not answer, so the session is here
    assert new_token.endswith(other.steward.server_id)


def test_a_commit_whose_server_is_gone_is_answered_as_the_log_says(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    done, open_ = begin(other), begin(other)
    digests = [insert(other, *each) for each in (done, open_)]
    commit(owner, *done, digests[0])  # and the answer is lost
    die(owner)
    answer = commit(other, *done, digests[0])
    assert (answer["TransactionId"], answer["CommitDigest"]) == (done[1], digests[0].value)
    with pytest.raises(ClientError, match="No such session"):
        commit(other, *open_, digests[1])
    assert held(other) == [1]


def test_a_commit_is_answered_by_a_server_that_starts_and_is_not_one_of_them_yet(url: str) -> None:
    """The one that committed it was killed and starts again at its address: 503 would say that nothing took place."""
    with members(url, 1) as (owner,):
        new_ledger(owner.emulator).run("CREATE TABLE T")
        token, transaction_id = begin(owner)
        digest = insert(owner, token, transaction_id)
        commit(owner, token, transaction_id, digest)  # and the answer is lost
        die(owner)
        started = Member(url, joins=False)
        try:
            assert commit(started, token, transaction_id, digest)["TransactionId"] == transaction_id
            with pytest.raises(ClientError, match="No such session"):
                insert(started, token, transaction_id)
        finally:
            started.close()


def test_a_commit_to_a_ledger_that_is_younger_than_the_last_look_is_answered(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    halt(other)
    token, transaction_id = begin(owner)
    digest = insert(owner, token, transaction_id)
    commit(owner, token, transaction_id, digest)
    die(owner)
    other.steward._known = {}
    assert commit(other, token, transaction_id, digest)["TransactionId"] == transaction_id


class Breaking:
    """Breaks connections between servers.  when: before the request is sent, or after it was carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, when: str, times: int) -> None:
        self.left = times
        request, getresponse = HTTPConnection.request, HTTPConnection.getresponse

        def broken_request(connection: HTTPConnection, *given: Any, **named: Any) -> Any:
            if when == "before":
                self.break_one()
            return request(connection, *given, **named)

        def broken_response(connection: HTTPConnection) -> Any:
            response = getresponse(connection)
            if when == "after":
                self.break_one()
            return response

        monkeypatch.setattr(HTTPConnection, "request", broken_request)
        monkeypatch.setattr(HTTPConnection, "getresponse", broken_response)

    def break_one(self) -> None:
        if self.left:
            self.left -= 1
            raise ConnectionResetError("a fault says so")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_that_breaks_is_no_server_that_is_gone(
    pair: list[Member], monkeypatch: pytest.MonkeyPatch, when: str, times: int
) -> None:
    owner, other = owner_and_other(pair)
    server_id = owner.steward.server_id
    token, transaction_id = begin(other)
    digest = insert(other, token, transaction_id)
    bystander = begin(owner)
    breaking = Breaking(monkeypatch, when, times)
    assert commit(other, token, transaction_id, digest)["CommitDigest"] == digest.value
    assert breaking.left == 0
    commit(owner, *bystander)  # sessions of the owner go on
    assert owner.emulator.logs.servers is not None
    assert owner.emulator.logs.servers.beat()
    assert owner.steward.server_id == server_id
    assert held(other) == held(owner) == [1]


def test_a_session_begins_on_the_owner_though_a_connection_breaks(
    pair: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = owner_and_other(pair)
    Breaking(monkeypatch, "after", 1)
    assert begin(other)[0].endswith(owner.steward.server_id)


def test_a_statement_is_not_sent_twice(pair: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    _, other = owner_and_other(pair)
    token, transaction_id = begin(other)
    Breaking(monkeypatch, "after", 1)
    with pytest.raises(ClientError, match="No such session"):
        insert(other, token, transaction_id)


def test_a_commit_that_failed_and_is_asked_again_by_a_server_is_no_commit(
    pair: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other = owner_and_other(pair)
    token, transaction_id = begin(other)
    insert(other, token, transaction_id)
    Breaking(monkeypatch, "after", 1)
    with pytest.raises(ClientError, match="No such session"):
        commit(other, token, transaction_id)  # with the digest of no statement
    assert held(other) == []


def test_a_commit_that_a_client_sends_twice_finds_no_open_transaction(pair: list[Member]) -> None:
    """As in the service: only servers ask for an answer that was lost."""
    for member in pair:
        token, transaction_id = begin(member)
        digest = insert(member, token, transaction_id)
        commit(member, token, transaction_id, digest)
        with pytest.raises(ClientError, match="No open transaction"):
            commit(member, token, transaction_id, digest)


def look(member: Member) -> None:
    """One beat of a server that does nothing by itself: otherwise it counts as gone on a slow machine."""
    assert member.emulator.logs.servers is not None
    assert member.emulator.logs.servers.beat()
    member.steward._look()


def test_ledgers_spread_when_a_server_comes_late(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steward_module, "UNEVEN_SECONDS", 0.0)
    with members(url, 1) as (first,), ExitStack() as stack:
        halt(first)
        sessions = {}
        for name in ("a", "b", "c"):
            new_ledger(first.emulator, name).run("CREATE TABLE T")
            sessions[name] = begin(first, name)
        look(first)
        first.steward._balance()
        assert len(first.steward.owned()) == 3
        second = Member(url)
        stack.callback(second.close)
        halt(second)
        for _ in range(5):  # one is taken over, and no more: then they own 2 and 1
            look(first)
            look(second)
            second.steward._balance()
        [(_, moved)] = second.steward.owned()
        look(first)
        first.steward._balance()
        assert len(first.steward.owned()) == 2
        for name, (token, transaction_id) in sessions.items():
            commit(second, token, transaction_id, insert(second, token, transaction_id))  # what was open is finished
            if name == moved:
                with pytest.raises(ClientError, match="No such session"):
                    first.session_client().send_command(SessionToken=token, StartTransaction={})
                assert begin(first, name)[0].endswith(second.steward.server_id)
            else:
                first.session_client().send_command(SessionToken=token, StartTransaction={})
                assert begin(second, name)[0].endswith(first.steward.server_id)


def test_ledgers_stay_for_some_time_where_they_are(url: str) -> None:
    with members(url, 2) as (first, second):
        halt(first), halt(second)
        for name in ("a", "b", "c"):
            new_ledger(first.emulator, name)
            begin(first, name)
        look(second)
        second.steward._balance()
        assert second.steward.owned() == []


def test_a_ledger_that_cannot_be_used_keeps_no_other_from_being_followed(
    pair: list[Member], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    owner, other = owner_and_other(pair)
    halt(other)
    new_ledger(owner.emulator, "aged").run("CREATE TABLE T")
    assert held(other) == []
    find = other.emulator.ledgers.find
    find(REGION, "aged")
    behind = other.emulator.ledgers._open[REGION, "cars"]
    for name in ("aged", "cars"):
        LocalSession(owner.emulator, name).run("INSERT INTO T ?", {"k": 1})

    def failing(region: str, name: str) -> Any:
        if name == "aged":
            raise LEDGER_LOG_UNUSABLE(name=name, reason="it went back")
        return find(region, name)

    monkeypatch.setattr(other.emulator.ledgers, "find", failing)
    other.emulator.ledgers._open = dict(sorted(other.emulator.ledgers._open.items()))  # the broken one first
    other.steward._look()
    for _ in range(2):
        other.steward._follow_others()
    assert behind.last_sequence_no == owner.emulator.ledgers._open[REGION, "cars"].last_sequence_no
    assert caplog.text.count("ledger aged cannot follow its log") == 1  # said once


def test_a_server_says_that_it_is_alive_while_it_folds(pair: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other = owner_and_other(pair)
    held(other)
    beats, folds, go_on = [], threading.Event(), threading.Event()
    servers = other.emulator.logs.servers
    assert servers is not None
    beat = servers.beat
    monkeypatch.setattr(servers, "beat", lambda: beats.append(folds.is_set()) or beat())

    def fold(region: str, name: str) -> None:
        folds.set()
        go_on.wait(30)

    with monkeypatch.context() as patched:
        patched.setattr(other.emulator.ledgers, "find", fold)
        LocalSession(owner.emulator, "cars").run("INSERT INTO T ?", {"k": 1})
        try:
            wait_for(lambda: beats.count(True) >= 2)
        finally:
            go_on.set()


def test_a_long_fold_ends_when_its_server_stops(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    held(other)
    halt(other)
    LocalSession(owner.emulator, "cars").run("INSERT INTO T ?", {"k": 1})
    other.emulator.ledgers.interrupt()
    with pytest.raises(QldbError, match="lets go of the ledger"):
        other.emulator.ledgers.find(REGION, "cars")


def test_two_servers_with_one_address_are_told(
    pair: list[Member], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steward_module, "DOUBLE_BEATS", 2)
    halt(pair[0])
    peers = pair[0].steward._peers
    pair[0].steward._peers = {k: p._replace(url=pair[0].server.url) for k, p in peers.items()}
    for _ in range(4):
        pair[0].steward._warn_of_double()
    assert caplog.text.count("give each server an --advertise of its own") == 1


def test_servers_that_cannot_be_reached_are_told(pair: list[Member], caplog: pytest.LogCaptureFixture) -> None:
    forwarder = pair[0].server._dispatcher.gateway.forwarder
    assert forwarder is not None
    forwarder.warn_of_unreachable()
    assert caplog.text == "" or "no server is reached" not in caplog.text
    halt(pair[0])
    _, peer = pair[0].steward._peers.popitem()
    wrong = peer.url.replace("http://", "https://")
    for number, url in enumerate((wrong, "http://nowhere.invalid:7532")):
        pair[0].steward._peers[f"wrong{number}"] = peer._replace(url=url)
    forwarder.warn_of_unreachable()
    assert caplog.text.count("no server is reached at ") == 2
    assert f"no server is reached at {wrong}, which --advertise of one of them says: " in caplog.text


def test_what_was_kept_of_a_server_that_is_long_gone_is_forgotten(url: str) -> None:
    logs = PostgresLogs(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for server_id, hours in (("old", 25), ("late", 1)):
            connection.execute(
                f"INSERT INTO {SCHEMA}.server VALUES (%s, 'http://gone', now() - %s * interval '1 hour')",
                (server_id, hours),
            )
    logs.servers.join("new", "http://new")
    assert sorted(logs.servers.peers()) == ["late", "new"]
    logs.close()


def test_a_database_that_takes_no_writes_is_none_for_a_journal(url: str) -> None:
    """A standby, for one: it shows what the primary had a moment ago, so a transaction must not begin there."""
    name = url.rpartition("/")[2]
    connections = Connections(url)
    connections.write(lambda c: c.execute("CREATE TABLE t (n integer)"))
    connections.read(lambda c: c.execute("SET default_transaction_read_only = on"))
    with pytest.raises(Unreachable, match="takes no writes any more"):
        connections.write(lambda c: c.execute("INSERT INTO t VALUES (1)"))
    connections.write(lambda c: c.execute("INSERT INTO t VALUES (2)"))  # on a new connection
    connections.write(lambda c: c.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode()))
    connections.close()
    again = Connections(url)
    with pytest.raises(Unreachable, match=r"takes no writes: .*read-only"):
        again.read(lambda c: c.execute("SELECT 1"))


def test_a_server_that_was_taken_for_dead_commits_nothing_that_was_settled(pair: list[Member]) -> None:
    """Its client was told that the transaction did not take place, so it must not take place afterwards."""
    owner, other = owner_and_other(pair)
    token, transaction_id = begin(other)
    digest = insert(other, token, transaction_id)
    owner.server.stop()  # it is alive, and cannot be reached
    with pytest.raises(ClientError, match="No such session"):
        commit(other, token, transaction_id, digest)
    ledger = owner.emulator.ledgers.open_ledgers()[0]
    with pytest.raises(LogError):
        ledger.catch_up()  # learns of it, as any request may do first
    members = {"TransactionId": transaction_id, "CommitDigest": digest.value}
    with pytest.raises(QldbError, match="No such session"):
        owner.emulator.send_command("CommitTransaction", token, members, CONTEXT)
    assert held(other) == []


def test_a_server_that_was_taken_for_dead_begins_anew(pair: list[Member]) -> None:
    owner, _ = owner_and_other(pair)
    old = owner.steward.server_id
    token, transaction_id = begin(owner)
    assert pair[0].emulator.logs.servers is not None
    pair[0].emulator.logs.servers.settle(old, "no ledger", "no transaction")
    deadline = time.monotonic() + 20
    while owner.steward.server_id == old:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ClientError, match="No such session"):
        insert(owner, token, transaction_id)
    token, transaction_id = begin(owner)
    commit(owner, token, transaction_id, insert(owner, token, transaction_id))
    assert held(owner) == [1]


def test_a_ledger_gets_another_owner_when_its_server_leaves(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    owner.server.stop()
    owner.steward.close()
    other.steward._look()
    assert begin(other)[0].endswith(other.steward.server_id)
    assert other.steward.owned() == [(REGION, "cars")]


def test_a_forwarded_request_is_answered_where_it_arrives(pair: list[Member]) -> None:
    import json
    import urllib.request

    _, other = owner_and_other(pair)
    body = json.dumps({"StartSession": {"LedgerName": "cars"}}).encode()
    headers = {"X-Amz-Target": "QLDBSession.SendCommand", "X-Qldb-Emulator-Forwarded": "1"}
    with urllib.request.urlopen(urllib.request.Request(other.server.url, body, headers)) as answer:
        token = json.load(answer)["StartSession"]["SessionToken"]
    assert token.endswith(other.steward.server_id)


@pytest.mark.parametrize("token", ["x", "x-", "x-y", "x-y-", "x-y-z", "--", "-1SUYE05Zw6R8LLBLdUJBOj-aaaaaaaaaaaa"])
def test_a_token_of_no_server_is_no_session(pair: list[Member], token: str) -> None:
    with pytest.raises(ClientError) as refusal:
        pair[0].session_client().send_command(SessionToken=token.ljust(4, "A"), StartTransaction={})
    assert refusal.value.response["Error"]["Code"] in ("InvalidSessionException", "BadRequestException")


def test_a_server_that_has_not_joined_the_others_begins_no_session(url: str) -> None:
    """A token could not name it, so a commit that is sent again would be settled without it."""
    with Emulator(Settings(is_ephemeral=True, journal=url), SystemClock(), RandomIds(SystemClock())) as emulator:
        new_ledger(emulator)
        with Server(create_dispatcher(emulator)) as server:
            client = boto3.client(
                "qldb-session",
                endpoint_url=server.url,
                region_name=REGION,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"max_attempts": 0}),
            )
            with pytest.raises(ClientError, match="ServiceUnavailable"):
                client.send_command(StartSession={"LedgerName": "cars"})
            client.close()


def test_metrics_tell_lag_owner_and_lost_slots(pair: list[Member]) -> None:
    import urllib.request

    owner, other = owner_and_other(pair)
    held(owner), held(other)
    texts = {}
    for name, member in (("owner", owner), ("other", other)):
        with urllib.request.urlopen(f"{member.server.url}/metrics") as answer:
            texts[name] = answer.read().decode()
    labels = f'{{region="{REGION}",ledger="cars"}}'
    assert f"qldb_log_owner{labels} 1\n" in texts["owner"]
    assert f"qldb_log_owner{labels} 0\n" in texts["other"]
    assert f"qldb_log_lag_blocks{labels} " in texts["other"]
    assert f"qldb_log_lost_slots_total{labels} 0\n" in texts["owner"]
    assert "qldb_servers 2\n" in texts["owner"]


class Kept:
    """A target that keeps what is delivered, with the server that did so."""

    def __init__(self, delivered: list[tuple[int, bytes]], number: int) -> None:
        self._delivered = delivered
        self._number = number

    def check(self) -> None:
        pass

    def put(self, records: Any, is_aggregated: bool) -> None:
        self._delivered += [(self._number, data) for _, data in records]


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


PROMPTLY_SECONDS = 20.0  # far below for ever, far above what a busy machine adds


@contextmanager
def missing_standby(url: str) -> Iterator[None]:
    """PostgreSQL waits with each COMMIT for a synchronous standby that is not there."""

    def set_names(value: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def is_missed() -> bool:
        """Whether a COMMIT waits: PostgreSQL takes a moment to follow its settings."""
        with psycopg.connect(url, autocommit=True, options="-c synchronous_commit=on") as probe:
            warnings: list[str] = []
            probe.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
            timer = threading.Timer(0.2, probe.cancel)
            timer.start()
            with suppress(psycopg.errors.QueryCanceled):  # a busy machine: not even at its COMMIT when the timer ends
                probe.execute("SELECT pg_logical_emit_message(true, 'probe', '')")
            timer.join()
            return bool(warnings)

    set_names("'absent'")
    try:
        wait_for(is_missed)
        yield
    finally:
        set_names("''")


def waits_for_standby(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(WAITS_FOR_STANDBY).fetchone() == (True,)


def test_servers_that_wait_for_a_standby_say_so_count_as_alive_and_stop(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_servers, "STUCK_SECONDS", 0.3)
    with members(url) as (first, second):
        new_ledger(first.emulator).run("CREATE TABLE T")
        token, transaction_id = begin(first)
        digest = insert(first, token, transaction_id)
        told: list[Any] = []

        def committing() -> None:
            try:
                told.append(commit(first, token, transaction_id, digest))
            except Exception as error:
                told.append(error)

        thread = threading.Thread(target=committing)
        with missing_standby(url):
            thread.start()
            wait_for(lambda: "waits for its synchronous standby" in caplog.text, 10)
            assert told == []  # it may be lost in a failover, so it is not answered
            began = time.monotonic()
            for member in (first, second):
                assert member.emulator.logs.servers is not None
                assert member.emulator.logs.servers.beat()
            first.server.stop()
            first.emulator.close()
            assert time.monotonic() - began < PROMPTLY_SECONDS
            assert waits_for_standby(url)
        thread.join()
        assert not isinstance(told[0], dict)
        wait_for(lambda: not waits_for_standby(url))
        assert held(second) == [1]  # it was in the log all the time
        assert commit(second, token, transaction_id, digest)["TransactionId"] == transaction_id


def test_a_connection_is_kept_above_the_descriptors_that_select_takes(pair: list[Member]) -> None:
    import os
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    held_open = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        _, other = owner_and_other(pair)
        for _ in range(3):
            token, transaction_id = begin(other)
            commit(other, token, transaction_id, insert(other, token, transaction_id))
    finally:
        for descriptor in held_open:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_ledger_without_an_owner_gets_the_server_that_uses_it(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    halt(other)
    owner.server.stop()
    begin(other)  # the owner cannot be reached, and counts as alive: the session is here
    owner.steward.close()
    other.steward._look()
    assert other.steward.owned() == []
    other.steward._balance()
    other.steward._look()
    assert other.steward.owned() == [(REGION, "cars")]


def test_a_stream_is_delivered_by_the_owner_and_by_the_next_one(pair: list[Member]) -> None:
    owner, other = owner_and_other(pair)
    delivered: list[tuple[int, bytes]] = []
    for number, member in enumerate((owner, other)):
        member.emulator.streams._open_target = lambda arn, number=number: Kept(delivered, number)
    other.client().stream_journal_to_kinesis(  # asked of a server that does not own the ledger
        LedgerName="cars",
        RoleArn="arn:aws:iam::123456789012:role/r",
        InclusiveStartTime=0,
        StreamName="all",
        KinesisConfiguration={"StreamArn": f"arn:aws:kinesis:{REGION}:123456789012:stream/s"},
    )
    LocalSession(owner.emulator, "cars").run("INSERT INTO T ?", {"word": "first-word"})
    wait_for(lambda: any(b"first-word" in data for _, data in delivered))
    assert {number for number, _ in delivered} == {0}
    owner.server.stop()
    owner.steward.close()
    owner.emulator.streams.close()
    LocalSession(other.emulator, "cars").run("INSERT INTO T ?", {"word": "second-word"})
    wait_for(lambda: any(b"second-word" in data for _, data in delivered))
    assert [number for number, data in delivered if b"second-word" in data][-1] == 1


def test_an_export_asked_of_any_server_is_written_once(pair: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other = owner_and_other(pair)
    written: list[tuple[int, str]] = []
    for number, member in enumerate((owner, other)):
        monkeypatch.setattr(
            member.emulator.exports, "_put", lambda *_, number=number: lambda key, *_: written.append((number, key))
        )
    asked = other.client().export_journal_to_s3(
        Name="cars",
        InclusiveStartTime=0,
        ExclusiveEndTime=int(time.time()),
        S3ExportConfiguration={
            "Bucket": "bucket",
            "Prefix": "p",
            "EncryptionConfiguration": {"ObjectEncryptionType": "NO_ENCRYPTION"},
        },
        RoleArn="arn:aws:iam::123456789012:role/r",
    )

    def status(member: Member) -> str:
        found = member.client().describe_journal_s3_export(Name="cars", ExportId=asked["ExportId"])
        return str(found["ExportDescription"]["Status"])

    wait_for(lambda: status(owner) == status(other) == "COMPLETED")
    completed = [number for number, key in written if key.endswith(".completed.manifest")]
    assert completed == [0]


# --- The database -------------------------------------------------------------------------------------------


def test_a_database_that_restarts_is_used_again(database: Postgres, pair: list[Member]) -> None:
    held(pair[0])
    database.kill()
    with pytest.raises(QldbError, match="does not answer") as refusal:
        held(pair[0])
    assert refusal.value.shape == "ServiceUnavailable"  # drivers try the transaction again
    database.start()
    for member in pair:
        LocalSession(member.emulator, "cars").run("INSERT INTO T ?", {"k": 1})
    assert held(pair[0]) == [1, 1]


def test_a_commit_waits_for_the_database_and_takes_place_once(
    database: Postgres, pair: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "UNKNOWN_OUTCOME_PAUSE_SECONDS", 0.05)
    session = LocalSession(pair[0].emulator, "cars")
    transaction = session.begin()
    transaction.execute("INSERT INTO T ?", {"k": 1})
    held_row = threading.Event()
    let_go = threading.Event()

    def hold() -> None:
        """Another transaction has the row that an append needs."""
        with psycopg.connect(database.url.rsplit("/", 1)[0] + "/shared") as connection:
            connection.execute("SELECT FROM qldb_journal.ledger FOR UPDATE")
            held_row.set()
            let_go.wait(20)

    holder = threading.Thread(target=lambda: _without_loss(hold))
    holder.start()
    assert held_row.wait(20)
    committing = threading.Thread(target=transaction.commit)
    committing.start()
    time.sleep(0.3)
    database.kill()  # the append is under way
    time.sleep(0.2)
    assert committing.is_alive()
    database.start()
    let_go.set()
    committing.join(30)
    holder.join(30)
    assert held(pair[0]) == held(pair[1]) == [1]


def _without_loss(work: Any) -> None:
    try:
        work()
    except psycopg.OperationalError:
        return  # its connection was killed, as it should be


def test_success_with_a_warning_is_an_outcome_that_is_not_known(url: str) -> None:
    """So PostgreSQL tells that the wait for the synchronous standby was cancelled: the commit is local only."""
    connections = Connections(url)
    with pytest.raises(UnknownOutcome, match="may not have been replicated"):
        connections.write(
            lambda c: c.execute("DO $$ BEGIN RAISE WARNING 'The transaction may not have been replicated'; END $$")
        )
    connections.write(lambda c: c.execute("DO $$ BEGIN RAISE NOTICE 'nothing'; END $$"))
    connections.close()


def test_the_database_itself_refuses_gaps_forks_and_repeated_transactions(url: str, tmp_path: Path) -> None:
    logs = PostgresLogs(url)
    logs.create(REGION, "cars", {"strand_id": "s"})
    put = "INSERT INTO qldb_journal.block VALUES ('s', %s, %s, %s, %s, %s, 0, '')"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(put, (0, b"a", -1, None, "t0"))
        connection.execute(put, (1, b"b", 0, b"a", "t1"))
        for wrong in (
            (3, b"d", 2, b"c", "t3"),  # a gap
            (2, b"c", 1, b"x", "t2"),  # another block before it
            (1, b"z", 0, b"a", "t2"),  # a fork
            (0, b"z", -1, None, "t2"),  # another beginning
            (2, b"c", 1, b"b", "t1"),  # a transaction for the second time
            (2, b"c", 1, None, "t2"),  # no block before it
            (2, b"c", 0, b"a", "t2"),  # a slot that is not the next one
        ):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(put, wrong)
        connection.execute(put, (2, b"c", 1, b"b", "t2"))
    logs.close()


def test_servers_that_start_together_make_the_tables_once(url: str) -> None:
    problems: list[BaseException] = []

    def start() -> None:
        try:
            PostgresLogs(url).close()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_journal_of_a_newer_version_is_refused(url: str) -> None:
    PostgresLogs(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE qldb_journal.version SET version = 99")
    with pytest.raises(LogError, match="has version 99"):
        PostgresLogs(url)
