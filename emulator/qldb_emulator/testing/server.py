"""An emulator and its HTTP server inside the process that tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..clock import ManualClock
from ..driver.local import LocalTransport
from ..engine.emulator import Emulator
from ..engine.workbench.snapshots import fork_ledger
from ..engine.workbench.statement_log import StatementRow
from ..ids import RandomIds
from ..records import dataclass
from ..seeding.files import Seeder
from ..seeding.sample_files import sample_path
from ..settings import DEFAULT_REGION, Settings
from ..web.app import create_dispatcher
from ..web.server import Server

if TYPE_CHECKING:
    import boto3
    from pyqldb.driver.qldb_driver import QldbDriver  # type: ignore[import-not-found, import-untyped, unused-ignore]

Seed = str | Path | Iterable[str | Path] | Callable[[Any], object] | None
"""What a ledger begins with: files or folders of statements, tables, scripts; or a function that gets a driver."""

STATEMENTS_KEPT = 10_000
DETERMINISTIC_START_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z; a fork goes on from its own journal if that is later


@dataclass(frozen=True, slots=True)
class TestLedger:
    """A ledger of one test."""

    __test__ = False  # not a test class, although its name begins with Test

    server: LocalServer
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """The endpoint of both APIs."""
        return self.server.url

    def statements(self, after: int = 0) -> list[StatementRow]:
        """Return what ran on it, oldest first: text, parameters, plan, time."""
        return self.server.emulator.statement_log.rows(after, self.name)


class LocalServer:
    """An ephemeral server in this process.  settings: of ``Settings``, such as limits.

    Runs from ``start()`` to ``stop()``, or in a with block.  Any number may run at once, each with its own ledgers.
    """

    def __init__(self, region: str = DEFAULT_REGION, **settings: Any) -> None:
        options = {"has_admin": True, "statement_log": STATEMENTS_KEPT, **settings}
        self.emulator = Emulator(Settings(is_ephemeral=True, region=region, **options))
        self._server = Server(create_dispatcher(self.emulator))
        self._numbers = itertools.count(1)
        self._session: boto3.Session | None = None

    @property
    def url(self) -> str:
        """The endpoint of both APIs, and of the admin interface."""
        return self._server.url

    @property
    def region(self) -> str:
        """The region of its ledgers."""
        return self.emulator.settings.region

    def start(self) -> None:
        """Listen on a free port."""
        self._server.start()

    def stop(self) -> None:
        """Stop, and remove everything."""
        self._server.stop()
        self.emulator.close()

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # --- ledgers -----------------------------------------------------------------------------------------

    def create_ledger(self, name: str, seed: Seed = None, sample: str | None = None) -> TestLedger:
        """Create a ledger and fill it; return it.  Raises QldbError, SeedError."""
        LocalTransport(self.emulator).call(
            "CreateLedger", {"Name": name, "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
        )
        if sample is not None:
            self._seed_files([sample_path(sample)], name)
        if callable(seed):
            with self.driver(name) as driver:
                seed(driver)
        elif seed is not None:
            paths = [seed] if isinstance(seed, str | Path) else list(seed)
            self._seed_files([Path(path) for path in paths], name)
        return TestLedger(self, name)

    def _seed_files(self, paths: list[Path], name: str) -> None:
        seeder = Seeder(LocalTransport(self.emulator), is_new={name: True})
        for path in paths:
            seeder.seed(path, name)

    def fork(self, ledger: str, name: str | None = None, deterministic: str | None = None) -> TestLedger:
        """Create a ledger as a copy of another one as it is now; takes a few milliseconds.

        deterministic: a seed; the fork then has a clock and ids of its own that follow from it.
        """
        name = name or f"{ledger[:20].rstrip('-')}-{next(self._numbers)}"
        clock = ids = None
        if deterministic is not None:
            source = self.emulator.ledgers.find(self.region, ledger)
            tip = source.file.tip() if source is not None else None
            clock = ManualClock(max(DETERMINISTIC_START_MS, tip.timestamp_ms if tip is not None else 0), tick_ms=1)
            ids = RandomIds(clock, deterministic)
        fork_ledger(self.emulator, self.region, ledger, name, None, clock, ids)
        return TestLedger(self, name)

    def delete(self, ledger: str) -> None:
        """Delete a ledger, even a protected one; do nothing if it does not exist."""
        found = self.emulator.ledgers.find(self.region, ledger)
        if found is not None:
            self.emulator.sessions.end_all(found)
            self.emulator.ledgers.delete(found)

    # --- clients -----------------------------------------------------------------------------------------

    @property
    def boto3_session(self) -> boto3.Session:
        """Return a boto3 session with QLDB's models, with any version of boto3.

        Its clients still need an endpoint_url.
        """
        if self._session is None:
            from ..client import session

            self._session = session(self.region)
        return self._session

    def boto3_client(self, service: str = "qldb", **options: Any) -> Any:
        """Return a boto3 client of ``qldb`` or ``qldb-session`` that talks to this server."""
        return self.boto3_session.client(service, endpoint_url=self.url, **options)

    def driver(self, ledger: str, **options: Any) -> QldbDriver:
        """Return a pyqldb driver.  options: of ``QldbDriver``."""
        from ..client import driver

        return driver(ledger, endpoint_url=self.url, boto3_session=self.boto3_session, **options)
