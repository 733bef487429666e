"""Delivers one journal stream: a thread that reads blocks after their commit, so that no commit waits for it.

=============================  ====================================================================  ==========
behaviour                      here                                                                  source
=============================  ====================================================================  ==========
delivery                       at least once; after a failure or restart records may come again      documented
partition key                  see ``journal.stream_records``                                        captured
first, last record             CREATED; COMPLETED once the end time is over, none after a cancel     documented
the data stream is gone        IMPAIRED, KINESIS_STREAM_NOT_FOUND                                    documented
Kinesis denies access          IMPAIRED, IAM_PERMISSION_REVOKED                                      documented
any other failure, repeatedly  IMPAIRED without a cause: the model knows no other                    ours
a record too large for any     FAILED                                                                inferred
impaired for seven days        FAILED                                                                inferred
=============================  ====================================================================  ==========
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ...aws.clients import AwsError
from ...aws.kinesis import TOO_LARGE, UserRecord
from ...ion.codec import dumps, loads
from ...journal.model import Block, Struct
from ...journal.parse import block_from_ion
from ...journal.stream_records import block_records, control_record, partition_key
from ...storage.errors import StorageError
from ..ledger.facts import Stream
from ..ledger.following import next_blocks
from .stream_facts import change_stream, find_stream

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

logger = logging.getLogger(__name__)

ERROR_CAUSES = {
    "ResourceNotFoundException": "KINESIS_STREAM_NOT_FOUND",
    "AccessDeniedException": "IAM_PERMISSION_REVOKED",
    "AccessDenied": "IAM_PERMISSION_REVOKED",
    "UnrecognizedClientException": "IAM_PERMISSION_REVOKED",
    "InvalidSignatureException": "IAM_PERMISSION_REVOKED",
    "ExpiredTokenException": "IAM_PERMISSION_REVOKED",
    "NoCredentialsError": "IAM_PERMISSION_REVOKED",
}
# Throttling and lost connections mostly pass by themselves.
PATIENCE = 3
FIRST_PAUSE_SECONDS = 0.1
LAST_PAUSE_SECONDS = 5.0
IMPAIRED_MS = 7 * 24 * 60 * 60 * 1000
# How often progress is stored while there is more to deliver, in batches.
STORE_EVERY = 8
# How often a stream with an end checks whether the end is reached.
LOOK_SECONDS = 0.5
IDLE_SECONDS = 60.0


class DeliveryTarget(Protocol):
    """Where records go: a Kinesis data stream.  Both methods raise AwsError."""

    def check(self) -> None:
        """Raise AwsError unless the data stream exists."""
        ...

    def put(self, records: Sequence[UserRecord], is_aggregated: bool) -> None:
        """Write records; if it raises, any of them may have been written."""
        ...


class Delivery:
    """The delivery of one stream, until it ends or is stopped."""

    def __init__(
        self,
        ledger: Ledger,
        stream_id: str,
        arn: str,
        target: DeliveryTarget,
        on_end: Callable[[Delivery], None],
    ) -> None:
        self._ledger = ledger
        self.stream_id = stream_id
        self._arn = arn
        self._target = target
        self._on_end = on_end
        self._stop = threading.Event()
        self._failures = 0
        self._unstored = 0
        self._thread = threading.Thread(target=self._run, name=f"qldb-emulator-stream-{stream_id}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end; it ends between two batches."""
        self._stop.set()
        self._ledger.wake()

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    # --- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            stream = find_stream(self._ledger, self.stream_id)
            while stream is not None and not self._is_over(stream):
                stream = self._step_or_wait(stream)
            if stream is not None and not self._ledger.is_closed:
                self._stored(stream)
        except Exception:
            if not self._ledger.is_closed:  # a closed ledger explains the error; otherwise it is news
                logger.exception("stream %s stopped; it goes on when the ledger is opened again", self.stream_id)
        finally:
            self._on_end(self)

    def _step_or_wait(self, stream: Stream) -> Stream | None:
        """Run a step.  If the ledger's disk refuses its progress, pause, and continue from the stored progress."""
        try:
            return self._step(stream)
        except StorageError as error:
            if self._ledger.is_closed:
                return None
            logger.error("stream %s (%s) waits: %s", stream.name, stream.id, error)
            self._stop.wait(LAST_PAUSE_SECONDS)
            return find_stream(self._ledger, self.stream_id)

    def _is_over(self, stream: Stream) -> bool:
        return self._stop.is_set() or self._ledger.is_closed or stream.ended_ms is not None

    def _step(self, stream: Stream) -> Stream | None:
        """Deliver the next blocks.  Return the stream afterwards; None if it ended meanwhile."""
        if not stream.has_begun:
            return self._deliver(stream, [control_record(self._arn, "CREATED")], has_begun=True)
        last = self._last_block(stream)
        timeout = IDLE_SECONDS if stream.end_ms is None or last is not None else LOOK_SECONDS
        if last is not None and stream.next_seq > last:
            completed = [control_record(self._arn, "COMPLETED")]
            return self._deliver(stream, completed, status="COMPLETED", ended_ms=self._ledger.clock.now_ms())
        found = next_blocks(self._ledger, stream.next_seq, timeout, self._stop)
        if not found:
            return self._stored(stream)
        blocks = [block_from_ion(loads(ion)) for _, ion in found]
        records = [
            record for block in blocks if _is_within(block, stream) for record in block_records(self._arn, block)
        ]
        return self._deliver(stream, records, next_seq=found[-1][0] + 1)

    def _last_block(self, stream: Stream) -> int | None:
        """Return the last block before the end time, -1 for no block; None while an earlier block may still come."""
        if stream.end_ms is None:
            return None
        with self._ledger.commit_lock:  # no commit is running that has taken its time already
            if self._ledger.now_ms() < stream.end_ms:
                return None
        last = self._ledger.file.last_block_before(stream.end_ms)
        return -1 if last is None else last

    def _deliver(self, stream: Stream, records: list[Struct], **progress: Any) -> Stream | None:
        """Put records and store progress.  If that fails, pause, and return the stream with only its status changed."""
        if records:
            user_records = [(partition_key(record), dumps(record)) for record in records]
            try:
                self._target.put(user_records, stream.is_aggregated)
            except AwsError as error:
                return self._failed(stream, error)
        self._failures = 0
        if stream.status == "IMPAIRED":
            logger.info("stream %s (%s) is active again", stream.name, stream.id)
        changes = {"status": "ACTIVE", "error_cause": None, "impaired_ms": None, **progress}
        self._unstored += 1
        is_durable = "next_seq" not in progress or stream.status == "IMPAIRED"
        if is_durable or self._unstored >= STORE_EVERY:
            return self._store(changes, is_durable)
        return replace(stream, **changes) if self._still_running() else None

    def _stored(self, stream: Stream) -> Stream | None:
        """Store the stream's progress before a pause, and return the stream."""
        return self._store({"next_seq": stream.next_seq}, False) if self._unstored else stream

    def _store(self, changes: dict[str, Any], is_durable: bool) -> Stream | None:
        self._unstored = 0
        return change_stream(self._ledger, self.stream_id, is_durable, **changes)

    def _still_running(self) -> bool:
        stream = find_stream(self._ledger, self.stream_id)
        return stream is not None and stream.ended_ms is None

    def _failed(self, stream: Stream, error: AwsError) -> Stream | None:
        self._failures += 1
        now = self._ledger.clock.now_ms()
        cause = ERROR_CAUSES.get(error.code)
        impaired_ms = stream.impaired_ms if stream.impaired_ms is not None else now
        if error.code == TOO_LARGE or now - impaired_ms >= IMPAIRED_MS:
            logger.error("stream %s (%s) failed: %s", stream.name, stream.id, error)
            return self._store({"status": "FAILED", "error_cause": cause, "ended_ms": now}, True)
        if cause is not None or self._failures >= PATIENCE or stream.status == "IMPAIRED":
            if stream.status != "IMPAIRED" or stream.error_cause != cause:
                logger.warning("stream %s (%s) is impaired: %s", stream.name, stream.id, error)
            changes = {"status": "IMPAIRED", "error_cause": cause, "impaired_ms": impaired_ms}
            changed = self._store({**changes, "next_seq": stream.next_seq}, True)
        else:
            changed = stream
        self._stop.wait(min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 10), LAST_PAUSE_SECONDS))
        return changed


def _is_within(block: Block, stream: Stream) -> bool:
    time_ms = block.timestamp.epoch_ms()
    return stream.start_ms <= time_ms and (stream.end_ms is None or time_ms < stream.end_ms)
