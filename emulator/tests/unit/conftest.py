"""What many tests of the engine begin with; a file that needs another emulator has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_driver import new_emulator

from qldb_emulator.engine.emulator import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An ephemeral emulator of its own, whose clock moves a millisecond at every look."""
    with new_emulator() as made:
        yield made
