"""``qldb-emulator follow``: tables in SQLite or PostgreSQL, kept up to date from a ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..driver.http import UnreachableError
from . import options
from .connection import answering, transport
from .failure import Failure, complain
from .options import Unreadable
from .places import place_of, refuse_meaningless
from .words import counted

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from ..tables import Follower
    from .remote import ServerBlocks

POLL_SECONDS = 0.2
RETRY_SECONDS = (0.5, 1, 2, 5, 10)  # after a lost connection; the last one again and again


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
@click.pass_context
@answering
def follow(
    context: click.Context,
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

    It may be interrupted, killed and started again at any time; so may the server and the database.  With --url or
    QLDB_EMULATOR_URL the blocks are fetched from that server, one by one.
    """
    from ..tables import Follower, TargetError, open_store
    from ..tables.build import Options
    from ..tables.rows import TableMapError

    url = options.server_of(context, url, ledger)
    refuse_meaningless(context, place_of(ledger, url))
    with _blocks(ledger, url, options.region_of_server(context, region), data_dir, region) as blocks:
        strand_id = blocks.strand_id  # asked first: without such a ledger, no file appears as the target
        try:
            store = open_store(target)
            try:
                wanted = Options(frozenset(only) or None, flatten)
                follower = Follower(store, strand_id, blocks.description, wanted)
                _run(blocks, follower, target, once)
            finally:
                store.close()
        except (TargetError, TableMapError) as error:
            raise Failure(str(error)) from error


@contextmanager
def _blocks(
    ledger: str, url: str | None, region_of_server: str | None, data_dir: Path | None, region: str
) -> Iterator[FileBlocks | ServerBlocks]:
    """Where the blocks are: on a server, or in a ledger's file."""
    if url is not None:
        from .remote import ServerBlocks

        yield ServerBlocks(transport(url, region_of_server), ledger)
        return
    with options.named_ledger(ledger, data_dir, region) as (file, name):
        yield FileBlocks(file, name)


class FileBlocks:
    """The blocks in a ledger's file, as they are now."""

    def __init__(self, file: LedgerFile, name: str) -> None:
        self.description = f"ledger {name} in {file.path}"
        self.strand_id: str = file.meta("strand_id", "")
        self._file = file

    def first(self) -> int:
        """The number of the first block."""
        return next((number for number, _ in self._file.blocks(0, None, 1)), 0)

    def values(self, start: int, count: int) -> Iterator[Any]:
        """Up to count blocks from a number on.  Raises Unreadable."""
        from ..ion.codec import IonError, loads

        for number, ion in self._file.blocks(start, start + count - 1):
            try:
                yield loads(ion)
            except IonError as error:
                raise Unreadable(f"block {number} of {self._file.path} cannot be read: {error}") from error

    def block_hash(self, number: int) -> bytes | None:
        """The hash of a block; None if there is no such block."""
        return self._file.merkle_nodes([(0, number)]).get((0, number))


def _run(blocks: FileBlocks | ServerBlocks, follower: Follower, target: str, once: bool) -> None:
    """Step by step; a lost connection is waited for, unless the tables are brought up to date once."""
    from ..tables import ConnectionLost

    first = blocks.first()
    failures = total = 0
    checked = False
    while True:
        try:
            if not checked:
                follower.check_last(blocks.block_hash)
                checked = True
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
            click.echo(f"{target} is up to date; {counted(total, 'new block')}.")
            return
        time.sleep(POLL_SECONDS)
