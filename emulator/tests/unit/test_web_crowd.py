"""One thread answers many connections, and others do so while it waits."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import pytest
from helpers.wire_support import SESSION_HEADERS, TRANSACTION_ID, FakeEmulator

from qldb_emulator import errors, waiting
from qldb_emulator.context import CommandResult
from qldb_emulator.web import crowd as crowds
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.connection import REQUESTS_OUTSIDE
from qldb_emulator.web.crowd import ALONE_POLLS, IS_POSSIBLE, After, Crowd
from qldb_emulator.web.server import Server

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="crowds need epoll and eventfd (Linux)")

SECONDS = 10
"""The longest wait for something that must happen."""


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


# --- the crowd, with connections made up -------------------------------------------------------------------------


class Connection:
    """A connection that is readable when the test says so.  during: what happens in an answer."""

    def __init__(self, after: After = After.STAYS, during: Callable[[], object] = lambda: None) -> None:
        self.near, self.far = socket.socketpair()
        self.after, self.during = after, during
        self.while_held: Callable[[], object] = lambda: None
        self.afterwards: Callable[[], None] = self.do_afterwards
        self.threads: list[int] = []
        self.log: list[str] = []
        self.told = threading.Semaphore(0)
        self.went_on = threading.Semaphore(0)
        self.running = 0
        self.most_running = 0

    def send(self) -> None:
        self.far.sendall(b"x")

    def fileno(self) -> int:
        return self.near.fileno()

    def answer_now(self, later: list[Callable[[], None]]) -> After:
        self.near.recv(1)
        with self._running():
            self.during()
        later.append(self.afterwards)
        self.log.append("answered")
        if self.after is not After.IS_HELD:
            self.told.release()
        return self.after

    def answer_held(self, later: list[Callable[[], None]]) -> After:
        with self._running():
            self.while_held()
        self.log.append("sent")
        self.told.release()
        return After.STAYS

    def do_afterwards(self) -> None:
        self.log.append("afterwards")

    def go_on(self, had_to_wait: bool = False) -> None:
        self.had_to_wait = had_to_wait
        self.went_on.release()

    def is_answered(self) -> bool:
        return self.told.acquire(timeout=SECONDS)

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        self.threads.append(threading.get_ident())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        yield
        self.running -= 1


@pytest.fixture
def made() -> Iterator[list[Connection]]:
    connections: list[Connection] = []
    yield connections
    for connection in connections:
        connection.near.close()
        connection.far.close()


@pytest.fixture
def crowd(made: list[Connection]) -> Iterator[Crowd]:
    before = threading.active_count()
    crowd = Crowd(lambda: False)
    yield crowd
    crowd.close()
    assert eventually(lambda: threading.active_count() <= before), "no thread is left"


@pytest.fixture
def park(made: list[Connection], crowd: Crowd) -> Callable[..., Connection]:
    def make(*arguments: object) -> Connection:
        connection = Connection(*arguments)  # type: ignore[arg-type]
        made.append(connection)
        crowd.keep(connection)
        return connection

    return make


def test_one_thread_answers_all_requests(park):
    connections = [park() for _ in range(20)]
    for connection in connections * 3:
        connection.send()
        assert connection.is_answered()
    assert len({thread for connection in connections for thread in connection.threads}) == 1
    assert eventually(lambda: all(sorted(each.log) == ["afterwards"] * 3 + ["answered"] * 3 for each in connections))


def test_a_failure_after_an_answer_harms_no_other(park, caplog):
    one, other = park(), park()

    def fail() -> None:
        raise ValueError("a bug")

    one.afterwards = fail
    one.send()
    assert one.is_answered()
    other.send()
    assert other.is_answered()
    assert eventually(lambda: "work after an answer failed" in caplog.text)


def test_while_one_request_waits_another_thread_answers_the_others(park, monkeypatch):
    monkeypatch.setattr(Crowd, "_watch", lambda self: None)
    release = threading.Event()

    def wait() -> None:
        waiting.about_to_wait()
        assert release.wait(SECONDS)

    slow = [park(After.STAYS, wait) for _ in range(3)]
    other = park()
    for connection in slow:
        connection.send()
    other.send()
    assert other.is_answered()
    other.send()
    assert other.is_answered()
    release.set()
    assert all(connection.is_answered() for connection in slow)
    for connection in slow:
        assert connection.went_on.acquire(timeout=SECONDS), "its next requests probably wait, too"
        assert connection.had_to_wait


def test_a_long_request_is_noticed_though_it_says_nothing(park):
    release = threading.Event()
    long, other = park(After.STAYS, lambda: release.wait(SECONDS)), park()
    long.send()
    other.send()
    assert other.is_answered()
    assert not long.told.acquire(blocking=False)
    release.set()
    for _ in range(2):
        assert long.is_answered()
        long.send()
    assert not long.went_on.acquire(blocking=False), "it is parked again"


def test_the_watch_wakes_after_a_pause(park, crowd, monkeypatch):
    monkeypatch.setattr(crowds, "IDLE_LOOKS", 1)
    release = threading.Event()
    long, other = park(After.STAYS, lambda: release.wait(SECONDS)), park()
    assert eventually(lambda: crowd._watch_sleeps)
    long.send()
    other.send()
    assert other.is_answered()
    release.set()
    assert long.is_answered()


def test_a_connection_is_served_by_one_thread_at_a_time(park):
    begun, release = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert release.wait(SECONDS)

    busy, other = park(After.STAYS, wait), park()
    busy.send()
    assert begun.wait(SECONDS)
    busy.send()  # the next request of the same client, before the answer to the first
    for _ in range(5):
        other.send()
        assert other.is_answered()
    release.set()
    assert busy.is_answered()
    assert busy.is_answered()
    assert busy.most_running == 1


def test_an_answer_that_is_held_is_sent_after_the_others_and_before_the_next_request(park, monkeypatch):
    monkeypatch.setattr(Crowd, "_watch", lambda self: None)
    log: list[str] = []
    begun, gate = threading.Event(), threading.Event()
    held = [park(After.IS_HELD, lambda: log.append("committed")) for _ in range(3)]
    for connection in held:
        connection.while_held = lambda: log.append("sent")
    first = park(After.STAYS, lambda: (begun.set(), gate.wait(SECONDS)))
    first.send()
    assert begun.wait(SECONDS)
    for connection in held:
        connection.send()
    gate.set()
    assert all(connection.is_answered() for connection in held)
    assert log == ["committed"] * 3 + ["sent"] * 3
    for connection in held:
        connection.send()
        assert connection.is_answered()
        assert connection.log.count("answered") == connection.log.count("sent") == 2


def test_others_are_answered_while_answers_are_held(park, monkeypatch):
    monkeypatch.setattr(Crowd, "_watch", lambda self: None)
    release, syncing = threading.Event(), threading.Event()

    def sync() -> None:
        waiting.about_to_wait()
        syncing.set()
        assert release.wait(SECONDS)

    held, other = park(After.IS_HELD), park()
    held.while_held = sync
    held.send()
    assert syncing.wait(SECONDS)
    held.send()  # not before its answer
    other.send()
    assert other.is_answered()
    assert held.log == ["answered"]
    release.set()
    assert held.is_answered()
    assert held.is_answered()
    assert held.most_running == 1


def test_a_connection_that_needs_its_own_thread_gets_it_once(park, crowd):
    connection, other = park(After.GOES_ON), park()
    connection.send()
    assert connection.went_on.acquire(timeout=SECONDS)
    connection.send()
    other.send()
    assert other.is_answered()
    assert len(connection.threads) == 1, "it is not polled any more"
    crowd.close()
    assert not connection.went_on.acquire(blocking=False)


def test_one_client_alone_gets_its_own_thread_back(park, crowd):
    connection = park()
    assert crowd.wants_more
    for _ in range(ALONE_POLLS - 1):
        connection.send()
        assert connection.is_answered()
    connection.send()
    assert connection.went_on.acquire(timeout=SECONDS)
    assert not crowd.wants_more


def polls() -> list[str]:
    """What epoll and eventfd have open in this process."""
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the directory itself was one of them
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(link for link in links if "eventfd" in link or "eventpoll" in link)


def test_a_close_gives_every_connection_back_and_leaves_no_descriptor(made):
    before = polls()
    crowd = Crowd(lambda: True)
    made += [Connection() for _ in range(5)]
    for connection in made:
        crowd.keep(connection)
    assert len(polls()) == len(before) + 2
    crowd.close()
    assert all(connection.went_on.acquire(timeout=SECONDS) for connection in made)
    assert polls() == before
    late = Connection()
    made.append(late)
    crowd.keep(late)
    assert late.went_on.acquire(timeout=SECONDS)


def test_a_close_leaves_a_running_request_its_connection(made):
    begun, release = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert release.wait(SECONDS)

    crowd = Crowd(lambda: True)
    running = Connection(After.STAYS, wait)
    made.append(running)
    crowd.keep(running)
    running.send()
    assert begun.wait(SECONDS)
    crowd.close()
    assert not running.went_on.acquire(blocking=False)
    release.set()
    assert running.went_on.acquire(timeout=SECONDS)
    assert not running.went_on.acquire(blocking=False)


def test_a_close_leaves_held_answers_to_the_reader(park, crowd, monkeypatch):
    """A thread without the role ends; what only the reader uses would otherwise have two users."""
    monkeypatch.setattr(Crowd, "_watch", lambda self: None)
    park(After.STAYS, waiting.about_to_wait).send()
    assert eventually(lambda: len(crowd._spares) == 1)
    begun, stuck, first_gate, gate = (threading.Event() for _ in range(4))
    first = park(After.STAYS, lambda: (begun.set(), first_gate.wait(SECONDS)))
    held = park(After.IS_HELD)
    slow = park(After.STAYS, lambda: (stuck.set(), gate.wait(SECONDS)))
    first.send()
    assert begun.wait(SECONDS)
    held.send()
    slow.send()
    first_gate.set()
    assert stuck.wait(SECONDS)
    crowd.close()
    assert held.log == ["answered"]
    gate.set()
    assert held.is_answered()
    assert set(held.threads) == set(slow.threads)


@pytest.mark.parametrize("missing", ["threads", "descriptors", "places in the poll"])
def test_when_the_system_allows_no_more_a_connection_keeps_its_thread(made, monkeypatch, missing):
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread") if missing == "threads" else OSError("no more")

    crowd = Crowd(lambda: True)
    one, other = Connection(), Connection()
    made += [one, other]
    with monkeypatch.context() as patch:
        if missing == "threads":
            patch.setattr(threading.Thread, "start", refuse)
        elif missing == "descriptors":
            patch.setattr(os, "eventfd", refuse)
        else:
            patch.setattr(crowds.select, "EPOLLIN", -1)
        crowd.keep(one)
        assert one.went_on.acquire(timeout=SECONDS)
    crowd.keep(other)
    other.send()
    assert other.is_answered()
    crowd.close()


# --- the crowd of a server ---------------------------------------------------------------------------------------

HEAD = "".join(f"{key}: {value}\r\n" for key, value in SESSION_HEADERS.items())
START = b'{"SessionToken":"abcd","StartTransaction":{}}'
GET = b"GET /ledgers HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(body: bytes = START, extra: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: localhost\r\n{HEAD}{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Commits(FakeEmulator):
    """Its commits wait for the disk: after the command, if the server can hold the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answers["StartTransaction"] = {"TransactionId": TRANSACTION_ID}
        self.answers["ListLedgers"] = {"Ledgers": []}
        self.log: list[str] = []
        self.sync: Callable[[], None] = lambda: None
        self.can_hold: set[bool] = set()

    def is_done_with(self, count: int) -> bool:
        """Whether so many commits took place, and what remains after each."""
        return len(self.log) == 2 * count

    def send_command(self, command, session_token, members, context):
        self.can_hold.add(context.can_hold_answer)
        if command == "AbortTransaction":  # stands for a commit: it needs no members
            self.log.append("committed")
            if not context.can_hold_answer:
                self.sync()
            before = self.sync if context.can_hold_answer else None
            return CommandResult({}, None, lambda: self.log.append("afterwards"), before)
        return super().send_command(command, session_token, members, context)


