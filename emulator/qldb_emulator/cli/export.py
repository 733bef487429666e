"""``qldb-emulator export``: a ledger's journal as files in a directory, laid out as an export to S3."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from . import options
from .connection import answering, transport
from .failure import Failure
from .words import counted

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from .remote import FetchedJournal

Put = Callable[[str, bytes, str], None]
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
@options.server_url
@options.data_dir
@options.region
@click.pass_context
@answering
def export(
    context: click.Context,
    ledger: str,
    directory: Path,
    output_format: str,
    prefix: str,
    start: str | None,
    end: str | None,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Write the journal of LEDGER to DIRECTORY, which must be empty or not exist.

    Files, names and manifests are those of ExportJournalToS3.  A running server need not be stopped.  With --url,
    the blocks are fetched one by one with GetBlock, so it works with every server of QLDB's API.
    """
    if prefix.startswith("/") or ".." in prefix.replace("\\", "/").split("/") or "\0" in prefix:
        raise click.UsageError("--prefix must lead to a place within the directory")
    span = (_milliseconds(start, 0, "--start"), _milliseconds(end, FOREVER_MS, "--end"))
    if span[0] >= span[1]:
        raise click.UsageError("--start must be before --end")
    with _source(
        options.server_of(context, url), data_dir, region, options.region_of_server(context, region), ledger
    ) as file:
        count = export_ledger(file, ledger, directory, output_format.upper(), prefix, span)
    click.echo(f"Exported {counted(count, 'block')} of ledger {ledger} to {directory}")


@contextmanager
def _source(
    url: str | None, data_dir: Path | None, region: str, region_of_server: str | None, ledger: str
) -> Iterator[LedgerFile | FetchedJournal]:
    """The ledger's file, or its journal fetched from a server."""
    if url is None:
        with options.ledger_for_reading(data_dir, region, ledger) as file:
            yield file
        return
    from .remote import fetch_journal

    with contextlib.closing(fetch_journal(transport(url, region_of_server), ledger)) as journal:
        yield journal


def export_ledger(
    file: LedgerFile | FetchedJournal,
    ledger: str,
    directory: Path,
    output_format: str,
    prefix: str,
    span: tuple[int, int],
) -> int:
    """Write an export.  How many blocks.  Raises Failure when the directory is not empty or cannot be written."""
    from ..clock import SystemClock
    from ..engine.outgoing.exports import journal_begins_ms, put_started_manifest, write_export
    from ..ids import RandomIds
    from ..journal.exports import FORMATS, Export
    from .remote import FetchedJournal

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
        start_ms=max(span[0], file.begins_ms if isinstance(file, FetchedJournal) else journal_begins_ms(file)),
        end_ms=min(span[1], max(now, last_ms) + 1),  # a journal's time may be ahead of this machine's
        bucket="",
        prefix=prefix,
        output_format=format_name,
    )

    with _directory_for(directory) as put:
        put_started_manifest(request, put)
        return write_export(file, request, put)


@contextmanager
def _directory_for(directory: Path) -> Iterator[Put]:
    """What writes one file of an export.  If the block fails, or is interrupted, everything it wrote is removed.

    Raises Failure when the directory is not empty or cannot be written.
    """
    made: list[Path] = []  # files and directories, in the order in which they were made

    def make_directory(path: Path) -> None:
        missing = [parent for parent in (path, *path.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir()
            made.append(parent)

    def put(key: str, contents: bytes, content_type: str) -> None:
        path = directory / key
        make_directory(path.parent)
        with path.open("xb") as target:
            made.append(path)
            target.write(contents)

    try:
        if directory.exists() and any(directory.iterdir()):
            raise Failure(f"{directory} is not empty: choose a new directory")
        make_directory(directory)
        with _terminated_like_interrupted():
            yield put
    except OSError as error:
        _remove(made)
        raise Failure(f"{error.filename or directory} cannot be written: {error.strerror}") from error
    except BaseException:
        _remove(made)
        raise


def _remove(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):  # what cannot be removed stays; the command's own error is the one to show
            path.rmdir() if path.is_dir() else path.unlink()


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that it can clean up.  Without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
        raise click.UsageError(f"{option}: {text!r} is not a time such as 2020-01-31 or 2020-01-31T12:00:00Z")
    return time.epoch_ms()
