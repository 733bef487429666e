"""What ``serve`` fills its ledgers with, at its start and after a reset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ADMIN_REQUEST
from ..seeding.sample_files import sample_path

if TYPE_CHECKING:
    from ..engine.emulator import Emulator
    from ..seeding.files import Seeder
    from ..verify import Container


class Seeds:
    """The seeds of one server, in order.

    samples: names of samples.  paths: files and folders.  url: for programs among them.  authority: a certificate that
    they must trust for it.
    """

    def __init__(
        self,
        emulator: Emulator,
        url: str,
        samples: tuple[str, ...],
        paths: tuple[Path, ...],
        authority: Path | None = None,
    ) -> None:
        self._emulator = emulator
        self._authority = authority
        self._url = url
        self._samples = samples
        self._paths = paths
        self._seeder: Seeder | None = None

    def __bool__(self) -> bool:
        return bool(self._samples or self._paths)

    def run(self) -> None:
        """Run every seed.  Raises SeedError."""
        # Late: a server without seeds does not need what they need.
        from ..driver.local import LocalTransport
        from ..seeding.files import Seeder

        seeder = self._seeder = Seeder(LocalTransport(self._emulator), self.environment(), self._import_journal)
        for name in self._samples:
            seeder.seed(sample_path(name), name)
        for path in self._paths:
            seeder.seed(path)
        self._seeder = None

    def cancel(self) -> None:
        """End what runs.  For another thread."""
        if self._seeder is not None:
            self._seeder.cancel()

    def run_after_reset(self) -> None:
        """The same for the admin interface.  Raises QldbError."""
        from ..seeding.files import SeedError

        try:
            self.run()
        except SeedError as error:
            raise ADMIN_REQUEST(text=f"the seed failed: {error}") from error

    def environment(self) -> dict[str, str]:
        """A program's environment, in which SDKs and the AWS CLI find this server."""
        region = self._emulator.settings.region
        trust = ("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
        return {
            **({} if self._authority is None else dict.fromkeys(trust, str(self._authority))),
            **os.environ,
            "AWS_ENDPOINT_URL_QLDB": self._url,
            "AWS_ENDPOINT_URL_QLDB_SESSION": self._url,
            "QLDB_EMULATOR_URL": self._url,
            "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", region),
            "AWS_REGION": os.environ.get("AWS_REGION", region),
            "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "local"),
            "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        }

    def _import_journal(self, folder: Path, ledger: str) -> None:
        from ..engine.workbench.imports import NotImported, Wanted
        from ..seeding.files import SeedError
        from ..verify import SourceError, choose_journal
        from .failure import Failure
        from .import_ import import_journal

        emulator = self._emulator
        region = emulator.settings.region
        try:
            with _container(folder, region) as container:
                journal = choose_journal(container, None, None)
                wanted = Wanted(ledger, journal.strand_id, emulator.clock.now_ms(), is_writable=True)
                import_journal(emulator.directory, region, wanted, container, journal, None)
        except NotImported as error:
            raise SeedError(f"{folder}: the journal is broken, see: qldb-emulator verify {folder}") from error
        except (SourceError, Failure) as error:
            raise SeedError(f"{folder}: {error}") from error


@contextmanager
def _container(folder: Path, region: str) -> Iterator[Container]:
    from ..verify import open_container

    container = open_container(str(folder), region, None)
    try:
        yield container
    finally:
        container.close()
