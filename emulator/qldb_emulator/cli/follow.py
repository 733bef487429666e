"""``qldb-emulator follow``: tables in SQLite or PostgreSQL, kept up to date from a ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .failure import Failure, complain
from .options import Unreadable

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from ..tables import Follower

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
@options.data_dir
@options.region
def follow(
    ledger: str, target: str, only: tuple[str, ...], flatten: bool, once: bool, data_dir: Path | None, region: str
) -> None:
    """Keep tables up to date from a ledger, also while its server runs: every block exactly once.

    It may be interrupted, killed and started again at any time; so may the server and the database.
    """
    from ..tables import Follower, TargetError, open_store
    from ..tables.build import Options
    from ..tables.rows import TableMapError

    with options.named_ledger(ledger, data_dir, region) as (file, name):
        strand_id = file.meta("strand_id", "")
        source = f"ledger {name} in {file.path}"
        try:
            store = open_store(target)
            try:
                follower = Follower(store, strand_id, source, Options(frozenset(only) or None, flatten))
                _run(file, follower, target, once)
            finally:
                store.close()
        except (TargetError, TableMapError) as error:
            raise Failure(str(error)) from error


def _run(file: LedgerFile, follower: Follower, target: str, once: bool) -> None:
    """Step by step; a lost connection is waited for, unless the tables are brought up to date once."""
    from ..tables import ConnectionLost

    first = next((number for number, _ in file.blocks(0, None, 1)), 0)
    failures = total = 0
    checked = False
    while True:
        try:
            if not checked:
                follower.check_last(lambda number: _block_hash(file, number))
                checked = True
            taken = follower.step(lambda start, count: _values(file, start, count), first)
            failures = 0
        except ConnectionLost as error:
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


def _values(file: LedgerFile, start: int, count: int) -> Iterator[Any]:
    from ..ion.codec import IonError, loads

    for number, ion in file.blocks(start, start + count - 1):
        try:
            yield loads(ion)
        except IonError as error:
            raise Unreadable(f"block {number} of {file.path} cannot be read: {error}") from error


def _block_hash(file: LedgerFile, number: int) -> bytes | None:
    nodes = file.merkle_nodes([(0, number)])
    return nodes.get((0, number))