@pytest.fixture
def emulator() -> Commits:
    return Commits()


@pytest.fixture
def server(emulator):
    server = Server(create_dispatcher(emulator))
    server.crowd = Crowd(lambda: True)
    with server:
        yield server
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "qldb-emulator-crowd"])


@pytest.fixture
def client(server):
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as client:
        yield client


def receive(client: socket.socket, count: int = 1) -> list[str]:
    """The status of so many answers."""
    data = b""
    statuses: list[str] = []
    while len(statuses) < count:
        head, separator, rest = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0) if separator else 0
        if separator and len(rest) >= length:
            statuses.append(head.split(b" ")[1].decode())
            data = rest[length:]
            continue
        piece = client.recv(65_536)
        assert piece, f"the connection ended after {statuses}"
        data += piece
    assert not data
    return statuses


COMMIT = post(b'{"SessionToken":"abcd","AbortTransaction":{}}')


def test_requests_of_all_kinds_are_answered_in_order(client, emulator):
    client.sendall(post() + COMMIT + GET + post() + COMMIT + post(b"{}") + GET + post())
    assert receive(client, 8) == ["200", "200", "200", "200", "200", "400", "200", "200"]
    for data in (post(), GET, COMMIT, post(b"{"), post()):
        client.sendall(data)
        assert receive(client) == ["400" if data == post(b"{") else "200"]
    assert emulator.can_hold == {True, False}


