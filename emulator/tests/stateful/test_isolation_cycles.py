"""Concurrent histories have no dependency cycle, and the checker finds every kind of cycle that it should."""

from __future__ import annotations

import pytest
from cycle_load import run_load
from helpers.cycles import Observed, anomalies

from qldb_emulator.engine.ledger.conflicts import WriteLog


@pytest.mark.parametrize(("over_http", "transactions"), [(True, 700), (False, 2_500)], ids=["over HTTP", "in process"])
def test_concurrent_transactions_make_no_cycle(over_http: bool, transactions: int) -> None:
    load, found = run_load(transactions, threads=8, over_http=over_http)
    assert found == []
    assert load.counts["committed"] > transactions / 5
    assert load.counts["conflict"] > 10


def test_without_conflicts_the_checker_finds_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WriteLog, "conflict", lambda *_: None)
    for seed in range(5):
        try:
            _, found = run_load(600, threads=8, over_http=False, seed=seed)
        except AssertionError:  # a key twice: seen by the workload itself
            return
        if found:
            return
    pytest.fail("nothing was found without conflicts")


def done(
    began: float, ended: float, reads: dict[str, int | None] | None = None, writes: dict[str, list[int]] | None = None
) -> Observed:
    return Observed(began, ended, True, reads or {}, writes or {})


LOST = Observed(0, 9, False, {}, {"x": [7]})

HISTORIES = {
    "a serial history": ([done(0, 1, {"x": None}, {"x": [1]}), done(2, 3, {"x": 1}, {"x": [2]})], {"x": [1, 2]}, None),
    "concurrent reads before": ([done(0, 9, {"x": None}, {"x": [1]}), done(0, 9, {"x": None})], {"x": [1]}, None),
    "an aborted read": ([LOST, done(0, 9, {"x": 7})], {"x": []}, "aborted read"),
    "an aborted write": ([LOST], {"x": [7]}, "aborted write"),
    "an intermediate read": ([done(0, 9, {}, {"x": [1, 2]}), done(0, 9, {"x": 1})], {"x": [1, 2]}, "intermediate read"),
    "a lost update": (
        [done(0, 9, {"x": None}, {"x": [1]}), done(0, 9, {"x": None}, {"x": [2]})],
        {"x": [1]},
        "lost update",
    ),
    "a lost update that stays": (
        [done(0, 9, {"x": None}, {"x": [1]}), done(0, 9, {"x": None}, {"x": [2]})],
        {"x": [1, 2]},
        "cycle",
    ),
    "a write cycle": (
        [done(0, 9, {}, {"x": [1], "y": [4]}), done(0, 9, {}, {"x": [2], "y": [3]})],
        {"x": [1, 2], "y": [3, 4]},
        "cycle",
    ),
    "circular information": (
        [done(0, 9, {"y": 2}, {"x": [1]}), done(0, 9, {"x": 1}, {"y": [2]})],
        {"x": [1], "y": [2]},
        "cycle",
    ),
    "a write skew": (
        [done(0, 9, {"x": None}, {"y": [1]}), done(0, 9, {"y": None}, {"x": [2]})],
        {"x": [2], "y": [1]},
        "cycle",
    ),
    "a read skew": (
        [done(0, 9, {}, {"x": [1], "y": [2]}), done(0, 9, {"x": 1, "y": None})],
        {"x": [1], "y": [2]},
        "cycle",
    ),
    "a long fork": (
        [
            done(0, 9, {}, {"x": [1]}),
            done(0, 9, {}, {"y": [2]}),
            done(0, 9, {"x": 1, "y": None}),
            done(0, 9, {"x": None, "y": 2}),
        ],
        {"x": [1], "y": [2]},
        "cycle",
    ),
    "a stale read": ([done(0, 1, {}, {"x": [1]}), done(2, 3, {"x": None})], {"x": [1]}, "cycle"),
    "a version twice": ([done(0, 1, {}, {"x": [1]})], {"x": [1, 1]}, "version twice"),
}


@pytest.mark.parametrize(("history", "final", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
def test_the_checker_knows(history: list[Observed], final: dict[str, list[int]], expected: str | None) -> None:
    found = anomalies(history, final)
    assert (found == []) == (expected is None)
    assert expected is None or any(expected in text for text in found)
