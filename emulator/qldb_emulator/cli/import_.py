"""``qldb-emulator import``: an exported journal, verified block by block, becomes a ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .failure import EXIT_FAILED, Failure
from .options import Unreadable
from .verify import report_json, report_text, write_html

if TYPE_CHECKING:
    from ..journal.model import Block
    from ..storage.directory import DataDirectory
    from ..verify import Audit, Container, Journal, JournalReport, SavedDigest

    BlockAndIon = tuple[Block, bytes | None]


class NotImported(Exception):
    """The journal is broken; nothing is left behind.  report: what is wrong."""

    def __init__(self, report: JournalReport) -> None:
        super().__init__()
        self.report = report


@click.command(
    epilog="Exit code: 0 imported, 1 the journal is broken (nothing is imported, unless --even-if-broken), "
    "2 wrong usage, 3 the source could not be read."
)
@click.argument("source", metavar="DIRECTORY|ZIP|FILE|S3-URL")
@click.option("--as", "name", metavar="NAME", required=True, help="The new ledger's name.")
@options.journal_source
@click.option("--writable", is_flag=True, help="Let the ledger be written to; its journal goes on where it ended.")
@click.option(
    "--even-if-broken", is_flag=True, help="Import what can be read of a broken journal, to look into it: read-only."
)
@options.report_forms
@options.data_dir
@options.region
@click.pass_context
def import_(
    context: click.Context,
    source: str,
    name: str,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    s3_endpoint: str | None,
    writable: bool,
    even_if_broken: bool,
    as_json: bool,
    html_file: Path | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify an exported journal and make it a ledger that can be queried.

    Every block, document, id and hash is as it was; a digest kept from QLDB is compared with --digest and --tip.
    """
    from ..engine.workbench.imports import is_ledger_name
    from ..verify import SourceError, choose_journal, open_container

    if not is_ledger_name(name):
        raise click.UsageError(f"--as: {name!r} cannot be a ledger's name: 1 to 32 letters, digits and single hyphens")
    if writable and even_if_broken:
        raise click.UsageError("--even-if-broken is for looking into a journal: it cannot be --writable")
    try:
        container = open_container(source, region, s3_endpoint)
        try:
            journal = choose_journal(container, strand, export_id)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            with _directory(data_dir) as directory:
                report = import_journal(directory, region, name, container, journal, saved, writable, even_if_broken)
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error
    except NotImported as refused:
        report, name = refused.report, ""
    if html_file is not None:
        write_html(report, html_file)
    done = f"Imported as ledger {name} in region {region}." if name else "Nothing was imported."
    if as_json:
        click.echo(json.dumps({**json.loads(report_json(report)), "ledger": name or None}, indent=2))
    else:
        click.echo(f"{report_text(report)}\n\n{done}")
    context.exit(EXIT_FAILED if report.verdict == "broken" else 0)


def _directory(given: Path | None) -> DataDirectory:
    from ..storage.directory import DataDirectory
    from ..storage.errors import StorageError

    try:
        return DataDirectory(options.directory_of(given))
    except StorageError as error:
        raise Failure(str(error)) from error


def import_journal(
    directory: DataDirectory,
    region: str,
    name: str,
    container: Container,
    journal: Journal,
    saved: SavedDigest | None,
    is_writable: bool,
    even_if_broken: bool,
) -> JournalReport:
    """Import a journal.  The ledger's file appears complete or not at all.

    Raises NotImported, SourceError, Failure.
    """
    from ..clock import SystemClock
    from ..engine.ledger.facts import rows_from_facts, write_rows
    from ..engine.ledger.fold import ApplyError
    from ..engine.workbench.imports import fold, imported_facts
    from ..storage.errors import StorageError
    from ..verify import Audit, read_values

    audit = Audit(container.description, journal, saved)
    try:
        with (
            directory.appearing(region, name) as file,
            options.progress(journal.size, "Importing") as done,
        ):
            values = read_values(container, journal, done)
            folded = fold(file, _sound_blocks(audit, audit.blocks(values), even_if_broken))
            report = audit.report()
            if report.verdict == "broken" and not (even_if_broken and folded.blocks):
                raise NotImported(report)
            if folded.problems and not even_if_broken:
                raise Failure(f"The journal cannot become a ledger: {folded.problems[0]}")
            if not folded.blocks:
                raise Unreadable(f"{container.description} has no block")
            about = {
                "source": report.source,
                "verdict": report.verdict,
                "forms": list(report.forms),
                "not_proved": list(report.limits),
                "not_redacted": list(folded.problems),
            }
            problem = report.verification.digest_problem
            now = SystemClock().now_ms()
            facts = imported_facts(name, journal.strand_id, now, is_writable, problem, folded, about)
            with file.write() as writer:
                write_rows(writer, rows_from_facts(facts))
        return report
    except ApplyError as error:
        raise Failure(f"The journal cannot become a ledger: {error}") from error
    except StorageError as error:
        raise Failure(str(error)) from error


def _sound_blocks(audit: Audit, blocks: Iterator[BlockAndIon], even_if_broken: bool) -> Iterator[BlockAndIon]:
    """The blocks to store: after the first finding none, but all are still verified for the report."""
    for block in blocks:
        if even_if_broken or not audit.has_findings:
            yield block
