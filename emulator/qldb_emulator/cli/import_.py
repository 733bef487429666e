"""``qldb-emulator import``: an exported journal, verified block by block, becomes a ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import options
from .connection import answering, transport
from .failure import EXIT_FAILED, Failure
from .import_remote import import_into_server
from .journal import into_log
from .options import Unreadable
from .places import Place, is_given, refuse_meaningless
from .verify import report_json, report_text, write_html

if TYPE_CHECKING:
    from ..engine.workbench.imports import Folded, Wanted
    from ..storage.directory import DataDirectory
    from ..storage.ledger_file import LedgerFile
    from ..verify import Container, Journal, JournalReport, SavedDigest, SegmentVerdict


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
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Import into this file, so that the same command goes on after an interruption; it becomes the ledger.",
)
@click.option(
    "--journal",
    "shared",
    metavar="URL",
    help="Import into the database that servers share (postgresql://...), not into a file.  They may be running.",
)
@options.report_forms
@options.server_url
@options.data_dir
@options.region
@click.pass_context
@answering
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
    checkpoint: Path | None,
    shared: str | None,
    as_json: bool,
    html_file: Path | None,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify an exported journal and make it a ledger that can be queried.

    Every block, document, id and hash is as it was; a digest kept from QLDB is compared with --digest and --tip.
    With --url or QLDB_EMULATOR_URL the archive is sent to that server, which verifies and imports it.
    """
    from ..clock import SystemClock
    from ..engine.workbench.imports import NotImported, Wanted, is_ledger_name
    from ..verify import SourceError, choose_journal, open_container

    if not is_ledger_name(name):
        raise click.UsageError(f"--as: {name!r} cannot be a ledger's name: 1 to 32 letters, digits and single hyphens")
    # --url says where the ledger comes to be, not where its journal is.
    of_journal: Place = "S3" if source.startswith("s3://") else "export"
    refuse_meaningless(context, of_journal, frozenset({"url"}))
    if shared is not None and is_given(context, "data_dir"):
        raise click.UsageError("--journal and --data-dir: the ledger comes to be in one of them")
    if writable and even_if_broken:
        raise click.UsageError("--even-if-broken is for looking into a journal: it cannot be --writable")
    if checkpoint is not None and even_if_broken:
        raise click.UsageError("--checkpoint is for whole journals: it cannot be used with --even-if-broken")
    if shared is not None and (even_if_broken or checkpoint is not None):
        raise click.UsageError("--journal takes whole journals at once: neither --even-if-broken nor --checkpoint")
    if shared is not None and is_given(context, "url"):
        raise click.UsageError("--url and --journal: the ledger becomes one of the server, or of the database")
    url = options.server_of(context, url) if shared is None else None
    if url is not None and checkpoint is not None:
        raise click.UsageError("--checkpoint is for the data directory: a server imports in one go")
    if url is not None and html_file is not None:
        raise click.UsageError("--html is for the data directory: verify --html writes the same about the archive")
    try:
        container = open_container(source, region, s3_endpoint)
        try:
            journal = choose_journal(container, strand, export_id)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            if url is not None:
                server = transport(url, options.region_of_server(context, region))
                where = (server, source, container, journal, saved, name, export_id)
                _show_answer(context, import_into_server(*where, writable, even_if_broken), url, as_json)
            with _directory(data_dir) if shared is None else into_log(shared, region, name) as directory:
                wanted = Wanted(name, journal.strand_id, SystemClock().now_ms(), writable, even_if_broken)
                place = (directory, region, wanted, container, journal, saved)
                report = import_journal(*place) if checkpoint is None else import_by_segments(*place, checkpoint)
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


def _show_answer(context: click.Context, report: dict[str, Any], url: str, as_json: bool) -> NoReturn:
    """Print what a server says of an import, as this command says it of its own, and end."""
    ledger = report["ledger"]
    done = f"Imported as ledger {ledger} at {url}." if ledger else "Nothing was imported."
    if as_json:
        click.echo(json.dumps({**report["details"], "ledger": ledger}, indent=2))
    else:
        click.echo(f"{report['summary']}\n\n{done}")
    context.exit(EXIT_FAILED if report["verdict"] == "broken" else 0)


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
    wanted: Wanted,
    container: Container,
    journal: Journal,
    saved: SavedDigest | None,
) -> JournalReport:
    """Import a journal.  The ledger's file appears complete or not at all.

    Raises NotImported for a broken journal; SourceError, Unreadable, Failure.
    """
    from ..engine.workbench.imports import import_audited
    from ..verify import Audit, read_blocks

    audit = Audit(container.description, journal, saved)
    with _failures(container), options.progress(journal.size, "Importing") as done:
        blocks = audit.blocks(read_blocks(container, journal, done))
        report: JournalReport = import_audited(directory, region, wanted, audit, blocks)
        return report


