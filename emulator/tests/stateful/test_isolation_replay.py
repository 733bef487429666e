"""Random interleavings are serializable in the order of their commits, and the auditor detects those that are not."""

from __future__ import annotations

from collections import Counter

import pytest
from helpers.isolation_auditor import audit
from helpers.isolation_workload import Record, Step, run_workload

from qldb_emulator.engine.ledger.conflicts import WriteLog


@pytest.mark.parametrize("seed", range(40))
def test_a_history_equals_its_serial_replay(seed: int) -> None:
    assert audit(run_workload(seed, steps=250)) == []


def test_the_workload_does_what_it_is_for() -> None:
    records = [record for seed in range(8) for record in run_workload(seed, steps=250)]
    outcomes = Counter(record.outcome for record in records)
    assert outcomes["committed"] > 150
    assert outcomes["conflict"] > 50
    assert outcomes["aborted"] > 5
    assert outcomes["expired"] > 3
    seen = Counter(step.name for record in records for step in record.steps if step.rows)
    assert min(seen[name] for name in ("scan", "seek", "fetch", "history", "catalogue", "join", "committed")) > 3
    assert any(step.error for record in records if record.outcome == "committed" for step in record.steps)


def test_without_conflicts_the_auditor_finds_anomalies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WriteLog, "conflict", lambda *_: None)
    found = 0
    for seed in range(10):
        try:
            found += bool(audit(run_workload(seed, steps=250)))
        except Exception:  # the journal refuses what an unchecked transaction wants: as good as an anomaly
            found += 1
    assert found >= 8


@pytest.mark.parametrize("kind", ["table", "document", "key", "catalogue", "name"])
def test_forgetting_one_kind_of_mark_is_noticed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    complete = WriteLog.conflict

    def forgetful(self: WriteLog, marks: set, snapshot: int) -> object:  # type: ignore[type-arg]
        return complete(self, {mark for mark in marks if mark[0] != kind}, snapshot)

    monkeypatch.setattr(WriteLog, "conflict", forgetful)
    for seed in range(60):
        try:
            if audit(run_workload(seed, steps=250)):
                return
        except Exception:
            return
    pytest.fail(f"nothing was noticed without marks of kind {kind}")


def test_a_lost_update_is_found() -> None:
    setup = Record([Step("create_table", ("A",), [{}]), _insert("i" * 22, 1, 10)], "committed", 0)
    first = Record([Step("seek", ("A", 1), [_row("i" * 22, 1, 10)]), _update(11, "i" * 22)], "committed", 1)
    second = Record([Step("seek", ("A", 1), [_row("i" * 22, 1, 10)]), _update(12, "i" * 22)], "committed", 2)
    assert audit([setup, first]) == []
    assert len(audit([setup, first, second])) == 1


def _insert(document_id: str, key: int, value: int) -> Step:
    return Step("insert", ("A", {"k": key, "v": value}), [{"documentId": document_id}])


def _update(value: int, document_id: str) -> Step:
    return Step("update_key", ("A", value, 1), [{"documentId": document_id}])


def _row(document_id: str, key: int, value: int) -> dict[str, object]:
    return {"doc": {"k": key, "v": value}, "id": document_id}