def test_requests_in_pieces_are_answered(client):
    for data in (post(), COMMIT, GET):
        for at in (1, 20, len(data) // 2, len(data) - 1):
            client.sendall(data[:at])
            time.sleep(0.01)
            client.sendall(data[at:])
            assert receive(client) == ["200"]
    client.sendall(post(extra="Expect: 100-continue\r\n")[: -len(START)])
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(START)
    assert receive(client) == ["200"]


def test_a_commit_is_answered_when_the_disk_has_it(client, server, emulator):
    release, syncing = threading.Event(), threading.Event()

    def sync() -> None:
        syncing.set()
        waiting.about_to_wait()
        assert release.wait(SECONDS)

    client.sendall(post())
    assert receive(client) == ["200"]
    emulator.sync = sync
    client.sendall(COMMIT)
    assert syncing.wait(SECONDS)
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as other:
        for _ in range(3):
            other.sendall(post())
            assert receive(other) == ["200"]
    assert not select.select([client], [], [], 0)[0]
    release.set()
    assert receive(client) == ["200"]
    assert eventually(lambda: emulator.log == ["committed", "afterwards"])


@pytest.mark.parametrize(("problem", "status"), [(errors.NO_SUCH_SESSION(), "400"), (ValueError("a bug"), "500")])
def test_a_disk_that_fails_is_the_answer_to_the_commit(client, emulator, problem, status):
    def fail() -> None:
        raise problem

    client.sendall(post())
    receive(client)
    emulator.sync = fail
    client.sendall(COMMIT)
    assert receive(client) == [status]
    emulator.sync = lambda: None
    client.sendall(COMMIT)
    assert receive(client) == ["200"]


def test_a_connection_whose_request_had_to_wait_is_not_parked_for_some_time(client, server, emulator):
    send_command = emulator.send_command

    def wait(*arguments):
        waiting.about_to_wait()
        return send_command(*arguments)

    emulator.send_command = wait
    client.sendall(post())
    assert receive(client) == ["200"]
    emulator.send_command = send_command
    for _ in range(REQUESTS_OUTSIDE):
        assert eventually(lambda: not server.crowd._parked)
        client.sendall(post())
        assert receive(client) == ["200"]
    assert eventually(lambda: bool(server.crowd._parked))


def test_a_client_that_leaves_during_its_request_harms_no_other(server, emulator):
    release, syncing = threading.Event(), threading.Event()
    emulator.sync = lambda: (syncing.set(), release.wait(SECONDS))
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as leaving:
        leaving.sendall(COMMIT)
        assert syncing.wait(SECONDS)
    release.set()
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as other:
        other.sendall(post())
        assert receive(other) == ["200"]
    assert eventually(lambda: not server._connections)


def test_bytes_that_are_no_request_are_refused_and_the_connection_ends(client):
    client.sendall(post())
    receive(client)
    client.sendall(b"nonsense\r\n\r\n")
    assert receive(client) == ["400"]
    assert client.recv(1) == b""


def test_a_client_that_wants_no_more_gets_its_answer_and_the_end(client):
    client.sendall(post(extra="Connection: close\r\n"))
    assert receive(client) == ["200"]
    assert client.recv(1) == b""


def test_a_parked_connection_is_closed_when_it_is_idle_for_too_long(server, monkeypatch):
    monkeypatch.setattr("qldb_emulator.web.connection.IDLE_SECONDS", 1)
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as client:
        assert client.recv(1) == b""


def test_a_parked_connection_is_idle_since_its_last_request(server, monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("qldb_emulator.web.connection.time", clock)
    monkeypatch.setattr("qldb_emulator.web.connection.IDLE_SECONDS", 1)
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as client:
        assert eventually(lambda: bool(server.crowd._parked))
        now[0] = 0.9
        client.sendall(post())
        assert receive(client) == ["200"]
        now[0] = 1.5
        assert not select.select([client], [], [], 1.3)[0], "its thread has looked once, and the clock stands still"
        client.sendall(post())
        assert receive(client) == ["200"]


@pytest.mark.parametrize("complete", [b"", post()], ids=["first", "after another"])
def test_a_request_that_does_not_go_on_ends_its_connection(server, monkeypatch, complete):
    monkeypatch.setattr("qldb_emulator.web.connection.PIECE_SECONDS", 1)
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as client:
        client.sendall(complete + post()[:-1])
        if complete:
            assert receive(client) == ["200"]
        assert client.recv(1) == b""


def test_a_stop_answers_what_runs_and_ends_what_is_idle(emulator):
    server = Server(create_dispatcher(emulator))
    server.crowd = Crowd(lambda: True)
    release, syncing = threading.Event(), threading.Event()
    emulator.sync = lambda: (syncing.set(), release.wait(SECONDS))
    server.start()
    address = (server.host, server.port)
    with socket.create_connection(address, timeout=SECONDS) as busy, socket.create_connection(address) as idle:
        idle.sendall(post())
        assert receive(idle) == ["200"]
        busy.sendall(COMMIT)
        assert syncing.wait(SECONDS)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert eventually(lambda: server.is_stopping)
        release.set()
        assert receive(busy) == ["200"]
        assert busy.recv(1) == b""
        assert idle.recv(1) == b""
        stopping.join(SECONDS)
        assert not stopping.is_alive()


@pytest.fixture
def reluctant(server, emulator):
    """A client that read no answer, so that one to a commit found no space.  With it how many requests it sent."""
    with socket.socket() as client:
        client.settimeout(SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that the system has
        client.connect((server.host, server.port))
        assert eventually(lambda: bool(server.crowd._parked))
        (connection,) = server._connections
        connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sent = 0
        # Parked again means that the answer was sent.
        while eventually(lambda: bool(server.crowd._parked)) and sent < 1_000:
            client.sendall(COMMIT)
            sent += 1
            assert eventually(partial(emulator.is_done_with, sent))
            if connection._unsent:
                break
        assert connection._unsent, "there is no space left"
        yield client, sent


def test_a_client_that_reads_no_answer_holds_up_no_answer_of_others(server, reluctant):
    client, sent = reluctant
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as other:
        for _ in range(3):
            other.sendall(COMMIT)
            assert receive(other) == ["200"]
    assert receive(client, sent) == ["200"] * sent, "each answer is sent once and whole"
    for data in (COMMIT, GET):
        client.sendall(data)
        assert receive(client) == ["200"]


def test_a_stop_ends_a_client_that_reads_no_answer(server, reluctant):
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < SECONDS
    assert not server._connections
