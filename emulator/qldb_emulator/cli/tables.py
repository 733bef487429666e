"""``qldb-emulator tables`` and ``verify-tables``: a verified journal as tables, and whether they still are that."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .connection import answering, transport
from .failure import Failure
from .options import LEDGER_SUFFIX, Unreadable
from .places import place_of, refuse_meaningless
from .verify import EXIT_CODES, ledger_audit, report_json, report_text

if TYPE_CHECKING:
    from ..driver.http import HttpTransport
    from ..tables import TablesReport, TablesVerdict
    from ..tables.build import Options
    from ..tables.targets import Target
    from ..verify import JournalReport


@click.command(
    epilog="Exit code: 0 written, the journal is whole; 1 the journal is broken or the target cannot be written, and "
    "it is as it was; 2 wrong usage; 3 the source could not be read; 4 written, but not all could be proved."
)
@click.argument("source", metavar="LEDGER|DIRECTORY|ZIP|FILE|S3-URL")
@click.option(
    "--to",
    "target",
    metavar="TARGET",
    required=True,
    help="parquet:DIRECTORY, csv:DIRECTORY, sqlite:FILE or postgresql://...",
)
@click.option("--only", metavar="TABLE", multiple=True, help="Only this table; may be given several times.")
@click.option("--flatten", is_flag=True, help="Give the fields of structs columns of their own, as owner_name.")
@click.option("--even-if-broken", is_flag=True, help="Write what can be read of a broken journal.")
@options.journal_source
@options.jobs
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@options.server_url
@options.data_dir
@options.region
@click.pass_context
@answering
def tables(
    context: click.Context,
    source: str,
    target: str,
    only: tuple[str, ...],
    flatten: bool,
    even_if_broken: bool,
    digest: str | None,
    tip: str | None,
    strand: str | None,
    export_id: str | None,
    s3_endpoint: str | None,
    jobs: int | None,
    as_json: bool,
    url: str | None,
    data_dir: Path | None,
    region: str,
) -> None:
    """Verify a journal and write it as tables: the history and the current state of each, the blocks, the verdict.

    A name that is no path is a ledger's, in the data directory, or with --url on that server.
    """
    from ..tables import BrokenJournal, TargetError
    from ..tables.build import Options
    from ..tables.rows import TableMapError

    wanted = Options(frozenset(only) or None, flatten, even_if_broken)
    url = options.server_of(context, url, source)
    place = place_of(source, url)
    refuse_meaningless(context, place)
    try:
        with options.opened_target(target) as opened:
            if place in ("export", "S3"):
                made = _from_export(source, opened, wanted, (digest, tip, strand, export_id), region, s3_endpoint, jobs)
            elif url is not None:
                server = transport(url, options.region_of_server(context, region))
                made = _from_server(source, server, opened, wanted, digest, tip, jobs)
            else:
                made = _from_ledger(source, opened, wanted, digest, tip, data_dir, region)
    except BrokenJournal as broken:
        _print(broken.report, None, target, as_json)
        context.exit(1)
    except (TargetError, TableMapError) as error:
        raise Failure(str(error)) from error
    _print(made.report, made, target, as_json)
    context.exit(0 if even_if_broken and made.report.verdict == "broken" else EXIT_CODES[made.report.verdict])


def _from_export(
    source: str,
    target: Target,
    wanted: Options,
    which: tuple[str | None, str | None, str | None, str | None],
    region: str,
    s3_endpoint: str | None,
    jobs: int | None,
) -> TablesReport:
    from ..tables import build_tables
    from ..verify import Source, SourceError, available_cores, choose_journal

    digest, tip, strand, export_id = which
    place = Source(source, region, s3_endpoint)
    try:
        container = place.open()
        try:
            journal = choose_journal(container, strand, export_id)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id)
            count = available_cores() if jobs is None else jobs
            with options.progress(journal.size, "Reading") as done:
                return build_tables(place, container, journal, target, wanted, saved, count, None, done)
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error


def _from_server(
    ledger: str,
    server: HttpTransport,
    target: Target,
    wanted: Options,
    digest: str | None,
    tip: str | None,
    jobs: int | None,
) -> TablesReport:
    from ..tables import build_tables
    from ..verify import SavedDigest, Source, available_cores, choose_journal
    from .remote import fetched_export

    with fetched_export(server, ledger) as (directory, fetched):
        place = Source(str(directory))
        container = place.open()
        container.description = fetched.description
        with contextlib.closing(container):
            journal = choose_journal(container)
            of_now = SavedDigest(fetched.digest, fetched.tip_address)
            saved = options.saved_digest(digest, tip, lambda: journal.strand_id) or of_now
            count = available_cores() if jobs is None else jobs
            with options.progress(journal.size, "Reading") as done:
                return build_tables(place, container, journal, target, wanted, saved, count, None, done)


def _from_ledger(
    source: str,
    target: Target,
    wanted: Options,
    digest: str | None,
    tip: str | None,
    data_dir: Path | None,
    region: str,
) -> TablesReport:
    from ..tables.build import build_from_blocks

    path = Path(source)
    name = source
    if source.endswith(LEDGER_SUFFIX):
        name, region, data_dir = path.stem, path.absolute().parent.name, path.absolute().parent.parent
    path = options.ledger_path(data_dir, region, name)
    with ledger_audit(path, f"ledger {name} in {path}", digest, tip, "Reading") as audit:
        return build_from_blocks(audit.blocks(), audit.judged, target, wanted)


def _print(report: JournalReport, made: TablesReport | None, target: str, as_json: bool) -> None:
    if as_json:
        written = [] if made is None else [[each.name, each.current, each.history] for each in made.layouts]
        click.echo(json.dumps({**json.loads(report_json(report)), "written": written}, indent=2))
        return
    if made is None:
        click.echo(f"{report_text(report)}\n\nNothing was written.")
        return
    from ..verify.audit import plural

    what = f"{plural(made.revisions, 'revision')} of {plural(len(made.layouts), 'table')}"
    lines = [f"Wrote {what} and {plural(made.blocks, 'block')} to {target}:"]
    lines += [f"  {each.current}, {each.history}" for each in made.layouts]
    click.echo(f"{report_text(report)}\n\n" + "\n".join(lines))


@click.command(
    epilog="Exit code: 0 every row is proved, 1 at least one is not, 2 wrong usage, 3 the tables could not be read, "
    "4 nothing is wrong but not all could be proved, as without --digest."
)
@click.argument("target", metavar="TARGET")
@options.digest
@options.tip
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def verify_tables(context: click.Context, target: str, digest: str | None, tip: str | None, as_json: bool) -> None:
    """Check that tables written by ``tables`` or ``follow`` still are the journal: every row, up to the digest.

    TARGET is parquet:DIRECTORY, csv:DIRECTORY, sqlite:FILE or postgresql://...; the journal is not needed.
    """
    from .. import tables as package
    from ..tables import TargetError

    try:
        with options.opened_target(target) as opened:
            strand = str(opened.verification()["strand_id"])
            found = package.verify_tables(opened, options.saved_digest(digest, tip, lambda: strand))
    except TargetError as error:
        raise Unreadable(str(error)) from error
    click.echo(json.dumps(_as_dict(found), indent=2) if as_json else _text(found))
    context.exit(EXIT_CODES[found.verdict])


def _as_dict(found: TablesVerdict) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "target": found.target,
        "blocks": found.blocks,
        "rows": found.rows,
        "digest": None if found.digest is None else options.base64_text(found.digest),
        "digest_equal": found.digest_ok,
        "findings_total": found.findings_total,
        "findings": [str(finding) for finding in found.findings],
        "not_proved": list(found.limits),
    }


FINDINGS_SHOWN = 20


def _text(found: TablesVerdict) -> str:
    first = {
        "whole": "The tables are whole: every row was proved.",
        "incomplete": "Nothing is wrong, but not everything could be proved.",
        "broken": "The tables are not what the journal said.",
    }[found.verdict]
    digest = "none" if found.digest is None else options.base64_text(found.digest)
    lines = [first, "", f"  target  {found.target}", f"  tables  {found.tables}", f"  rows    {found.rows:,}"]
    lines += [f"  blocks  {found.blocks:,}", f"  digest  {digest}"]
    if found.findings:
        lines += ["", f"What is wrong ({found.findings_total}):"]
        lines += [f"  {finding}" for finding in found.findings[:FINDINGS_SHOWN]]
        if found.findings_total > FINDINGS_SHOWN:
            lines.append(
                f"  ... and {found.findings_total - FINDINGS_SHOWN} more (--json has up to {len(found.findings)})"
            )
    if found.limits:
        lines += ["", "Not proved:", *(f"  - {sentence}" for sentence in found.limits)]
    return "\n".join(lines)
