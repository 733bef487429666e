"""Fixtures of many engine tests; a file that needs another emulator defines its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.local_driver import new_emulator, over_shared_log

from qldb_emulator.engine.emulator import Emulator

# Tests of these files hold for any log: they run over SQLite alone, and over a log that servers share.
OVER_BOTH_LOGS = {"test_engine_transactions", "test_engine_sessions", "test_session_life", "test_engine_dialect"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "emulator" in metafunc.fixturenames and metafunc.module.__name__ in OVER_BOTH_LOGS:
        metafunc.parametrize("emulator", ["SQLite alone", "shared log"], indirect=True)


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An ephemeral emulator of its own, whose clock moves a millisecond at every look."""
    with over_shared_log(getattr(request, "param", "") == "shared log"), new_emulator() as made:
        yield made
