"""``qldb-emulator verify``: the verdict on a journal, wherever it is."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from .. import __version__
from . import options
from .connection import answering, transport
from .options import Unreadable

if TYPE_CHECKING:
    from ..verify import Journal, JournalReport

EXIT_CODES = {"whole": 0, "broken": 1, "incomplete": 4}
LEDGER_SUFFIX = ".qldb"


@click.command(
    epilog="Exit code: 0 the journal is whole, 1 it is broken, 2 wrong usage, 3 it could not be read, "
    "4 nothing is wrong but not all could be proved."
)
@click.argument("target", metavar="LEDGER|DIRECTORY|ZIP|FILE|S3-URL")
@options.journal_source
@options.report_forms
@options.server_url
@options.data_dir
@options.region
@click.pass_context
@answering
def verify(
    context: click.Context,
    target: str,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    s3_endpoint: str | None,
    as_json: bool,
    html_file: Path | None,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify a ledger, or an exported journal: a directory, a zip, a file, or s3://bucket/prefix.

    A name that is no path is a ledger's, in the data directory; a running server need not be stopped.
    With --url it is a ledger of that server: its blocks are fetched, and compared with --digest or the digest of now.
    """
    if url is not None:
        report = verify_remote(target, url, options.region_of_server(context, region), digest, tip)
    elif os.sep in target and "://" not in target and not os.path.exists(target):
        raise Unreadable(f"{target}: no such file or directory")
    elif target.startswith("s3://") or (os.path.exists(target) and not target.endswith(LEDGER_SUFFIX)):
        report = verify_source(target, digest, tip, strand, export_id, region, s3_endpoint)
    else:
        if strand is not None or export_id is not None:
            raise click.UsageError("a ledger has one journal: --strand and --export are for exports")
        report = verify_ledger(target, digest, tip, data_dir, region)
    if html_file is not None:
        write_html(report, html_file)
    click.echo(report_json(report) if as_json else report_text(report))
    context.exit(EXIT_CODES[report.verdict])


def verify_remote(ledger: str, url: str, region: str | None, digest: str | None, tip: str | None) -> JournalReport:
    """The report on a journal that a server hands out.  Raises QldbError, UnreachableError, Failure."""
    from ..verify import SavedDigest, choose_journal, open_container, verify_container
    from .export import FOREVER_MS, export_ledger
    from .remote import fetch_journal

    with closing(fetch_journal(transport(url, region), ledger)) as fetched, TemporaryDirectory() as folder:
        directory = Path(folder, "journal")
        export_ledger(fetched, ledger, directory, "ION_BINARY", "", (0, FOREVER_MS))
        container = open_container(str(directory), "", None)
        container.description = fetched.description
        with closing(container):
            journal = choose_journal(container, None, None)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            with options.progress(journal.size, "Verifying") as done:
                of_now = SavedDigest(fetched.digest, fetched.tip_address)
                return verify_container(container, journal, saved or of_now, done)


def verify_source(
    target: str,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    region: str,
    s3_endpoint: str | None,
) -> JournalReport:
    """The report on an export.  Raises Unreadable."""
    from ..verify import SourceError, choose_journal, open_container, verify_container

    try:
        container = open_container(target, region, s3_endpoint)
        try:
            journal = choose_journal(container, strand, export_id)
            name_exports(journal)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            with options.progress(journal.size, "Verifying") as done:
                return verify_container(container, journal, saved, done)
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error


def name_exports(journal: Journal) -> None:
    """Say on standard error which exports are read as one journal: a directory may hold more than was meant."""
    if len(journal.manifests) < 2:
        return
    lines = [f"  {manifest.export_id}  {manifest.name}" for manifest in journal.manifests]
    text = f"{len(lines)} exports are read as one journal; --export ID chooses one:"
    click.echo("\n".join([text, *lines]), err=True)


def verify_ledger(
    target: str, digest: str | None, tip: str | None, data_dir: Path | None, region: str
) -> JournalReport:
    """The report on a ledger: its journal, its tree, and the rows that queries read.  Raises Unreadable."""
    path = Path(target)
    name = target
    if target.endswith(LEDGER_SUFFIX):
        name, region, data_dir = path.stem, path.absolute().parent.name, path.absolute().parent.parent
    path = options.ledger_path(data_dir, region, name)
    return audit_ledger_file(path, f"ledger {name} in {path}", digest, tip)


def audit_ledger_file(path: Path, source: str, digest: str | None = None, tip: str | None = None) -> JournalReport:
    """The report on a ledger file, as of its last block now; the file is not changed.  Raises Unreadable."""
    from ..storage.errors import StorageError
    from ..storage.stored_rows import StoredRows
    from ..verify.ledger import audit_ledger
    from ..verify.sources import Part

    try:
        with StoredRows.open(path) as stored:
            facts, _ = stored.facts()
            strand_id = facts.get("strand_id")
            strand_id = strand_id if isinstance(strand_id, str) else ""
            first, last = stored.ends() or (0, -1)
            part = Part(str(path), path.stat().st_size, strand_id, first, None)
            saved = options.saved_digest(digest, tip, lambda: strand_id)
            with options.progress(last + 1 - first, "Verifying") as done:
                return audit_ledger(stored, source, part, facts, saved, done)
    except (StorageError, OSError) as error:
        raise Unreadable(str(error)) from error


def report_text(report: JournalReport) -> str:
    """The report for a terminal."""
    from ..verify.report import summary

    return summary(report)


def report_json(report: JournalReport) -> str:
    """The report for a program."""
    return json.dumps(report.as_dict(), indent=2)


def write_html(report: JournalReport, path: Path) -> None:
    """Write the HTML report.  Raises Unreadable when the file cannot be written."""
    from ..clock import SystemClock
    from ..ion.values import Timestamp
    from ..verify.report import html

    made = str(Timestamp.from_epoch_ms(SystemClock().now_ms()))
    try:
        path.write_text(html(report, made, __version__), encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror}") from error
