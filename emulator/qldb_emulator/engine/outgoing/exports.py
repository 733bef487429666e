"""Journal exports: the jobs, their states, and the writing of a ledger's blocks through a sink.

================================  ===========================================================  ==========
behaviour                         here                                                         source
================================  ===========================================================  ==========
states                            IN_PROGRESS, then COMPLETED or CANCELLED                     documented
started manifest                  written before ExportJournalToS3 answers                     documented
S3 refuses it                     the request is refused, there is no job                      documented
S3 fails later                    CANCELLED; the reason is in the log                          inferred
two jobs in progress              a third is refused                                           documented
start before the ledger's own     counts as the ledger's creation                              documented
no block in the range             completed manifest without keys                              sample
finished jobs                     are listed for seven days                                    documented
emulator stopped or killed        the job is resumed when the server starts again, from its    ours
                                  beginning: it writes the same objects
================================  ===========================================================  ==========
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ...aws.clients import AwsError, client, errors
from ...clock import Clock
from ...errors import EXPORTS_LIMIT, S3_NOT_REACHED, S3_REFUSED
from ...settings import Settings
from ...storage.errors import StorageError
from ...storage.reads import Reads
from ..ledger.facts import ExportJob, LedgerFacts, read_facts

if TYPE_CHECKING:
    from ...journal.exports import Export
    from ..ledger.ledger import Ledger

logger = logging.getLogger("qldb_emulator.exports")

STOP_SECONDS = 1.0  # for all together: a server stops within two
LONGEST_WAIT_MS = 1_000

Put = Callable[[str, bytes, str], None]
"""Writes an object: its key, its contents, its content type."""

ENCRYPTION: dict[str, dict[str, str]] = {
    "NO_ENCRYPTION": {},  # the bucket's default
    "SSE_S3": {"ServerSideEncryption": "AES256"},
    "SSE_KMS": {"ServerSideEncryption": "aws:kms"},
}
"""ObjectEncryptionType -> parameters of S3's PutObject (documented: the two services' API references)."""


class Stopped(Exception):
    """The emulator is closing."""


class BlockSource(Protocol):
    """What an export reads from a journal: a ledger's file, or a journal that the command line fetched."""

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (sequence number, Ion bytes) of the blocks first..last, both included; last None: to the tip."""
        ...

    def block_seqs_between(self, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """Return the first and last block with start_ms <= timestamp < end_ms; None if there are no such blocks."""
        ...


def write_export(file: BlockSource, export: Export, put: Put, stop: threading.Event | None = None) -> int:
    """Write data objects and the completed manifest of an export after the started one; return how many blocks.

    Raises Stopped between two objects if *stop* is set, and what *put* raises.
    """
    keys, total = [], 0
    span = file.block_seqs_between(export.start_ms, export.end_ms)
    content_type = export.format.content_type
    if span is not None:
        for key, contents, count in export.objects(file.blocks(*span)):
            if stop is not None and stop.is_set():
                raise Stopped
            put(key, contents, content_type)
            keys.append(key)
            total += count
    put(export.completed_key, export.completed_manifest(keys), content_type)
    return total


def journal_begins_ms(file: Reads) -> int:
    """Return when a ledger was created, or its first block written if earlier, as in a fork."""
    from ...ion.codec import loads
    from ...journal.parse import block_from_ion

    created = read_facts(file).creation_ms
    if file.last_block_before(created) is None:
        return created
    (_, first) = next(file.blocks(batch=1))
    return min(created, block_from_ion(loads(first)).timestamp.epoch_ms())


def put_started_manifest(export: Export, put: Put) -> None:
    """Write the started manifest of an export."""
    put(export.started_key, export.started_manifest(), export.format.content_type)


class Exports:
    """The export jobs of one emulator.  Their facts are kept with their ledgers."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._endpoint = settings.s3_endpoint
        self._clock = clock
        self._running: dict[str, threading.Thread] = {}
        self._starting: list[Ledger] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.runs_here: Callable[[Ledger], bool] = lambda ledger: True

    def start(self, ledger: Ledger, export: Export, role_arn: str, kms_key_arn: str | None) -> None:
        """Begin a job.  Raises EXPORTS_LIMIT, S3_REFUSED, S3_NOT_REACHED."""
        job = ExportJob(export, role_arn, kms_key_arn)
        with self._lock:
            limit = ledger.limits.exports_per_ledger
            running = sum(other.status == "IN_PROGRESS" for other in jobs_of(ledger))
            if running + self._starting.count(ledger) >= limit:
                raise EXPORTS_LIMIT(limit=limit)
            self._starting.append(ledger)
        try:
            self._put_first(ledger, export, job)  # without the lock: S3 may take its time
            with self._lock:
                ledger.make_durable()
                now = self._clock.now_ms()
                ledger.change_facts(lambda facts: _without_old(facts, now).with_export(job))
                self._run(ledger, job)
        finally:
            with self._lock:
                self._starting.remove(ledger)

    def _put_first(self, ledger: Ledger, export: Export, job: ExportJob) -> None:
        try:
            put_started_manifest(export, self._put(ledger, job))
        except AwsError as error:
            problem = S3_REFUSED if error.is_answer else S3_NOT_REACHED
            raise problem(code=error.code, message=error.message) from error

    def of(self, ledger: Ledger) -> list[ExportJob]:
        """Return a ledger's jobs that are still listed."""
        now = self._clock.now_ms()
        return [job for job in jobs_of(ledger) if job.is_kept(now)]

    def resume(self, ledger: Ledger) -> None:
        """Resume the jobs of a newly opened ledger that a stop interrupted."""
        with self._lock:
            for job in jobs_of(ledger):
                if job.status == "IN_PROGRESS":
                    self._run(ledger, job)

    def go_on(self, ledger: Ledger) -> None:
        """Run the jobs of a ledger that are not running yet."""
        with self._lock:
            for job in jobs_of(ledger):
                if job.status == "IN_PROGRESS" and job.export.export_id not in self._running:
                    self._run(ledger, job)

    def close(self) -> None:
        """Let jobs in progress end after the object that they are writing; a later start resumes them."""
        self._stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in list(self._running.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def wait(self) -> None:
        """Wait until no job is running."""
        for thread in list(self._running.values()):
            thread.join()

    def _run(self, ledger: Ledger, job: ExportJob) -> None:
        if not self.runs_here(ledger):
            return  # another server's job
        id_ = job.export.export_id
        thread = threading.Thread(target=self._work, args=(ledger, job), name=f"export-{id_}", daemon=True)
        self._running[id_] = thread
        thread.start()

    def _work(self, ledger: Ledger, job: ExportJob) -> None:
        export = job.export
        status = "CANCELLED"
        try:
            self._wait_until(ledger, export.end_ms)
            count = write_export(ledger.file, export, self._put(ledger, job), self._stop)
            status = "COMPLETED"
            logger.info("export %s of ledger %s completed: %d blocks", export.export_id, ledger.name, count)
        except Stopped:
            return
        except (AwsError, StorageError) as error:
            if ledger.is_closed:
                return  # deleted, or the emulator is closing
            logger.warning("export %s of ledger %s cancelled: %s", export.export_id, ledger.name, error)
        except Exception:
            logger.exception("export %s of ledger %s cancelled", export.export_id, ledger.name)
        finished = replace(job, status=status, finished_ms=self._clock.now_ms())
        try:
            ledger.change_facts(lambda facts: facts.with_export(finished))
        except StorageError as error:
            logger.warning("export %s of ledger %s: its end cannot be kept: %s", export.export_id, ledger.name, error)
        with self._lock:
            self._running.pop(export.export_id, None)

    def _wait_until(self, ledger: Ledger, end_ms: int) -> None:
        """Wait until the end time of an export, which may be less than a second ahead: more blocks may still come.

        Raises Stopped.
        """
        ahead_ms = end_ms - ledger.now_ms()
        if ahead_ms > 0 and self._stop.wait(min(ahead_ms, LONGEST_WAIT_MS) / 1000):
            raise Stopped

    def _put(self, ledger: Ledger, job: ExportJob) -> Put:
        bucket, encryption = job.export.bucket, dict(ENCRYPTION[job.export.encryption])
        if job.kms_key_arn is not None:
            encryption["SSEKMSKeyId"] = job.kms_key_arn
        s3 = client("s3", ledger.region, self._endpoint)

        def put(key: str, contents: bytes, content_type: str) -> None:
            with errors():
                s3.put_object(Bucket=bucket, Key=key, Body=contents, ContentType=content_type, **encryption)

        return put


def jobs_of(ledger: Ledger) -> list[ExportJob]:
    """Return all jobs in a ledger's file."""
    return list(ledger.facts.exports.values())


def has_running_exports(facts: LedgerFacts) -> bool:
    """Whether a ledger with these facts has a job to resume."""
    return any(job.status == "IN_PROGRESS" for job in facts.exports.values())


def _without_old(facts: LedgerFacts, now_ms: int) -> LedgerFacts:
    return replace(facts, exports={id_: job for id_, job in facts.exports.items() if job.is_kept(now_ms)})
