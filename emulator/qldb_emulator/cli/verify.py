"""``qldb-emulator verify``: the verdict on a journal, wherever it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from . import options
from .options import Unreadable

if TYPE_CHECKING:
    from ..journal.model import Block
    from ..storage.ledger_file import LedgerFile
    from ..verify import Finding, JournalReport, SegmentVerdict
    from ..verify.sources import Part, Reading

EXIT_CODES = {"whole": 0, "broken": 1, "incomplete": 4}
LEDGER_SUFFIX = ".qldb"


@click.command(
    epilog="Exit code: 0 the journal is whole, 1 it is broken, 2 wrong usage, 3 it could not be read, "
    "4 nothing is wrong but not all could be proved."
)
@click.argument("target", metavar="LEDGER|DIRECTORY|ZIP|FILE|S3-URL")
@options.journal_source
@options.parallel
@options.report_forms
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report as canonical JSON with the SHA-256 of every input file; verify-report checks it.",
)
@click.option(
    "--sign",
    "key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign that report with an Ed25519 key (PEM).  [default report: report.json]",
)
@click.option("--timestamp", "authority", metavar="URL", help="Have that report stamped by an RFC 3161 authority.")
@options.data_dir
@options.region
@click.pass_context
def verify(
    context: click.Context,
    target: str,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    s3_endpoint: str | None,
    jobs: int | None,
    checkpoint: Path | None,
    as_json: bool,
    html_file: Path | None,
    report_file: Path | None,
    key: Path | None,
    authority: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify a ledger, or an exported journal: a directory, a zip, a file, or s3://bucket/prefix.

    A name that is no path is a ledger's, in the data directory; a running server need not be stopped.
    """
    evidence = report_file or (Path("report.json") if key is not None or authority is not None else None)
    inputs: list[dict[str, Any]] = []
    if target.startswith("s3://") or (os.path.exists(target) and not target.endswith(LEDGER_SUFFIX)):
        if evidence is not None:
            inputs = hashed_inputs(target, strand, export_id, region, s3_endpoint)
        report = verify_source(target, digest, tip, strand, export_id, region, s3_endpoint, jobs, checkpoint)
    else:
        if strand is not None or export_id is not None:
            raise click.UsageError("a ledger has one journal: --strand and --export are for exports")
        if checkpoint is not None:
            raise click.UsageError("--checkpoint is for exports: a ledger is verified in one go")
        if evidence is not None:
            raise click.UsageError("a ledger goes on changing: export it, and sign the verification of the export")
        report = verify_ledger(target, digest, tip, data_dir, region)
    if html_file is not None:
        write_html(report, html_file)
    written: list[Path] = []
    if evidence is not None:
        from .evidence import write_evidence

        written = write_evidence(report, inputs, evidence, key, authority)
    click.echo(report_json(report) if as_json else report_text(report))
    if written and not as_json:
        click.echo(f"\nWrote {', '.join(map(str, written))}.")
    context.exit(EXIT_CODES[report.verdict])


def hashed_inputs(
    target: str, strand: str | None, export_id: str | None, region: str, s3_endpoint: str | None
) -> list[dict[str, Any]]:
    """The files of an export with their SHA-256.  Raises Unreadable."""
    from ..verify import Source, SourceError, choose_journal
    from ..verify.evidence import input_files

    try:
        container = Source(target, region, s3_endpoint).open()
        try:
            return input_files(container, choose_journal(container, strand, export_id))
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error


def verify_source(
    target: str,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    region: str,
    s3_endpoint: str | None,
    jobs: int | None = 1,
    checkpoint: Path | None = None,
) -> JournalReport:
    """The report on an export.  jobs: how many processes; None: one for each core.  Raises Unreadable."""
    from .. import verify as verifying
    from ..verify import Source, SourceError, choose_journal

    source = Source(target, region, s3_endpoint)
    try:
        container = source.open()
        try:
            journal = choose_journal(container, strand, export_id)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            with options.progress(journal.size, "Verifying") as done:
                count = verifying.available_cores() if jobs is None else jobs
                return verifying.verify_source(source, container, journal, saved, count, None, checkpoint, done)
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error


def verify_ledger(
    target: str, digest: str | None, tip: str | None, data_dir: Path | None, region: str
) -> JournalReport:
    """The report on a ledger: its journal, its tree, and the rows that queries read.  Raises Unreadable."""
    with options.named_ledger(target, data_dir, region) as (file, name):
        return audit_ledger(file, f"ledger {name} in {file.path}", digest, tip)


def audit_ledger(file: LedgerFile, source: str, digest: str | None, tip: str | None) -> JournalReport:
    """The report on an open ledger file, as of its last block now."""
    audit = LedgerAudit(file, source, digest, tip)
    for _ in audit.blocks():
        pass
    return audit.report()


class LedgerAudit:
    """The audit of an open ledger file as of its last block now: the journal, its tree, the rows that queries read."""

    def __init__(
        self, file: LedgerFile, source: str, digest: str | None, tip: str | None, label: str = "Verifying"
    ) -> None:
        """label: of the progress bar."""
        from ..verify import Audit, Journal
        from ..verify.sources import Part

        self._file = file
        self._label = label
        strand_id = file.meta("strand_id", "")
        last = file.tip()
        self._stop = -1 if last is None else last.sequence_no
        self._first = next((number for number, _ in file.blocks(0, self._stop, 1)), 0)
        self._part = Part(str(file.path), file.path.stat().st_size, strand_id, self._first, None)
        about = file.meta("import") or {}
        saved = options.saved_digest(digest, tip, lambda: strand_id)
        types_lost = "JSON" in about.get("forms", ())
        self._audit = Audit(
            source, Journal(strand_id, (self._part,), (), ledger=file.meta("name", "")), saved, types_lost
        )

    def blocks(self) -> Iterator[Block]:
        """Every block, after its checks."""
        from ..verify.audit import TreeCheck, check_tables

        file = self._file
        tree = TreeCheck(self._audit, file.merkle_nodes)
        with options.progress(self._stop + 1 - self._first, self._label) as done:
            for block, _ in self._audit.blocks(ledger_values(file, self._part, self._stop)):
                rows = file.block_revisions(block.address.sequence_no)
                tree.add(block)
                check_tables(self._audit, block, {row.document_id: (row.hash, row.data, row.data_hash) for row in rows})
                yield block
                done(1)
        tree.finish()

    def report(self) -> JournalReport:
        """The verdict, once all blocks were pulled."""
        return self._audit.report()

    def judged(self) -> tuple[JournalReport, SegmentVerdict]:
        """The same, and the verdict for a follower to go on with."""
        return self._audit.report(), self._audit.verifier.verdict()


def ledger_values(file: LedgerFile, part: Part, stop: int) -> Iterator[Reading]:
    """The blocks of a ledger file as an audit takes them."""
    from ..ion.codec import IonError, loads
    from ..journal.model import BlockAddress
    from ..verify import Finding

    for sequence_no, ion in file.blocks(0, stop):
        value: Any | Finding
        try:
            value = loads(ion)
        except IonError as error:
            value = Finding("file", BlockAddress(part.strand_id, sequence_no), "a block", str(error), part.name)
        yield part, value, None


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
