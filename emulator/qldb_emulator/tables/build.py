"""From a journal to a target: one pass verifies and makes the rows, then the target is written, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__
from ..ion.codec import dumps_text
from ..journal.model import Block
from ..journal.read_stored import read_block, read_noted_block
from ..journal.stored import StoredBlock
from ..records import dataclass
from ..verify.audit import JournalReport, findings_of_files, judge
from ..verify.chain import JournalVerifier
from ..verify.containers import Container
from ..verify.inputs import SavedDigest
from ..verify.parallel import map_segments, process_pool
from ..verify.segments import Segment, Source, plan, segment_blocks, segment_bytes
from ..verify.sources import Journal
from ..verify.verdict import SegmentVerdict, merge
from ..verify.verdict_ion import verdict_to_ion
from .content import Content
from .layout import SCHEMA_VERSION, TableLayout, layouts, tables_text
from .rows import TableMapError, rows_of
from .spool import Settled, Spool, SpoolFile, SpoolWriter
from .targets import Target, temporary_folder

SPOOL_BYTES = 32 << 20  # of rows that are held before they are written, where blocks do not come in segments

Progress = Callable[[int], None]
Extracted = tuple[SegmentVerdict, SpoolFile]


class BrokenJournal(Exception):
    """The journal is broken; nothing was written.  report: what is wrong."""

    def __init__(self, report: JournalReport) -> None:
        super().__init__("the journal is broken")
        self.report = report


@dataclass(frozen=True, slots=True)
class Options:
    """What is wanted.  only: names of tables in the ledger, None for all.  flatten: structs give columns, too."""

    only: frozenset[str] | None = None
    flatten: bool = False
    even_if_broken: bool = False


@dataclass(frozen=True, slots=True)
class TablesReport:
    """What was written.  tables: with their number of revisions."""

    report: JournalReport
    layouts: tuple[TableLayout, ...]
    blocks: int
    revisions: int


def build_tables(
    source: Source,
    container: Container,
    journal: Journal,
    target: Target,
    options: Options,
    digest: SavedDigest | None = None,
    jobs: int = 1,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> TablesReport:
    """Verify an exported journal and write it to a target.

    container: the source, open.  jobs, executor: as for ``verify_source``; an executor must share the temporary folder.
    Raises BrokenJournal, TableMapError, SourceError, TargetError; then the target is as it was.
    """
    target.check_free()
    tips = () if digest is None or digest.tip is None else (digest.tip.sequence_no,)
    with temporary_folder() as folder:
        segments = plan(container, journal)

        def run(pool: Executor | None) -> tuple[SegmentVerdict, Spool]:
            place = container if pool is None else source
            work = partial(extract, place, tips=tips, folder=str(folder), options=options)
            verdict, files = SegmentVerdict(), []
            for segment, (found, file) in map_segments(work, segments, pool, jobs):
                verdict = merge(verdict, found)
                files.append(file)
                if progress is not None:
                    progress(segment.size)
            return verdict, Spool(files)

        if executor is not None or jobs <= 1 or journal.size <= 2 * segment_bytes(journal):
            verdict, spool = run(executor)
        else:
            with process_pool(jobs) as pool:
                verdict, spool = run(pool)
        verdict = merge(findings_of_files(journal), verdict)
        report = judge(container.description, journal, verdict, digest)
        return write_target(folder, target, report, verdict, spool, options)


def extract(
    source: Source | Container, numbered: tuple[int, Segment], tips: Iterable[int], folder: str, options: Options
) -> Extracted:
    """Verify a segment and write its rows to a file of a folder."""
    number, segment = numbered
    verifier = JournalVerifier(tips, at_start=False)
    writer = SpoolWriter(Path(folder, f"{number:08}"), options.only)
    quick = read_block if options.flatten else read_noted_block
    for block, _ in segment_blocks(source, segment, verifier, quick=quick):
        writer.add(rows_of(block, options.flatten, verifier.data_hashes))
    return verifier.verdict(), writer.finish()


def build_from_blocks(
    blocks: Iterable[Block | StoredBlock],
    judged: Callable[[], tuple[JournalReport, SegmentVerdict]],
    target: Target,
    options: Options,
) -> TablesReport:
    """The same of blocks that come one by one, as a ledger has them.

    judged: gives the report and the verdict when all blocks were pulled.  Raises as build_tables.
    """
    target.check_free()
    with temporary_folder() as folder:
        spool = Spool()
        writer: SpoolWriter | None = None
        for block in blocks:
            if writer is None:
                writer = SpoolWriter(folder / f"{len(spool.files):08}", options.only)
            writer.add(rows_of(block, options.flatten))
            if writer.size >= SPOOL_BYTES:
                spool.files.append(writer.finish())
                writer = None
        if writer is not None:
            spool.files.append(writer.finish())
        report, verdict = judged()
        return write_target(folder, target, report, verdict, spool, options)


def write_target(
    folder: Path, target: Target, report: JournalReport, verdict: SegmentVerdict, spool: Spool, options: Options
) -> TablesReport:
    """Fill a target from a spool.  Raises BrokenJournal, TableMapError, TargetError."""
    if report.verdict == "broken" and not options.even_if_broken:
        raise BrokenJournal(report)
    missing = sorted((options.only or frozenset()) - set(spool.names.values()))
    if missing:
        raise TableMapError(f"The journal has no document of a table {missing[0]} (--only); nothing was written.")
    tables = layouts(spool.names, spool.types, target.dialect)
    settled = Settled(folder / "settled", spool)
    try:
        verification = verification_row(report, verdict, tables, options)
        target.write(Content(verification, tables, spool, settled, report.verdict != "broken"))
    finally:
        settled.close()
    counts = [(file.blocks, file.revisions) for file in spool.files]
    return TablesReport(report, tuple(tables), sum(b for b, _ in counts), sum(r for _, r in counts))


def verification_row(
    report: JournalReport, verdict: SegmentVerdict, tables: Iterable[TableLayout], options: Options
) -> dict[str, Any]:
    """The row of ``_verification``."""
    found = report.verification
    return {
        "schema_version": SCHEMA_VERSION,
        "program": f"qldb-emulator {__version__}",
        "source": report.source,
        "strand_id": report.strand_id,
        "verdict": report.verdict,
        "first_block": None if found.first is None else found.first.sequence_no,
        "last_block": None if found.last is None else found.last.sequence_no,
        "digest": found.digest,
        "report": json.dumps(report.as_dict()),
        "tables": tables_text(tables, options.flatten, options.only),
        "state": dumps_text(verdict_to_ion(verdict)),
    }
