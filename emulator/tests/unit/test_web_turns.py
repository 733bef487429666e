"""Short requests beside a long one: threads change turns sooner, for as long as that lasts."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from qldb_emulator.web import turns as module
from qldb_emulator.web.turns import CROWD, CROWDED_SECONDS, HURRIED_SECONDS, LONG_SECONDS, SWITCH_SECONDS, Turns

A, B = 1, 2
NOW = 100.0
SOON, LATER = NOW + LONG_SECONDS / 2, NOW + LONG_SECONDS * 2


class Threads:
    """Requests of several threads, played by one.  Steps say who begins or ends, and when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._present = A
        monkeypatch.setattr(module.threading, "get_ident", lambda: self._present)
        self._turns = Turns()

    def begin(self, thread: int, now: float) -> float:
        self._present = thread
        self._turns.begin(now)
        return round(sys.getswitchinterval(), 6)

    def end(self, thread: int, now: float) -> float:
        self._present = thread
        self._turns.end(now)
        return round(sys.getswitchinterval(), 6)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    before = sys.getswitchinterval()
    yield Threads(monkeypatch)
    sys.setswitchinterval(before)


def test_a_request_beside_a_long_one_makes_turns_short_until_the_long_one_ends(threads: Threads) -> None:
    assert threads.begin(A, NOW) == SWITCH_SECONDS
    assert threads.begin(B, LATER) == HURRIED_SECONDS
    assert threads.end(B, LATER) == HURRIED_SECONDS  # the next request will be glad of it
    assert threads.end(A, LATER) == SWITCH_SECONDS


def test_requests_that_are_all_short_change_nothing(threads: Threads) -> None:
    assert threads.begin(A, NOW) == SWITCH_SECONDS
    assert threads.begin(B, SOON) == SWITCH_SECONDS
    assert threads.end(A, SOON) == SWITCH_SECONDS
    assert threads.end(B, LATER) == SWITCH_SECONDS


def test_a_long_request_alone_changes_nothing(threads: Threads) -> None:
    assert threads.begin(A, NOW) == SWITCH_SECONDS
    assert threads.end(A, LATER) == SWITCH_SECONDS
    assert threads.begin(B, LATER) == SWITCH_SECONDS


def test_an_end_without_a_beginning_is_nothing(threads: Threads) -> None:
    assert threads.end(A, NOW) == SWITCH_SECONDS


def test_a_crowd_of_short_requests_makes_turns_long_until_half_of_it_is_answered(threads: Threads) -> None:
    for thread in range(CROWD - 1):
        assert threads.begin(thread, NOW) == SWITCH_SECONDS
    assert threads.begin(CROWD, NOW) == CROWDED_SECONDS
    for thread in range(CROWD // 2 - 1):
        assert threads.end(thread, NOW) == CROWDED_SECONDS
    assert threads.end(CROWD, NOW) == SWITCH_SECONDS


def test_requests_of_a_crowd_that_wait_for_each_other_are_not_long(threads: Threads) -> None:
    for thread in range(CROWD):
        threads.begin(thread, NOW)
    assert threads.begin(CROWD, LATER) == CROWDED_SECONDS


def test_a_request_that_is_long_for_a_crowd_makes_turns_short(threads: Threads) -> None:
    threads.begin(A, NOW)
    later = NOW + LONG_SECONDS * (CROWD + 1)
    for thread in range(10, 10 + CROWD):
        threads.begin(thread, later)
    assert threads.begin(B, later) == HURRIED_SECONDS
    assert threads.end(B, later) == HURRIED_SECONDS
    assert threads.end(A, later) == CROWDED_SECONDS
