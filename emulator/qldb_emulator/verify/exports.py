"""A whole journal verified: in this process, on every core, or by an executor of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from .audit import Audit, JournalReport, findings_of_files, judge
from .containers import Container
from .inputs import SavedDigest
from .parallel import Checkpoint, process_pool, verify_segments
from .segments import Source, plan, segment_bytes
from .sources import Journal, choose_journal, read_blocks
from .verdict import SegmentVerdict, merge

Progress = Callable[[int], None]


def verify_export(
    target: str,
    digest: SavedDigest | None = None,
    strand_id: str | None = None,
    export_id: str | None = None,
    region: str | None = None,
    s3_endpoint: str | None = None,
    jobs: int = 1,
    executor: Executor | None = None,
    checkpoint: Path | None = None,
) -> JournalReport:
    """Verify an export: a directory, a zip, a file, or ``s3://bucket/prefix``.

    strand_id, export_id: which, when there are several.  jobs: how many processes; with an executor, how many workers
    it has.  executor: where segments are verified; it must be able to read the target.  checkpoint: a file in which
    finished segments are kept until the run is over, so that it can go on after an interruption.
    Raises SourceError when the journal cannot be read.
    """
    source = Source(target, region, s3_endpoint)
    container = source.open()
    try:
        journal = choose_journal(container, strand_id, export_id)
        return verify_source(source, container, journal, digest, jobs, executor, checkpoint)
    finally:
        container.close()


def verify_source(
    source: Source,
    container: Container,
    journal: Journal,
    digest: SavedDigest | None = None,
    jobs: int = 1,
    executor: Executor | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> JournalReport:
    """Verify one journal by segments; see verify_export.

    container: the source, open.  progress: is told of bytes as segments are finished.  Raises SourceError.
    """
    tips = () if digest is None or digest.tip is None else (digest.tip.sequence_no,)
    size = segment_bytes(journal)
    kept = None if checkpoint is None else Checkpoint(checkpoint, journal, tips, size)
    finished = False
    try:
        segments = plan(container, journal)

        def run(pool: Executor | None) -> SegmentVerdict:
            return verify_segments(container if pool is None else source, segments, tips, pool, jobs, kept, progress)

        if executor is not None or jobs <= 1 or journal.size <= 2 * size:
            verdict = run(executor)
        else:
            with process_pool(jobs) as pool:
                verdict = run(pool)
        finished = True
    finally:
        if kept is not None:
            kept.close(finished)
    return judge(container.description, journal, merge(findings_of_files(journal), verdict), digest)


def verify_container(
    container: Container, journal: Journal, digest: SavedDigest | None = None, progress: Progress | None = None
) -> JournalReport:
    """Verify one journal of an open container, in this process.  progress: is told of bytes.  Raises SourceError."""
    audit = Audit(container.description, journal, digest)
    for _ in audit.blocks(read_blocks(container, journal, progress)):
        pass
    return audit.report()
