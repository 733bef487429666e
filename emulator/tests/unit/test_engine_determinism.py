"""A seeded emulator: what repeats, what does not disturb it, and how it continues after a restart."""

from __future__ import annotations

from pathlib import Path

from helpers.local_driver import CONTEXT, LocalSession, new_ledger

from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings


def journal(emulator: Emulator) -> list[bytes]:
    ledger = emulator.ledgers.find(CONTEXT.region, "cars")
    assert ledger is not None
    return [ion for _, ion in ledger.file.blocks()]


def work(session: LocalSession) -> None:
    session.run("CREATE TABLE Car")
    session.run("INSERT INTO Car ?", {"VIN": "1"})


def test_two_runs_leave_the_same_journal() -> None:
    journals = []
    for _ in range(2):
        with Emulator(Settings(is_ephemeral=True, deterministic_seed="s")) as emulator:
            work(new_ledger(emulator))
            journals.append(journal(emulator))
    assert journals[0] == journals[1]


def test_request_ids_move_neither_the_clock_nor_other_ids() -> None:
    found = []
    for request_ids in (0, 3):
        clock = ManualClock(tick_ms=1)
        ids = RandomIds(clock, "s")
        for _ in range(request_ids):
            assert len(ids.new_request_id()) == 22
        found.append((ids.new_id(), ids.new_token(), clock.now_ms()))
    assert found[0] == found[1]


def test_after_a_restart_no_id_is_given_twice_and_time_goes_on(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, deterministic_seed="s")
    with Emulator(settings) as emulator:
        work(new_ledger(emulator))
        first = journal(emulator)
        last_ms = emulator.clock.now_ms()
    with Emulator(settings) as emulator:
        assert emulator.clock.now_ms() > last_ms - 10
        LocalSession(emulator, "cars").run("INSERT INTO Car ?", {"VIN": "2"})
        ledger = emulator.ledgers.find(CONTEXT.region, "cars")
        assert ledger is not None
        assert ledger.file.counts().live_documents == 2
        assert journal(emulator)[: len(first)] == first
