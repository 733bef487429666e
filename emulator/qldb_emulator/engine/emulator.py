"""One emulator, composed of its parts: it owns all state.  Nothing is global, so a test may hold two."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..clock import Clock, SystemClock
from ..context import CommandResult, RequestContext
from ..ids import IdSource, RandomIds
from ..log.opening import open_logs
from ..log.seam import Logs
from ..log.sqlite import SqliteLogs
from ..settings import Settings
from ..storage.connections import Durability
from ..storage.directory import DataDirectory
from ..storage.errors import StorageError
from .ledger.register import Register
from .outgoing.exports import Exports, has_running_exports
from .outgoing.stream_facts import has_running_streams
from .outgoing.streams import Streams
from .service import call_operation
from .workbench.determinism import deterministic_sources
from .workbench.faults import Faults
from .workbench.statement_log import StatementLog

if TYPE_CHECKING:
    from .ledger.ledger import Ledger
    from .outgoing.local_streams import StreamFile
    from .outgoing.streams import OpenTarget
    from .session.sessions import Sessions
    from .steward import Steward

Members = dict[str, Any]


class Emulator:
    """A QLDB: ledgers in a directory, sessions in memory.

    open_target: where journal streams are delivered to; by default Kinesis, see Settings.
    logs: where the journals are; by default in the ledgers' own files.

    Raises DirectoryInUseError if another process has the data directory, StorageError for a bad stream file.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        open_target: OpenTarget | None = None,
        logs: Logs | None = None,
    ) -> None:
        self.settings = settings or Settings()
        # With a shared log the files are caches of it: they need no sync.
        if logs is None and self.settings.journal is not None:
            logs = open_logs(self.settings.journal)
        durability: Durability | None = "cache" if logs is not None and logs.is_shared else None
        self.directory = DataDirectory(None if self.settings.is_ephemeral else self.settings.data_dir, durability)
        seed = self.settings.deterministic_seed
        if seed is not None and clock is None and ids is None:
            clock, ids = deterministic_sources(seed, self.directory)
        self.clock: Clock = clock or SystemClock()
        self.ids: IdSource = ids or RandomIds(self.clock)
        self.logs: Logs = logs or SqliteLogs(self.directory)
        self.ledgers = Register(self.directory, self.logs, self.settings, self.clock, self.ids)
        self.faults = Faults()
        self.statement_log = StatementLog(self.settings.statement_log)
        self._sessions: Sessions | None = None
        self._sessions_lock = threading.Lock()
        self.streams = Streams(self.settings, self.clock, open_target)
        self.exports = Exports(self.settings, self.clock)
        self.stream_file = self._open_stream_file()
        self.ledgers.on_open = self._resume
        self.ledgers.on_delete = self._finish
        self.steward = self._make_steward()

    @property
    def sessions(self) -> Sessions:
        """The sessions.  What runs statements is imported with them: that is a quarter of a start."""
        if self._sessions is None:
            with self._sessions_lock:  # several first requests at once, or one beside get_ready
                if self._sessions is None:
                    from .session.sessions import Sessions

                    self._sessions = Sessions(
                        self.ledgers, self.settings, self.clock, self.ids, self.faults, self.statement_log
                    )
        return self._sessions

    def get_ready(self) -> None:
        """Import what the first statement would otherwise import and wait for.  For a thread beside the server."""
        self.ledgers.get_ready()
        _ = self.sessions

    def _make_steward(self) -> Steward | None:
        """This server among the others; None when the journals have no other server."""
        servers = self.logs.servers
        if servers is None:
            return None
        from .steward import Steward  # only a server among others has one

        steward = Steward(
            servers, self.ledgers, self.streams, self.exports, self.ids, self.ledgers.close_open, self.sessions.move
        )
        self.streams.runs_here = self.exports.runs_here = steward.owns
        self.sessions.name_token = steward.token
        return steward

    def _open_stream_file(self) -> StreamFile | None:
        path = self.settings.stream_file
        if path is None:
            return None
        from .outgoing.local_streams import LOCAL, StreamFile  # only a server with such a file needs it

        try:
            return StreamFile(path, lambda ledger: self.streams.arn(ledger, LOCAL))
        except OSError as error:
            self.directory.close()
            raise StorageError(f"The stream file {path} cannot be opened: {error.strerror}") from error

    def call(self, operation: str, members: Members, context: RequestContext) -> Members:
        """Run a control plane operation on request members; return the result's.  Raises QldbError."""
        return call_operation(self, operation, members, context)

    def send_command(self, command: str, token: str | None, members: Members, context: RequestContext) -> CommandResult:
        """Send one command of the session API.  Raises QldbError; ConnectionDropped when a fault rule says so."""
        sessions = self._sessions or self.sessions
        return sessions.send(command, token, members, context)

    def resume_streams(self) -> None:
        """Open the ledgers that have streams or exports to deliver; the others are opened by their first request."""
        self.ledgers.open_where(lambda facts: has_running_streams(facts) or has_running_exports(facts))

    def _resume(self, ledger: Ledger) -> None:
        self.streams.resume(ledger)
        self.exports.resume(ledger)
        if self.stream_file is not None:
            self.stream_file.follow(ledger)

    def _finish(self, ledger: Ledger) -> None:
        self.streams.end_ledger(ledger)
        if self.stream_file is not None:
            self.stream_file.finish(ledger)

    def close(self) -> None:
        """Close every ledger and leave the data directory to others."""
        self.ledgers.is_shut = True  # requests still in flight must not open a ledger again
        if self.steward is not None:
            self.steward.close()
        self.streams.close()
        self.exports.close()
        if self.stream_file is not None:
            self.stream_file.close()
        self.ledgers.close()
        self.logs.close()
        self.directory.close()

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
