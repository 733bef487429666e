"""One emulator: the object that owns all state.  Nothing is global, so a test may hold two."""

from __future__ import annotations

from typing import Any

from ..clock import Clock, SystemClock
from ..context import RequestContext
from ..ids import IdSource, RandomIds
from ..settings import Settings
from ..storage.directory import DataDirectory
from .control import call_operation
from .determinism import deterministic_sources
from .ledgers import Ledgers
from .sessions import Sessions

Members = dict[str, Any]


class Emulator:
    """A QLDB: ledgers in a directory, sessions in memory.

    Raises DirectoryInUseError when another process has the data directory.
    """

    def __init__(
        self, settings: Settings | None = None, clock: Clock | None = None, ids: IdSource | None = None
    ) -> None:
        self.settings = settings or Settings()
        self.directory = DataDirectory(None if self.settings.is_ephemeral else self.settings.data_dir)
        seed = self.settings.deterministic_seed
        if seed is not None and clock is None and ids is None:
            clock, ids = deterministic_sources(seed, self.directory)
        self.clock: Clock = clock or SystemClock()
        self.ids: IdSource = ids or RandomIds(self.clock)
        self.ledgers = Ledgers(self.directory, self.settings, self.clock, self.ids)
        self.sessions = Sessions(self)

    def call(self, operation: str, members: Members, context: RequestContext) -> Members:
        """A control plane operation: request members in, result members out.  Raises QldbError."""
        return call_operation(self, operation, members, context.region)

    def send_command(self, command: str, token: str | None, members: Members, context: RequestContext) -> Members:
        """One command of SendCommand; its result members but for TimingInformation.  Raises QldbError."""
        return self.sessions.send(command, token, members, context)

    def close(self) -> None:
        """Close every ledger and leave the data directory to others."""
        self.ledgers.close()
        self.directory.close()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
