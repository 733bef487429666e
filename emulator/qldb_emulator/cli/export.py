"""``qldb-emulator export``: a ledger's journal as files in a directory, laid out as an export to S3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .failure import Failure

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile

FOREVER_MS = 1 << 60


@click.command()
@click.argument("ledger")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "output_format",
    default="ION_TEXT",
    show_default=True,
    type=click.Choice(["ION_TEXT", "ION_BINARY", "JSON"], case_sensitive=False),
    help="JSON loses Ion's types: what it held cannot be proved in full again.",
)
@click.option("--prefix", default="", help="What every file's name begins with, as in a bucket; / makes folders.")
@click.option("--start", metavar="TIME", help="Only blocks from this time on, such as 2020-01-31T12:00:00Z.")
@click.option("--end", metavar="TIME", help="Only blocks before this time.")
@options.data_dir
@options.region
def export(
    ledger: str,
    directory: Path,
    output_format: str,
    prefix: str,
    start: str | None,
    end: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Write the journal of LEDGER to DIRECTORY, which is made, or must be empty.

    Files, names and manifests are those of ExportJournalToS3.  A running server need not be stopped.
    """
    if prefix.startswith("/") or ".." in prefix.replace("\\", "/").split("/") or "\0" in prefix:
        raise click.UsageError("--prefix must lead to a place within the directory")
    span = (_milliseconds(start, 0, "--start"), _milliseconds(end, FOREVER_MS, "--end"))
    if span[0] >= span[1]:
        raise click.UsageError("--start must be before --end")
    with options.ledger_for_reading(data_dir, region, ledger) as file:
        count = export_ledger(file, ledger, directory, output_format.upper(), prefix, span)
    click.echo(f"Exported {count:,} blocks of ledger {ledger} to {directory}")


def export_ledger(
    file: LedgerFile, ledger: str, directory: Path, output_format: str, prefix: str, span: tuple[int, int]
) -> int:
    """Write an export.  How many blocks.  Raises Failure when the directory is not empty or cannot be written."""
    from ..clock import SystemClock
    from ..engine.outgoing.exports import journal_begins_ms, put_started_manifest, write_export
    from ..ids import RandomIds
    from ..journal.exports import FORMATS, Export

    clock = SystemClock()
    now = clock.now_ms()
    format_name = next(name for name in FORMATS if name == output_format)
    tip = file.tip()
    last_ms = now if tip is None else tip.timestamp_ms
    request = Export(
        export_id=RandomIds(clock).new_id(),
        ledger_name=ledger,
        strand_id=file.meta("strand_id", ""),
        requested_ms=now,
        start_ms=max(span[0], journal_begins_ms(file)),
        end_ms=min(span[1], max(now, last_ms) + 1),  # a journal's time may be ahead of this machine's
        bucket="",
        prefix=prefix,
        output_format=format_name,
    )

    def put(key: str, contents: bytes, content_type: str) -> None:
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            target.write(contents)

    try:
        if directory.exists() and any(directory.iterdir()):
            raise Failure(f"{directory} is not empty: choose a new directory")
        directory.mkdir(parents=True, exist_ok=True)
        put_started_manifest(request, put)
        return write_export(file, request, put)
    except OSError as error:
        raise Failure(f"{error.filename or directory} cannot be written: {error.strerror}") from error


def _milliseconds(text: str | None, default: int, option: str) -> int:
    from ..ion.codec import IonError, loads
    from ..ion.values import Timestamp

    if text is None:
        return default
    try:
        time = loads(text)
    except IonError:
        time = None
    if not isinstance(time, Timestamp):
        raise click.UsageError(f"{option}: {text!r} is no time; one is 2020-01-31 or 2020-01-31T12:00:00Z")
    return time.epoch_ms()
