"""``qldb-emulator verify-report``: a report, its signature, its time stamp and the files that it is about, again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .. import __version__
from . import options
from .connection import answering
from .failure import Failure
from .files import write_files
from .options import Unreadable
from .places import place_of, refuse_meaningless
from .verify import EXIT_CODES, verify_ledger, verify_remote, verify_source

if TYPE_CHECKING:
    from ..verify import JournalReport
    from ..verify.evidence import Blocks, Evidence, EvidenceCheck

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def write_evidence(
    report: JournalReport,
    inputs: list[dict[str, Any]],
    blocks: Blocks | None,
    path: Path,
    key: Path | None,
    authority: str | None,
) -> list[Path]:
    """Write a report, signed and stamped as far as is wanted; all files or none.  Raises Failure.

    inputs, blocks: as for ``evidence.statement``.  key: of the one who signs.
    authority: the URL of a time stamping authority.
    """
    from ..clock import SystemClock
    from ..ion.values import Timestamp
    from ..verify import evidence

    made = str(Timestamp.from_epoch_ms(SystemClock().now_ms()))
    data = evidence.statement(report, inputs, made, f"qldb-emulator {__version__}", blocks)
    files = {path: data}
    try:
        if key is not None:
            signature, public = evidence.sign(data, _read(key))
            files[path.with_name(path.name + evidence.SIGNATURE)] = signature
            files[path.with_name(path.name + evidence.PUBLIC_KEY)] = public
        if authority is not None:
            files[path.with_name(path.name + evidence.TIME_STAMP)] = evidence.time_stamp(data, authority)
    except evidence.EvidenceError as error:
        raise Failure(f"No report was written: {error}") from error
    # What is left of an earlier report would be taken for the signature of this one.
    suffixes = (evidence.SIGNATURE, evidence.PUBLIC_KEY, evidence.TIME_STAMP)
    beside = (path.with_name(path.name + suffix) for suffix in suffixes)
    try:
        write_files(files, [each for each in beside if each not in files])
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    return list(files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


@click.command(
    epilog="Exit code: 0 everything holds, 1 something does not, 2 wrong usage, 3 a file could not be read, 4 nothing "
    "is wrong but not all was checked: give --key, --ca and SOURCE."
)
@click.argument("report", type=_FILE)
@click.argument("source", metavar="[LEDGER|DIRECTORY|ZIP|FILE|S3-URL]", required=False)
@click.option("--key", type=_FILE, help="The public key of the one who should have signed, PEM.")
@click.option("--ca", type=_FILE, help="Certificates of time stamping authorities that are trusted, PEM.")
@options.jobs
@options.s3_endpoint
@options.server_url
@options.data_dir
@options.region
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.pass_context
@answering
def verify_report(
    context: click.Context,
    report: Path,
    source: str | None,
    key: Path | None,
    ca: Path | None,
    jobs: int | None,
    s3_endpoint: str | None,
    url: str | None,
    data_dir: Path | None,
    region: str,
    as_json: bool,
) -> None:
    """Check a report that ``verify --report`` wrote: its signature, its time stamp, its files, and its verdict again.

    SOURCE: where the journal is now, for the files and the verdict.  For a report on a ledger: the ledger, in the data
    directory or on the server of --url, a copy of its file, or an export of it.
    """
    from ..verify import evidence as module

    try:
        evidence = module.read_evidence(report)
        trusted, roots = (None if path is None else _read(path) for path in (key, ca))
        is_of_ledger = "blocks" in evidence.says
        # The files of a report are not on a server.
        url = options.server_of(context, url, source) if source is not None and is_of_ledger else None
        refuse_meaningless(context, place_of(source, url))
        checks = list(module.check_seal(evidence, trusted, roots))
        if source is None:
            checks.append(module.EvidenceCheck("inputs", "not checked", "no source was named"))
        elif is_of_ledger:
            place = _Place(source, url, options.region_of_server(context, region), data_dir, region, s3_endpoint, jobs)
            checks += _from_journal(evidence, place)
        else:
            checks += _from_source(evidence, source, jobs, region, s3_endpoint)
    except (module.EvidenceError, KeyError, TypeError) as error:
        raise Unreadable(
            str(error) if isinstance(error, module.EvidenceError) else f"{report} lacks {error}"
        ) from error
    verdict = module.overall(checks)
    if as_json:
        plain = [{"check": each.name, "state": each.state, "text": each.text} for each in checks]
        click.echo(json.dumps({"verdict": verdict, "checks": plain, "says": evidence.says["says"]}, indent=2))
    else:
        _print(evidence, checks)
    context.exit(EXIT_CODES[verdict])


def _print(evidence: Evidence, checks: list[EvidenceCheck]) -> None:
    said = evidence.says["report"]
    click.echo(
        f"The report says that the journal is {said['verdict']}: {said['source']}, made {evidence.says['made']}.\n"
    )
    for check in checks:
        click.echo(f"  {check.name:<12}  {check.state:<11}  {check.text}")
    click.echo("\nWhat it means:")
    for sentence in evidence.says["says"]:
        click.echo(f"  - {sentence}")


def _from_source(
    evidence: Evidence, source: str, jobs: int | None, region: str, s3_endpoint: str | None
) -> list[EvidenceCheck]:
    from ..verify import Source, SourceError, choose_journal
    from ..verify import evidence as module

    strand = evidence.says["report"]["strand_id"]
    digest, tip = module.digest_of(evidence)
    try:
        container = Source(source, region, s3_endpoint).open()
        try:
            found = module.input_files(container, choose_journal(container, strand))
        finally:
            container.close()
    except SourceError as error:
        raise Unreadable(str(error)) from error
    again = verify_source(source, digest, _address(tip), strand, None, region, s3_endpoint, jobs)
    return [module.check_inputs(evidence, found), module.check_again(evidence, again)]


def _address(tip: dict[str, Any] | None) -> str | None:
    return None if tip is None else f'{{strandId:"{tip["strand_id"]}",sequenceNo:{tip["sequence_no"]}}}'


class _Place(NamedTuple):
    """Where the journal of a ledger is now, as the options name it.  server_region: None for the server's own."""

    source: str
    url: str | None
    server_region: str | None
    data_dir: Path | None
    region: str
    s3_endpoint: str | None
    jobs: int | None

    def verify(self, digest: str | None, tip: str | None, strand: str) -> JournalReport:
        """The report on the journal as it is now.  Raises Unreadable, UnreachableError, Failure."""
        if self.url is not None:
            return verify_remote(self.source, self.url, self.server_region, digest, tip, self.jobs)
        if place_of(self.source, None) in ("data directory", "ledger file"):
            return verify_ledger(self.source, digest, tip, self.data_dir, self.region)
        return verify_source(self.source, digest, tip, strand, None, self.region, self.s3_endpoint, self.jobs)


def _from_journal(evidence: Evidence, place: _Place) -> list[EvidenceCheck]:
    """The checks of a report on a ledger, which may have more blocks now."""
    from ..verify import evidence as module

    strand = evidence.says["blocks"]["strand_id"]
    over_blocks, end = module.digest_of_blocks(evidence)
    of_now = place.verify(over_blocks, _address(end), strand)
    again = of_now
    kept, tip = module.digest_of(evidence)
    if kept is not None and kept != over_blocks:
        again = place.verify(kept, _address(tip or end), strand)
    return [module.check_blocks(evidence, of_now), module.check_ledger_again(evidence, again)]
