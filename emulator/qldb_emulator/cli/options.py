"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..settings import DEFAULT_REGION
from .failure import Failure

if TYPE_CHECKING:
    from ..storage.ledger_file import LedgerFile
    from ..tables.targets import Target
    from ..verify import SavedDigest

EXIT_UNREADABLE = 3
LEDGER_SUFFIX = ".qldb"

data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_DATA_DIR",
    help="Where ledgers are kept.  [default: ~/.qldb-emulator]",
)
region = click.option(
    "--region", default=DEFAULT_REGION, show_default=True, envvar="QLDB_EMULATOR_REGION", help="Region of the ledger."
)
server_url = click.option(
    "--url",
    metavar="URL",
    envvar="QLDB_EMULATOR_URL",
    help="The ledger is on the server at this address, not in the data directory.",
)
s3_endpoint = click.option(
    "--s3-endpoint",
    metavar="URL",
    envvar="QLDB_EMULATOR_S3_ENDPOINT",
    help="Where s3:// leads to.  [default: what boto3 finds]",
)
strand = click.option("--strand", metavar="ID", help="Which journal, when the source has those of several ledgers.")
export_id = click.option("--export", "export_id", metavar="ID", help="Which export, when the source has several.")
digest = click.option(
    "--digest",
    metavar="DIGEST|FILE",
    help="A digest kept from earlier: base64, hexadecimal, or a file with one or with GetDigest's answer.",
)
tip = click.option("--tip", metavar="ADDRESS|NUMBER", help="The digest's tip: Ion text, or its sequence number.")

jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes work on a large export.  [default: one for each core]",
)
checkpoint = click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep in this file what is done, so that the same command goes on after an interruption.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
html_file = click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the report as one HTML file.",
)

Command = Callable[..., Any]


def journal_source(command: Command) -> Command:
    """The options that say what of a source is read, and what it is compared with."""
    for option in (s3_endpoint, export_id, strand, tip, digest):
        command = option(command)
    return command


def parallel(command: Command) -> Command:
    """The options of a run over a large journal."""
    for option in (checkpoint, jobs):
        command = option(command)
    return command


def report_forms(command: Command) -> Command:
    """The options that say in which forms a report is wanted."""
    for option in (html_file, as_json):
        command = option(command)
    return command


class Unreadable(Failure):
    """What was named cannot be read."""

    exit_code = EXIT_UNREADABLE


def region_of_server(context: click.Context, region: str) -> str | None:
    """The region for a request to a server: None, which is the server's own, unless one was given."""
    is_given = context.get_parameter_source("region") not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    return region if is_given else None


def server_of(context: click.Context, url: str | None, source: str = "") -> str | None:
    """The server to use, or None for the data directory and for a source that is a path or in S3.

    What the command line says counts before the environment: --data-dir, or a path, before QLDB_EMULATOR_URL.  The
    endpoint of AWS's clients is not looked at: it is set in most shells, and a ledger's file can be read without a
    server and shows more than one.  Raises UsageError if the command line names two places.
    """
    is_directory_given = context.get_parameter_source("data_dir") is ParameterSource.COMMANDLINE
    is_path = os.sep in source or source.endswith(LEDGER_SUFFIX) or os.path.exists(source)
    if url is None or not (is_directory_given or is_path):
        return url
    if context.get_parameter_source("url") is not ParameterSource.COMMANDLINE:
        return None
    if is_directory_given:
        raise click.UsageError("--url and --data-dir: the ledger is in one of them")
    if os.sep in source:
        raise click.UsageError(f"--url is for the name of a ledger: {source} is a path")
    return url


def endpoint_hint() -> str:
    """What to try if a ledger is not in the data directory, and the environment names a server."""
    from .connection import ENDPOINT_VARIABLES

    set_ones = [name for name in ENDPOINT_VARIABLES if os.environ.get(name)]
    return f"; if it is on a server: --url ${set_ones[0]}" if set_ones else ""


def directory_of(given: Path | None) -> Path:
    """The data directory."""
    return given or Path.home() / ".qldb-emulator"


def saved_digest(digest: str | None, tip: str | None, strand_id: Callable[[], str]) -> SavedDigest | None:
    """The digest that options give.  strand_id: asked when the tip is a number.  Raises UsageError."""
    from ..journal.model import BlockAddress
    from ..verify import InputError, SavedDigest, read_digest, read_tip

    if digest is None:
        if tip is not None:
            raise click.UsageError("--tip says where a digest ends, so it needs --digest")
        return None
    try:
        saved = read_digest(text_or_file(digest))
        if tip is not None:
            number = tip.strip()
            is_number = number.isascii() and number.isdigit() and len(number) < 19
            address = BlockAddress(strand_id(), int(number)) if is_number else read_tip(text_or_file(tip))
            saved = SavedDigest(saved.digest, address)
    except InputError as error:
        raise click.UsageError(str(error)) from error
    return saved


def text_or_file(value: str) -> str:
    """An option's own text, or that of the file it names.  Raises UsageError."""
    try:
        path = Path(value)
        if not path.is_file():
            return value
        return path.read_bytes()[: 16 * 1024 * 1024].decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{value} is not a text") from error
    except (OSError, ValueError):
        return value


def ledger_path(given: Path | None, region: str, name: str) -> Path:
    """Where a ledger's file is.  Raises Unreadable when there is none, saying in which region there is one."""
    from ..storage.directory import SUFFIX

    root = directory_of(given)
    path = root / region / f"{name}{SUFFIX}"
    try:
        if path.is_file():
            return path
        if path.exists():
            raise Unreadable(f"{path} is not a file")
        elsewhere = sorted(other.parent.name for other in root.glob(f"*/{glob.escape(name)}{SUFFIX}"))
    except (OSError, ValueError) as error:
        raise Unreadable(str(error)) from error
    hint = f"; there is one in region {', '.join(elsewhere)} (--region)" if elsewhere else ""
    raise Unreadable(f"Ledger {name} is not found in region {region} in {root}{hint or endpoint_hint()}")


@contextmanager
def ledger_for_reading(given: Path | None, region: str, name: str) -> Iterator[LedgerFile]:
    """A ledger's file, also while a server is working with it.  Raises Unreadable."""
    from ..storage.errors import StorageError
    from ..storage.ledger_file import LedgerFile

    try:
        file = LedgerFile.open(ledger_path(given, region, name))
    except (StorageError, OSError, ValueError) as error:
        raise Unreadable(str(error)) from error
    try:
        yield file
    except StorageError as error:
        raise Unreadable(str(error)) from error
    finally:
        file.close()


@contextmanager
def named_ledger(target: str, given: Path | None, region: str) -> Iterator[tuple[LedgerFile, str]]:
    """The file and the name of a ledger that is named, or whose file is.  Raises Unreadable."""
    from ..storage.directory import SUFFIX

    path, name = Path(target), target
    if target.endswith(SUFFIX):
        name, region, given = path.stem, path.absolute().parent.name, path.absolute().parent.parent
    with ledger_for_reading(given, region, name) as file:
        yield file, name


@contextmanager
def opened_target(text: str) -> Iterator[Target]:
    """The place for tables that a user names, closed in the end.  Raises TargetError."""
    from ..tables import open_target

    target = open_target(text)
    try:
        yield target
    finally:
        target.close()


def base64_text(data: bytes) -> str:
    """Bytes as people pass them on."""
    from base64 import b64encode

    return b64encode(data).decode()


@contextmanager
def progress(total: int, label: str, is_quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on standard error if that is a terminal.  Call what is yielded with what was done since the last call."""
    if is_quiet or not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:
        yield bar.update
