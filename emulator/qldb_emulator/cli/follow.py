"""``qldb-emulator follow``: tables in SQLite or PostgreSQL, kept up to date from a ledger."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from ..driver.http import UnreachableError
from . import options
from .connection import answering, transport
from .failure import Failure, complain
from .options import Unreadable

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from ..tables import Follower

POLL_SECONDS = 0.2
RETRY_SECONDS = (0.5, 1, 2, 5, 10)  # after a lost connection; the last one again and again


class Blocks(Protocol):
    """The blocks of a ledger that goes on.  description: in words."""

    description: str
    strand_id: str

    def first(self) -> int:
        """The number of the first block there is."""

    def values(self, start: int, count: int) -> Iterable[Any]:
        """The blocks from a number on, so many at most, as Ion values."""

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None when there is no such block."""


@click.command(
    epilog="Exit code: 0 done (--once), 1 the target cannot be written or follows another ledger, 2 wrong usage, "
    "3 the ledger could not be read, 130 interrupted. Everything that was written is whole in every case."
)
@click.argument("ledger", metavar="LEDGER")
@click.option("--to", "target", metavar="TARGET", required=True, help="sqlite:FILE or postgresql://...")
@click.option("--only", metavar="TABLE", multiple=True, help="Only this table; may be given several times.")
@click.option("--flatten", is_flag=True, help="Give the fields of structs columns of their own, as owner_name.")
@click.option("--once", is_flag=True, help="Bring the tables up to date and end.")
@options.server_url
@options.data_dir
@options.region
@answering
def follow(
    ledger: str,
    target: str,
    only: tuple[str, ...],
    flatten: bool,
    once: bool,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Keep tables up to date from a ledger, also while its server runs: every block exactly once.

    It may be interrupted, killed and started again at any time; so may the server and the database.
    Without --url it reads the ledger's file. With --url it asks a server for each block, with GetDigest and GetBlock.
    """
    from ..tables import Follower, TargetError, open_store
    from ..tables.build import Options
    from ..tables.rows import TableMapError

    with _opened(ledger, url, data_dir, region) as blocks:
        try:
            store = open_store(target)
            try:
                wanted = Options(frozenset(only) or None, flatten)
                _run(blocks, Follower(store, blocks.strand_id, blocks.description, wanted), target, once)
            finally:
                store.close()
        except (TargetError, TableMapError) as error:
            raise Failure(str(error)) from error


@contextmanager
def _opened(ledger: str, url: str | None, data_dir: Path | None, region: str) -> Iterator[Blocks]:
    """The blocks of a ledger's file, or of a server."""
    if url is not None:
        from .remote import ServerBlocks

        yield ServerBlocks(transport(url, region), ledger)
        return
    with options.named_ledger(ledger, data_dir, region) as (file, name):
        yield FileBlocks(file, name)


def _run(blocks: Blocks, follower: Follower, target: str, once: bool) -> None:
    """Step by step; a lost connection is waited for, unless the tables are brought up to date once."""
    from ..tables import ConnectionLost

    failures = total = 0
    first: int | None = None
    while True:
        try:
            if first is None:
                follower.check_last(blocks.block_hash)
                first = blocks.first()
            taken = follower.step(blocks.values, first)
            failures = 0
        except (ConnectionLost, UnreachableError) as error:
            if once:
                raise
            complain(f"{error}; trying again")
            time.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1
            continue
        total += taken
        if taken:
            continue
        if once:
            click.echo(f"{target} is up to date; {total:,} blocks were new.")
            return
        time.sleep(POLL_SECONDS)


class FileBlocks:
    """The blocks of a ledger's file."""

    def __init__(self, file: LedgerFile, name: str) -> None:
        self._file = file
        self.description = f"ledger {name} in {file.path}"
        self.strand_id: str = file.meta("strand_id", "")

    def first(self) -> int:
        """The number of the first block there is; a ledger that was cut off begins later."""
        return next((number for number, _ in self._file.blocks(0, None, 1)), 0)

    def values(self, start: int, count: int) -> Iterator[Any]:
        """The blocks from a number on.  Raises Unreadable."""
        from ..ion.codec import IonError, loads

        for number, ion in self._file.blocks(start, start + count - 1):
            try:
                yield loads(ion)
            except IonError as error:
                raise Unreadable(f"block {number} of {self._file.path} cannot be read: {error}") from error

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None when there is no such block."""
        return self._file.merkle_nodes([(0, number)]).get((0, number))
