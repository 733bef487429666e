"""After a conflict, transactions begin one at a time, and the next one reads what the one before wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.local_driver import LocalSession, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import retries
from qldb_emulator.engine.ledger.retries import TURNS, Retries
from qldb_emulator.errors import QldbError

LONG = 20.0
"""Seconds after which a test that waits has failed."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn is taken away while the test runs."""
    monkeypatch.setattr(retries, "TURN_SECONDS", LONG)
    monkeypatch.setattr(retries, "WAIT_SECONDS", LONG)


def counter(emulator: Emulator) -> LocalSession:
    """A ledger with one document that counts; returns a session on it."""
    session = new_ledger(emulator)
    session.run("CREATE TABLE Counter")
    session.run("INSERT INTO Counter {'n': 0}")
    return session


def meet_a_conflict(session: LocalSession, other: LocalSession) -> None:
    lost = session.begin()
    lost.execute("UPDATE Counter SET n = n + 1")
    won = other.begin()
    won.execute("UPDATE Counter SET n = n + 1")
    won.commit()
    with pytest.raises(QldbError, match="Optimistic concurrency control"):
        lost.commit()


def another(emulator: Emulator) -> LocalSession:
    return LocalSession(emulator, "cars")


def test_the_next_of_two_that_met_conflicts_waits_and_commits(
    emulator: Emulator, pool: ThreadPoolExecutor, patient: None
) -> None:
    free = counter(emulator)
    one, other = another(emulator), another(emulator)
    meet_a_conflict(one, free)
    meet_a_conflict(other, free)
    first = one.begin()
    starting = pool.submit(other.begin)
    time.sleep(0.05)
    assert not starting.done()
    first.execute("UPDATE Counter SET n = n + 1")
    first.commit()
    second = starting.result(LONG)
    second.execute("UPDATE Counter SET n = n + 1")
    second.commit()
    assert free.run("SELECT VALUE n FROM Counter") == [4]


@pytest.mark.parametrize("ending", ["abort", "end session"])
def test_any_end_of_a_transaction_gives_the_turn_to_the_next(
    emulator: Emulator, pool: ThreadPoolExecutor, patient: None, ending: str
) -> None:
    free = counter(emulator)
    one, other = another(emulator), another(emulator)
    meet_a_conflict(one, free)
    meet_a_conflict(other, free)
    one.begin()
    starting = pool.submit(other.begin)
    one.send("AbortTransaction" if ending == "abort" else "EndSession")
    starting.result(LONG).commit()


def test_a_transaction_that_does_not_end_keeps_the_next_for_a_moment_only(emulator: Emulator) -> None:
    free = counter(emulator)
    one, other = another(emulator), another(emulator)
    meet_a_conflict(one, free)
    meet_a_conflict(other, free)
    one.begin()
    began = time.monotonic()
    other.begin()
    assert retries.TURN_SECONDS * 0.9 < time.monotonic() - began < LONG


def test_a_session_without_a_conflict_never_waits(emulator: Emulator, patient: None) -> None:
    free = counter(emulator)
    one = another(emulator)
    meet_a_conflict(one, free)
    one.begin()
    free.begin()
    another(emulator).begin()


def test_after_some_commits_a_session_waits_no_more(emulator: Emulator, patient: None) -> None:
    free = counter(emulator)
    one, other = another(emulator), another(emulator)
    meet_a_conflict(one, free)
    for _ in range(TURNS):
        one.run("SELECT 1 FROM <<0>>")
    meet_a_conflict(other, free)
    other.begin()
    one.begin()


def test_of_many_at_one_document_few_meet_a_second_conflict(
    emulator: Emulator, pool: ThreadPoolExecutor, patient: None
) -> None:
    free = counter(emulator)
    conflicts = []

    def count_up() -> None:
        session = another(emulator)
        for _ in range(TURNS):
            while True:
                transaction = session.begin()
                transaction.execute("UPDATE Counter SET n = n + 1")
                try:
                    transaction.commit()
                    break
                except QldbError:
                    conflicts.append(session)

    for done in [pool.submit(count_up) for _ in range(8)]:
        done.result(LONG)
    assert free.run("SELECT VALUE n FROM Counter") == [8 * TURNS]
    assert len(conflicts) < 8 * TURNS / 2  # without turns: several for each commit


def test_turns_come_in_the_order_of_asking() -> None:
    turns, order = Retries(), []
    turns.take("first")

    def wait(name: str) -> None:
        turns.take(name)
        order.append(name)
        turns.give(name)

    threads = []
    for name in ("second", "third", "fourth"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        while len(turns._waiting) < len(threads):
            time.sleep(0.001)
    turns.give("first")
    for thread in threads:
        thread.join(LONG)
    assert order == ["second", "third", "fourth"]


def test_who_lost_its_turn_gives_none_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "TURN_SECONDS", 0.01)
    turns = Retries()
    turns.take("slow")
    turns.take("next")
    turns.give("slow")
    assert turns._holder == "next"
