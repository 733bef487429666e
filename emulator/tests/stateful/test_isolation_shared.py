"""Servers over a log that loses answers: the same history as one transaction after the other, for every seed.

``isolation_search.py --seeds 3000`` runs many more.
"""

from __future__ import annotations

import pytest
from helpers.isolation_auditor import audit
from helpers.isolation_workload import run_over_a_faulty_log

from qldb_emulator.engine.ledger.conflicts import WriteLog
from qldb_emulator.storage import LedgerFile


@pytest.mark.parametrize("servers", [1, 2, 4])
@pytest.mark.parametrize("seed", range(10))
def test_a_faulty_log_changes_no_history(seed: int, servers: int) -> None:
    assert audit(run_over_a_faulty_log(seed, steps=120, servers=servers)) == []


@pytest.mark.parametrize(("seed", "servers"), [(291, 4), (358, 3), (1050, 3)])
def test_histories_that_were_wrong_once(seed: int, servers: int) -> None:
    """A transaction whose statements had all failed was not validated against blocks of other servers."""
    assert audit(run_over_a_faulty_log(seed, steps=80, servers=servers)) == []


def findings(seeds: int) -> int:
    """In how many seeds the search finds something."""
    found = 0
    for seed in range(seeds):
        try:
            found += bool(audit(run_over_a_faulty_log(seed, steps=120, servers=2)))
        except AssertionError:  # the log refuses what it is given, or the servers differ
            found += 1
    return found


def test_the_search_finds_a_server_that_does_not_validate_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction whose slot was taken is validated against the blocks that came first, or writes are lost."""
    monkeypatch.setattr(WriteLog, "conflict", lambda *_: None)
    assert findings(5) > 0


def test_the_search_finds_a_server_that_forgets_to_look_for_its_own_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without that look a lost answer commits a transaction twice, or tells its client of a conflict with itself."""
    monkeypatch.setattr(LedgerFile, "has_transaction", lambda *_: False)
    assert findings(5) > 0
