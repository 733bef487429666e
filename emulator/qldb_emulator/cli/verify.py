"""``qldb-emulator verify``: the verdict on a journal, wherever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from . import options
from .connection import answering, transport
from .files import write_files
from .options import LEDGER_SUFFIX, Unreadable
from .places import place_of, refuse_meaningless

if TYPE_CHECKING:
    from ..verify import Journal, JournalReport
    from ..verify.evidence import LedgerSource
    from ..verify.ledger import LedgerAudit

EXIT_CODES = {"whole": 0, "broken": 1, "incomplete": 4}


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
    help="Write the report as canonical JSON with the SHA-256 of every input file, or with the digest over the blocks "
    "of a ledger; verify-report checks it.",
)
@click.option(
    "--sign",
    "key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign that report with an Ed25519 key (PEM).  [default report: report.json]",
)
@click.option("--timestamp", "authority", metavar="URL", help="Have that report stamped by an RFC 3161 authority.")
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
    jobs: int | None,
    checkpoint: Path | None,
    as_json: bool,
    html_file: Path | None,
    report_file: Path | None,
    key: Path | None,
    authority: str | None,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify a ledger, or an exported journal: a directory, a zip, a file, or s3://bucket/prefix.

    A name that is no path is a ledger's, in the data directory; a running server need not be stopped.
    With --url or QLDB_EMULATOR_URL it is a ledger of that server: its blocks are fetched, and compared with --digest
    or the digest of now.
    """
    evidence = report_file or (Path("report.json") if key is not None or authority is not None else None)
    inputs: list[dict[str, Any]] = []
    url = options.server_of(context, url, target)
    place = place_of(target, url)
    refuse_meaningless(context, place)
    if place in ("export", "S3"):
        if evidence is not None:
            inputs = hashed_inputs(target, strand, export_id, region, s3_endpoint)
        report = verify_source(target, digest, tip, strand, export_id, region, s3_endpoint, jobs, checkpoint)
    elif url is not None:
        report = verify_remote(target, url, options.region_of_server(context, region), digest, tip, jobs)
    else:
        report = verify_ledger(target, digest, tip, data_dir, region)
    if html_file is not None:
        write_html(report, html_file)
    written: list[Path] = []
    if evidence is not None:
        from ..verify.evidence import blocks_of
        from .evidence import write_evidence

        blocks = None
        if place not in ("export", "S3"):
            read_from: LedgerSource = "ledger file" if url is None else "server"
            blocks = blocks_of(report, read_from, "kept" if digest is not None else "server" if url else None)
        written = write_evidence(report, inputs, blocks, evidence, key, authority)
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


def verify_remote(
    ledger: str, url: str, region: str | None, digest: str | None, tip: str | None, jobs: int | None
) -> JournalReport:
    """Return the report on a journal that a server sends.  Raises Unreadable, UnreachableError, Failure."""
    from .. import verify as verifying
    from ..verify import SavedDigest, Source, choose_journal
    from .remote import fetched_export

    with fetched_export(transport(url, region), ledger) as (directory, fetched):
        source = Source(str(directory))
        container = source.open()
        container.description = fetched.description
        with closing(container):
            journal = choose_journal(container, None, None)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            saved = saved or SavedDigest(fetched.digest, fetched.tip_address)
            count = verifying.available_cores() if jobs is None else jobs
            with options.progress(journal.size, "Verifying") as done:
                return verifying.verify_source(source, container, journal, saved, count, None, None, done)


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
            name_exports(journal)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            with options.progress(journal.size, "Verifying") as done:
                count = verifying.available_cores() if jobs is None else jobs
                return verifying.verify_source(source, container, journal, saved, count, None, checkpoint, done)
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
    with ledger_audit(path, source, digest, tip) as audit:
        for _ in audit.blocks():
            pass
        return audit.report()


@contextmanager
def ledger_audit(
    path: Path, source: str, digest: str | None = None, tip: str | None = None, label: str = "Verifying"
) -> Iterator[LedgerAudit]:
    """The audit of a ledger file, which is not changed.  label: of the progress bar.  Raises Unreadable."""
    from ..storage.errors import StorageError
    from ..storage.stored_rows import StoredRows
    from ..verify.ledger import LedgerAudit
    from ..verify.sources import Part

    try:
        with StoredRows.open(path) as stored:
            facts, _ = stored.facts()
            strand_id = facts.get("strand_id")
            strand_id = strand_id if isinstance(strand_id, str) else ""
            first, last = stored.ends() or (0, -1)
            part = Part(str(path), path.stat().st_size, strand_id, first, None)
            saved = options.saved_digest(digest, tip, lambda: strand_id)
            with options.progress(last + 1 - first, label) as done:
                yield LedgerAudit(stored, source, part, facts, saved, done)
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
        write_files({path: html(report, made, __version__).encode("utf-8", "backslashreplace")})
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror}") from error