@contextmanager
def _failures(container: Container) -> Iterator[None]:
    """Turn what an import raises into the messages of a command; only NotImported for a broken journal is left."""
    from ..engine.ledger.fold import ApplyError
    from ..engine.workbench.imports import NotImported
    from ..storage.errors import StorageError

    try:
        yield
    except NotImported as refused:
        if refused.report.verdict == "broken":
            raise
        raise Unreadable(f"{container.description} has no block") from refused
    except ApplyError as error:
        raise Failure(f"The journal cannot become a ledger: {error}") from error
    except StorageError as error:
        raise Failure(str(error)) from error


# --- An import that can go on ------------------------------------------------------------------------------------

_PROGRESS = "import_progress"


def import_by_segments(
    directory: DataDirectory,
    region: str,
    wanted: Wanted,
    container: Container,
    journal: Journal,
    saved: SavedDigest | None,
    checkpoint: Path,
) -> JournalReport:
    """Import a journal segment by segment into a file that is kept when the import is interrupted.

    checkpoint: that file; it becomes the ledger's in the end.  After each segment it holds the verdict so far.
    Raises as import_journal does.
    """
    from ..engine.workbench.imports import accept
    from ..verify.audit import findings_of_files, judge
    from ..verify.verdict import merge

    with _failures(container):
        if directory.path(region, wanted.name).exists():
            raise Failure(f"There is already a ledger {wanted.name} in region {region}")
        with _checkpoint_file(checkpoint, journal, saved) as file:
            verdict, folded = _fold_segments(file, container, journal, saved)
            report = judge(container.description, journal, merge(findings_of_files(journal), verdict), saved)
            accept(file, wanted, report, folded)
            with file.write() as writer:
                writer.delete_meta(_PROGRESS)
        directory.adopt(region, wanted.name, checkpoint)
        return report


@contextmanager
def _checkpoint_file(path: Path, journal: Journal, saved: SavedDigest | None) -> Iterator[LedgerFile]:
    """The file of an import, new or from a run that was interrupted.  Raises Failure for one of another import."""
    from ..storage.ledger_file import LedgerFile
    from ..verify.parallel import fingerprint

    tip = None if saved is None or saved.tip is None else saved.tip.sequence_no
    about = {"journal": fingerprint(journal), "tip": tip}
    is_new = not path.exists()
    if is_new:
        LedgerFile.create(path, "full", {_PROGRESS: {"about": about, "segments": 0, "problems": []}}).close()
    file = LedgerFile.open(path, "full")
    try:
        progress = file.meta(_PROGRESS)
        if progress is None or progress["about"] != about:
            raise Failure(f"{path} is not the checkpoint of this import; remove it to start again")
        yield file
    finally:
        file.close()


def _fold_segments(
    file: LedgerFile, container: Container, journal: Journal, saved: SavedDigest | None
) -> tuple[SegmentVerdict, Folded]:
    """Fold what is not folded yet.  The verdict on the journal, and what was folded; it ends with the first finding."""
    from ..engine.workbench.imports import Folded, FoldState, fold
    from ..ion.codec import dumps_text, loads
    from ..verify import JournalVerifier, finish, merge, plan
    from ..verify.segments import segment_blocks
    from ..verify.verdict import SegmentVerdict
    from ..verify.verdict_ion import verdict_from_ion, verdict_to_ion

    progress = file.meta(_PROGRESS)
    verdict = verdict_from_ion(loads(progress["verdict"])) if progress["segments"] else SegmentVerdict()
    state = FoldState.stored(file, progress["problems"])
    tips = () if saved is None or saved.tip is None else (saved.tip.sequence_no,)
    with options.progress(journal.size, "Importing") as done:
        for number, segment in enumerate(plan(container, journal)):
            if number >= progress["segments"]:
                verifier = JournalVerifier(tips, at_start=False)
                blocks = segment_blocks(container, segment, verifier)
                if not finish(verdict).findings_total:
                    fold(file, (each for each in blocks if not verifier.findings_total), state)
                for _ in blocks:
                    pass  # after a finding nothing is stored, and everything is verified for the report
                verdict = merge(verdict, verifier.verdict())
                with file.write() as writer:
                    kept = {"segments": number + 1, "problems": state.problems, "about": progress["about"]}
                    writer.set_meta({_PROGRESS: {**kept, "verdict": dumps_text(verdict_to_ion(verdict))}})
            done(segment.size)
    return verdict, Folded(state.blocks, state.first_ms, tuple(state.problems))
