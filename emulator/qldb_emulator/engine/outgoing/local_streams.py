"""A ledger's journal records without Kinesis: as JSON, over HTTP or into a file.

The records are those of a journal stream without the control records, down-converted from Ion to JSON.  Their ARN has
``local`` in place of a stream's id.  All of this is ours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ...ion.codec import loads
from ...ion.json import to_json
from ...journal.parse import block_from_ion
from ...journal.stream_records import block_records
from ...storage.errors import StorageError
from ..ledger.facts import FilePosition
from ..ledger.following import next_blocks

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

logger = logging.getLogger(__name__)

LOCAL = "local"
# How often a follower without news checks whether its client is still connected.
IDLE_SECONDS = 0.3
_PAUSE_SECONDS = 5.0
_IDLE_FILE_SECONDS = 60.0
_NEVER = threading.Event()


def json_records(ledger: Ledger, arn: str, first: int, follows: bool) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Yield (sequence number, [(record type, JSON)]) of every block from ``first`` on; (-1, []) while there is none.

    follows: continue with new blocks until the ledger is closed; otherwise end with the present last block.
    """
    stop = threading.Event()
    last = ledger.snapshot()[0]
    while not ledger.is_closed and (follows or first <= last):
        try:
            found = next_blocks(ledger, first, IDLE_SECONDS, stop)
        except StorageError:
            if ledger.is_closed:
                return  # the ledger was closed meanwhile
            raise
        if not found:
            yield -1, []
        for sequence_no, ion in found:
            if follows or sequence_no <= last:
                yield sequence_no, _json_of_block(arn, ion)
            first = sequence_no + 1


def _json_of_block(arn: str, ion: bytes) -> list[tuple[str, str]]:
    records = block_records(arn, block_from_ion(loads(ion)))
    return [(str(record["recordType"]), to_json(record)) for record in records]


class StreamFile:
    """Appends the records of every open ledger to a file, one per line, and stores how far it has come.

    arn_of: returns the stream ARN for the records of a ledger.
    Raises OSError if the file cannot be opened.  At least once: a crash may repeat a line.
    """

    def __init__(self, path: Path, arn_of: Callable[[Ledger], str]) -> None:
        self.path = str(path.absolute())
        self._file: BinaryIO = path.open("ab")
        self._arn_of = arn_of
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._followers: list[_Follower] = []

    def follow(self, ledger: Ledger) -> None:
        """Write what is new in a newly opened ledger, and follow it."""
        follower = _Follower(self, ledger, self._arn_of(ledger))
        with self._lock:
            self._followers = [other for other in self._followers if other.thread.is_alive()]
            self._followers.append(follower)
            follower.thread.start()

    def finish(self, ledger: Ledger | None = None) -> None:
        """Write the rest of one ledger or of all, and stop following."""
        with self._lock:
            followers = [other for other in self._followers if ledger in (None, other.ledger)]
        for follower in followers:
            follower.stop.set()
            follower.ledger.wake()
        for follower in followers:
            follower.thread.join(_PAUSE_SECONDS)

    def close(self) -> None:
        """Finish with all ledgers, and close the file."""
        self.finish()
        self._file.close()

    def write(self, ledger: Ledger, lines: str, next_seq: int) -> None:
        """Append lines and store how far the ledger is written.  Raises OSError."""
        with self._writing:
            self._file.write(lines.encode())
            self._file.flush()
        position = FilePosition(self.path, ledger.name, next_seq)
        ledger.change_facts(lambda facts: replace(facts, stream_file=position), is_progress=True)

    def position(self, ledger: Ledger) -> int:
        """Return the first block not yet written; 0 for a fork and for another file."""
        known = ledger.facts.stream_file
        if known is None or (known.path, known.ledger) != (self.path, ledger.name):
            return 0
        return known.next_seq


class _Follower:
    """The thread that writes one ledger's records to the file."""

    def __init__(self, file: StreamFile, ledger: Ledger, arn: str) -> None:
        self.ledger = ledger
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="qldb-emulator-stream-file", daemon=True)
        self._file = file
        self._arn = arn

    def _run(self) -> None:
        try:
            while self._step_or_wait():
                pass
        except Exception:
            logger.exception("%s gets no more records of ledger %s", self._file.path, self.ledger.name)

    def _step_or_wait(self) -> bool:
        """Run a step; if the disk refuses it, pause and try again.  Return whether to go on."""
        try:
            return self._step()
        except (OSError, StorageError) as error:
            if self.ledger.is_closed:
                return False
            reason = error.strerror if isinstance(error, OSError) else error
            logger.error("%s cannot be written: %s", self._file.path, reason)
            if self.stop.is_set():
                return False
            self.stop.wait(_PAUSE_SECONDS)
            return True

    def _step(self) -> bool:
        """Write what there is; return whether to go on.  After the stop, first write everything that was committed."""
        is_stopped = self.stop.is_set()
        seconds, stop = (0.0, _NEVER) if is_stopped else (_IDLE_FILE_SECONDS, self.stop)
        found = next_blocks(self.ledger, self._file.position(self.ledger), seconds, stop)
        if self.ledger.is_closed:
            return False
        if not found:
            return not is_stopped
        lines = "".join(f"{line}\n" for _, ion in found for _, line in _json_of_block(self._arn, ion))
        self._file.write(self.ledger, lines, found[-1][0] + 1)
        return True
