"""``qldb-emulator load``: the records of a file into a table, in batches that fit QLDB's limits."""

from __future__ import annotations

from pathlib import Path

import click

from ..driver import LedgerSession
from ..driver.http import UnreachableError
from ..seeding.loading import Loaded, LoadError, create_missing_table, load_records
from ..seeding.records import FORMS, RecordsError, form_of, read_records
from .connection import answering, region_option, session, url_option
from .failure import Failure
from .options import progress
from .words import counted


@click.command()
@click.argument("ledger", envvar="QLDB_EMULATOR_LEDGER")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-t", "--table", required=True, help="The table that takes the documents.")
@click.option("--create", is_flag=True, help="Create the table if it does not exist.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMS),
    default=None,
    help="The file's format.  [default: by the ending of its name]",
)
@click.option(
    "--detect-types",
    is_flag=True,
    help="CSV: a column of integers, of decimals, or of true and false has values of that type instead of strings.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    callback=lambda _context, _option, value: _one_character(value),
    help="CSV: what separates fields; \\t is a tab.  [default: a comma, or a tab in a file named .tsv]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no count.")
@url_option
@region_option
@answering
def load(
    ledger: str,
    file: Path,
    table: str,
    create: bool,
    form: str | None,
    detect_types: bool,
    delimiter: str | None,
    quiet: bool,
    url: str,
    region: str | None,
) -> None:
    """Insert the records of FILE into a table of LEDGER: CSV, JSON, JSON Lines, Ion or Parquet.

    They are committed 40 at a time, QLDB's limit.  If the file has a mistake, what stands before it is inserted, and
    the message says how much that is.
    """
    kind = _form(file, form)
    if kind != "csv" and (detect_types or delimiter is not None):
        raise click.UsageError(f"--delimiter and --detect-types are for CSV, and {file} is read as {kind}")
    own = session(url, region, ledger)
    try:
        if create:
            create_missing_table(own, table)
        text = load_file(own, file, table, kind, detect_types, quiet, delimiter)
    finally:
        own.end()
    if not quiet:
        click.echo(text)


def _one_character(text: str | None) -> str | None:
    found = "\t" if text == "\\t" else text
    if found is not None and (len(found) != 1 or found in '"\r\n'):
        raise click.BadParameter(f"{text!r} is not one character other than a quote or a line break")
    return found


def _form(file: Path, form: str | None) -> str:
    """The form of a file: the given one, or that of its ending.  Raises Failure."""
    try:
        return form or form_of(file)
    except RecordsError as error:
        raise Failure(str(error)) from error


def load_file(
    own: LedgerSession,
    file: Path,
    table: str,
    form: str | None,
    detects_types: bool,
    is_quiet: bool,
    delimiter: str | None = None,
) -> str:
    """Load a file and return what to say.  Raises Failure, KeyboardInterrupt."""
    try:
        records = read_records(file, form or form_of(file), detects_types, delimiter)
        with progress(file.stat().st_size, "Loading", is_quiet) as advance:
            done = 0

            def told(loaded: Loaded) -> None:
                nonlocal done
                advance(loaded.done - done)
                done = loaded.done

            count = load_records(own, table, records, told)
    except LoadError as error:
        raise Failure(f"{error}\n{counted(error.documents, 'document')} inserted before it") from error
    except RecordsError as error:
        raise Failure(str(error)) from error
    except UnreachableError:
        raise
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror or error}") from error
    return f"Inserted {counted(count, 'document')} into {table}"
