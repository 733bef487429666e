"""A clock that is set back or forward: a journal's times never decrease, and every wait ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.local_driver import CONTEXT, LocalSession

from qldb_emulator import clock as clock_module
from qldb_emulator.clock import ManualClock, SystemClock, WallClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings

START_MS = 1_600_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """The machine's clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall_ms = START_MS
        self.seconds = 100.0

    def time_ns(self) -> int:
        return self.wall_ms * 1_000_000

    def monotonic(self) -> float:
        return self.seconds

    def passes(self, seconds: float) -> None:
        self.wall_ms += round(seconds * 1000)
        self.seconds += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clock_module, "time", machine)
    return machine


def test_a_clock_that_is_put_back_goes_on_at_half_the_speed_until_it_is_right(machine):
    clock = SystemClock()
    assert clock.now_ms() == START_MS
    machine.wall_ms -= HOUR_MS
    assert clock.now_ms() == START_MS
    machine.passes(10)
    assert clock.now_ms() == START_MS + 5_000
    for _ in range(10):
        machine.passes(0.0005)
        clock.now_ms()
    assert clock.now_ms() >= START_MS + 5_001, "many looks within a millisecond do not stop it"
    for _ in range(2 * 3_600):
        machine.passes(1)
        before = clock.now_ms()
        assert clock.now_ms() >= before
    assert clock.now_ms() == machine.wall_ms


def test_a_clock_that_is_put_forwards_is_followed(machine):
    clock = SystemClock()
    clock.now_ms()
    machine.wall_ms += HOUR_MS
    assert clock.now_ms() == START_MS + HOUR_MS


def test_signatures_are_measured_by_the_machines_clock_as_it_is(machine):
    clock = WallClock()
    clock.now_ms()
    machine.wall_ms -= HOUR_MS
    assert clock.now_ms() == START_MS - HOUR_MS


# --- A restart with another time ------------------------------------------------------------------------------------


def _emulator(path: Path, now_ms: int, delay_ms: int = 0) -> Emulator:
    clock = ManualClock(now_ms)
    return Emulator(Settings(data_dir=path, state_delay_ms=delay_ms), clock, RandomIds(clock, str(now_ms)))


def _create(emulator: Emulator) -> None:
    members = {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
    emulator.call("CreateLedger", members, CONTEXT)


def _described(emulator: Emulator) -> dict[str, Any]:
    return emulator.call("DescribeLedger", {"Name": "cars"}, CONTEXT)


@pytest.mark.parametrize("delay_ms", [0, 60_000])
def test_what_was_active_is_active_after_the_clock_was_put_back(tmp_path, delay_ms):
    with _emulator(tmp_path, START_MS, delay_ms) as emulator:
        _create(emulator)
        emulator.clock.advance(61)
        assert _described(emulator)["State"] == "ACTIVE"
    with _emulator(tmp_path, START_MS - HOUR_MS, delay_ms) as emulator:
        assert _described(emulator)["State"] == "ACTIVE"
        LocalSession(emulator, "cars").run("CREATE TABLE Car")


def test_a_ledger_with_a_block_after_its_delay_is_active_whatever_the_clock_says(tmp_path):
    with _emulator(tmp_path, START_MS, 60_000) as emulator:
        _create(emulator)
        emulator.clock.advance(61)
        LocalSession(emulator, "cars").run("CREATE TABLE Car")
    with _emulator(tmp_path, START_MS + 30_000, 60_000) as emulator:
        assert _described(emulator)["State"] == "ACTIVE"


def test_a_delay_goes_on_after_a_restart(tmp_path):
    with _emulator(tmp_path, START_MS, 60_000) as emulator:
        _create(emulator)
    with _emulator(tmp_path, START_MS + 30_000, 60_000) as emulator:
        assert _described(emulator)["State"] == "CREATING"


def test_a_deletion_ends_although_the_clock_was_put_back(tmp_path):
    with _emulator(tmp_path, START_MS, 60_000) as emulator:
        _create(emulator)
        emulator.clock.advance(61)
        emulator.call("DeleteLedger", {"Name": "cars"}, CONTEXT)
        assert _described(emulator)["State"] == "DELETING"
    with _emulator(tmp_path, START_MS - HOUR_MS, 60_000) as emulator:
        assert emulator.call("ListLedgers", {}, CONTEXT)["Ledgers"] == []


def test_a_key_is_enabled_although_the_clock_was_put_back(tmp_path):
    with _emulator(tmp_path, START_MS) as emulator:
        _create(emulator)
    with _emulator(tmp_path, START_MS + 1, 60_000) as emulator:
        emulator.call("UpdateLedger", {"Name": "cars", "KmsKey": "alias/k"}, CONTEXT)
        assert _described(emulator)["EncryptionDescription"]["EncryptionStatus"] == "UPDATING"
    with _emulator(tmp_path, START_MS - HOUR_MS, 60_000) as emulator:
        assert _described(emulator)["EncryptionDescription"]["EncryptionStatus"] == "ENABLED"


def test_times_of_a_journal_and_questions_about_them_go_on_from_the_last_block(tmp_path):
    with _emulator(tmp_path, START_MS) as emulator:
        _create(emulator)
        session = LocalSession(emulator, "cars")
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car {'n': 1}")
    with _emulator(tmp_path, START_MS - HOUR_MS) as emulator:
        session = LocalSession(emulator, "cars")
        session.run("INSERT INTO Car {'n': 2}")
        times = session.run("SELECT VALUE metadata.txTime FROM _ql_committed_Car")
        assert {time.epoch_ms() for time in times} == {START_MS}
        # An end that is not given is now, and now is not before what has happened.
        assert len(session.run("SELECT * FROM history(Car, `2020-01-01T`)")) == 2
        assert session.run("SELECT VALUE utcnow() FROM <<1>> AS x")[0].epoch_ms() == START_MS
