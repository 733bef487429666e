"""Sessions and transactions over time, row by row: the state, the request, the answer, and the next state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.local_driver import CONTEXT, LocalSession, LocalTransaction, new_emulator, new_ledger

from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.limits import STRICT, with_limit
from qldb_emulator.settings import Settings

OK = "ok"
EXPIRED = "InvalidSessionException: Transaction {transaction} has expired"
SESSION_EXPIRED = "InvalidSessionException: Session {session} has expired"
NO_SESSION = "InvalidSessionException: No such session"
NO_TRANSACTION = "BadRequestException: No open transaction"
ALREADY_OPEN = "BadRequestException: Transaction already open"
NO_PAGE = "BadRequestException: The parameter NextPageToken is not valid"

EXECUTE, FETCH, COMMIT, ABORT, START, END = "execute", "fetch", "commit", "abort", "start", "end"


class Life:
    """A session with an open transaction that has a page to fetch."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.session = LocalSession(emulator, "cars")
        self.transaction: LocalTransaction = self.session.begin()
        rows = self.transaction.execute_raw("SELECT VALUE x FROM ? AS x", list(range(450)))
        self.token = rows["FirstPage"]["NextPageToken"]

    def do(self, command: str) -> str:
        """Send a command; ok or its error, ids written as placeholders."""
        actions: dict[str, Callable[[], object]] = {
            EXECUTE: lambda: self.transaction.execute("SELECT 1 FROM <<0>>"),
            FETCH: lambda: self.session.send("FetchPage", TransactionId=self.transaction.id, NextPageToken=self.token),
            COMMIT: self.transaction.commit,
            ABORT: self.transaction.abort,
            START: self._start,
            END: lambda: self.session.send("EndSession"),
        }
        try:
            actions[command]()
        except QldbError as error:
            text = error.message.replace(self.transaction.id, "{transaction}")
            return f"{error.shape}: {text.replace(CONTEXT.request_id, '{session}')}"
        return OK

    def _start(self) -> None:
        self.transaction = self.session.begin()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with new_emulator(tick_ms=0) as made:
        new_ledger(made)
        yield made


@pytest.mark.parametrize(
    "story",
    [
        [(0, EXECUTE, OK), (30, EXECUTE, OK), (0, COMMIT, OK)],
        [(30.001, EXECUTE, EXPIRED), (0, EXECUTE, NO_TRANSACTION), (0, ABORT, OK), (0, START, OK), (0, COMMIT, OK)],
        [(30.001, COMMIT, EXPIRED), (0, COMMIT, NO_TRANSACTION), (0, START, OK), (29, COMMIT, OK)],
        [(30.001, FETCH, EXPIRED), (0, FETCH, NO_TRANSACTION)],
        [(30.001, START, EXPIRED), (0, START, OK), (0, EXECUTE, OK), (0, COMMIT, OK)],
        [(30.001, ABORT, OK), (0, COMMIT, NO_TRANSACTION), (0, START, OK)],
        [(20, EXECUTE, OK), (20, EXECUTE, EXPIRED)],
        [(30.001, END, OK), (0, START, NO_SESSION)],
        [(0, START, ALREADY_OPEN), (0, EXECUTE, OK), (0, COMMIT, OK), (0, COMMIT, NO_TRANSACTION)],
        [(0, ABORT, OK), (0, ABORT, OK), (0, EXECUTE, NO_TRANSACTION), (0, FETCH, NO_TRANSACTION), (0, START, OK)],
        [(0, FETCH, OK), (0, FETCH, OK), (0, COMMIT, OK), (0, START, OK), (0, FETCH, NO_PAGE), (0, COMMIT, OK)],
        [(0, END, OK), (0, END, NO_SESSION), (0, ABORT, NO_SESSION), (0, COMMIT, NO_SESSION)],
        [(900, ABORT, OK), (0, START, OK), (0.001, EXECUTE, SESSION_EXPIRED), (0, START, NO_SESSION)],
        [(900.001, COMMIT, SESSION_EXPIRED), (0, COMMIT, NO_SESSION), (0, END, NO_SESSION)],
        [(900.001, END, SESSION_EXPIRED), (0, ABORT, NO_SESSION)],
        [(7200, ABORT, SESSION_EXPIRED), (0, START, NO_SESSION)],
    ],
    ids=lambda story: " ".join(f"{seconds or ''}{command}" for seconds, command, _ in story),
)
def test_a_story(emulator: Emulator, story: list[tuple[float, str, str]]) -> None:
    life = Life(emulator)
    clock = emulator.clock
    assert isinstance(clock, ManualClock)
    seen = []
    for seconds, command, _ in story:
        clock.advance(seconds)
        seen.append((seconds, command, life.do(command)))
    assert seen == story


def test_a_shorter_life_by_option() -> None:
    limits = with_limit(with_limit(STRICT, "transaction_seconds=0.5"), "session_seconds=2")
    with new_emulator(limits, tick_ms=0) as emulator:
        new_ledger(emulator)
        life = Life(emulator)
        clock = emulator.clock
        assert isinstance(clock, ManualClock)
        clock.advance(0.6)
        assert life.do(COMMIT) == EXPIRED
        clock.advance(1.5)
        assert life.do(START) == SESSION_EXPIRED


def test_a_restart_forgets_sessions_and_keeps_what_was_committed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with Emulator(settings) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        session.run("INSERT INTO T ?", {"a": 1})
        life = Life(emulator)
        life.transaction.execute("INSERT INTO T ?", {"a": 2})
    with Emulator(settings) as emulator:
        life.session._emulator = emulator
        assert life.do(COMMIT) == NO_SESSION
        assert LocalSession(emulator, "cars").run("SELECT VALUE a FROM T") == [1]


def test_expired_sessions_are_swept_with_their_transactions(emulator: Emulator) -> None:
    ledger = emulator.ledgers.find("us-east-1", "cars")
    clock = emulator.clock
    assert ledger is not None
    assert isinstance(clock, ManualClock)
    for _ in range(10):
        LocalSession(emulator, "cars").begin()
    assert ledger.writes.open_count() == 10
    clock.advance(901)
    for _ in range(emulator.sessions.SWEEP_EVERY):
        LocalSession(emulator, "cars")
    assert ledger.writes.open_count() == 0
    assert emulator.sessions.count() <= emulator.sessions.SWEEP_EVERY
