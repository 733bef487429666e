"""The budget of a running statement: when it looks, and what it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from qldb_emulator import budget as module
from qldb_emulator.budget import UNBOUNDED, Budget, charge, check, current, enter, leave
from qldb_emulator.errors import QldbError

PATIENCE_SECONDS = 5.0


class Ended(Exception):
    pass


def _end() -> None:
    raise Ended


def _wait_until_due(budget: Budget) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not budget.is_due:
        assert time.monotonic() < deadline, "it was never marked"
        time.sleep(0.001)


@pytest.fixture
def entered() -> Iterator[Budget]:
    budget = Budget(_end, 1_000)
    enter(budget)
    yield budget
    leave()


def test_a_statement_that_runs_on_looks_again_and_again(entered):
    for _ in range(3):
        _wait_until_due(entered)
        with pytest.raises(Ended):
            check()
        assert not entered.is_due


def test_a_statement_that_is_over_is_not_marked_any_more(entered):
    leave()
    assert current() is UNBOUNDED
    entered.is_due = False
    other = Budget(_end, 1_000)
    enter(other)
    _wait_until_due(other)
    assert not entered.is_due


def test_each_thread_has_its_own(entered):
    seen: list[Budget] = []
    thread = threading.Thread(target=lambda: seen.append(current()))
    thread.start()
    thread.join()
    assert (seen, current()) == ([UNBOUNDED], entered)


def test_memory_is_counted_anew_for_each_command(entered):
    entered.keep(600)
    with pytest.raises(QldbError, match="more than 1000 bytes of memory"):
        charge(401)
    enter(entered)
    charge(1_000)


def test_what_was_added_without_a_comparison_is_compared_by_the_next_look(entered):
    entered.held += 1_001
    with pytest.raises(QldbError, match="more than 1000 bytes of memory"):
        entered.look()


def test_the_thread_that_marks_ends_when_there_is_nothing_to_mark_and_begins_again(monkeypatch, entered):
    _wait_until_due(entered)
    monkeypatch.setattr(module, "_IDLE_LOOKS", 2)
    leave()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(thread.name == "statement-budgets" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "it runs on"
        time.sleep(0.01)
    entered.is_due = False
    enter(entered)
    _wait_until_due(entered)


def test_outside_of_a_command_nothing_is_bounded():
    assert current() is UNBOUNDED
    charge(10**12)
    check()
