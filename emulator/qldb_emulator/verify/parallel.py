"""Segments on every core: which are sent where, what comes back, and what is kept so that a run can go on.

The segments of a journal are sent to an executor, a few more than it has workers, and their verdicts are merged as they
come back.  So memory depends on the number of workers, not on the journal.  An executor is anything with ``submit``:
a pool of processes, or ``distributed.Client(...).get_executor()`` of Dask.

A checkpoint is a file of Ion text, a line for each finished segment, behind a line that says of which journal.  A line
that was cut off by a crash is left out; its segment is verified again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ..ion.codec import IonError, dumps_text, loads
from ..records import dataclass
from . import segments as cutting
from .containers import Container, SourceError
from .segments import Segment, Source, keep_sources_open, verify_segment
from .sources import Journal
from .verdict import SegmentVerdict, merge
from .verdict_ion import VerdictFormatError, verdict_from_ion, verdict_to_ion

AHEAD_PER_WORKER = 2  # segments sent before the first comes back: a worker that ends has the next at once

Progress = Callable[[int], None]


class CheckpointError(SourceError):
    """A checkpoint file cannot be used: it is of another journal, or is no checkpoint."""


def available_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def process_pool(jobs: int) -> Iterator[Executor]:
    """A pool of processes that share nothing with this one: none inherits its threads, files or locks."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        yield pool
    except BaseException:
        processes = list((getattr(pool, "_processes", None) or {}).values())  # shutdown forgets them
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()  # what they work on is of no use any more
        raise
    pool.shutdown()


def _begin() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started them ends the others."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_sources_open()


def verify_segments(
    source: Source | Container,
    segments: Iterable[Segment],
    tips: Iterable[int] = (),
    executor: Executor | None = None,
    workers: int = 1,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> SegmentVerdict:
    """The merged verdict on segments that follow each other.

    source: where the files are; open for this process, a Source for an executor.
    executor: runs them; None: this process does.  workers: how many it has.  progress: is told of bytes done.
    Raises SourceError.
    """
    done = {} if checkpoint is None else checkpoint.done
    tips = tuple(tips)
    neighbours = _Neighbours()

    def keep(number: int, segment: Segment, verdict: SegmentVerdict) -> None:
        if checkpoint is not None and number not in done:
            checkpoint.add(number, verdict)
        neighbours.add(number, verdict)
        if progress is not None:
            progress(segment.size)

    def left() -> Iterator[Numbered]:
        for number, segment in enumerate(segments):
            if number in done:
                keep(number, segment, done[number])
            else:
                yield number, segment

    if executor is None:
        for number, segment in left():
            keep(number, segment, verify_segment(source, segment, tips))
    else:  # a segment is cut while those before it are verified
        for (number, segment), verdict in _spread(_Verify(source, tips), left(), executor, workers):
            keep(number, segment, verdict)
    return neighbours.whole()


Numbered = tuple[int, Segment]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Verify:
    """Verifies a segment, in whichever process it is called."""

    source: Source | Container
    tips: tuple[int, ...]

    def __call__(self, numbered: Numbered) -> SegmentVerdict:
        return verify_segment(self.source, numbered[1], self.tips)


def map_segments(
    work: Callable[[Numbered], Result], segments: Iterable[Segment], executor: Executor | None, workers: int
) -> Iterator[tuple[Segment, Result]]:
    """What a function makes of each segment with its number, in their order.

    executor: runs it; None: this process does.  workers: how many it has.
    """
    if executor is None:
        yield from ((numbered[1], work(numbered)) for numbered in enumerate(segments))
        return
    early: dict[int, tuple[Segment, Result]] = {}
    wanted = 0
    for (number, segment), result in _spread(work, enumerate(segments), executor, workers):
        early[number] = segment, result
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


def _spread(
    work: Callable[[Numbered], Result], segments: Iterable[Numbered], executor: Executor, workers: int
) -> Iterator[tuple[Numbered, Result]]:
    """What a function makes of each segment, in the order in which they are finished."""
    running: dict[Future[Result], Numbered] = {}
    rest = iter(segments)
    while True:
        for numbered in islice(rest, max(workers, 1) * AHEAD_PER_WORKER - len(running)):
            running[executor.submit(work, numbered)] = numbered
        if not running:
            return
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield running.pop(future), future.result()


class _Neighbours:
    """Verdicts by the numbers of their segments; those that are neighbours are merged at once."""

    def __init__(self) -> None:
        self._by_first: dict[int, tuple[int, SegmentVerdict]] = {}
        self._first_of: dict[int, int] = {}  # number after the last one of a run -> number of its first

    def add(self, number: int, verdict: SegmentVerdict) -> None:
        """Take in the verdict on a segment."""
        first, stop = number, number + 1
        if number in self._first_of:
            first = self._first_of.pop(number)
            verdict = merge(self._by_first.pop(first)[1], verdict)
        if stop in self._by_first:
            stop, right = self._by_first.pop(stop)
            self._first_of.pop(stop)
            verdict = merge(verdict, right)
        self._by_first[first] = stop, verdict
        self._first_of[stop] = first

    def whole(self) -> SegmentVerdict:
        """The verdict on all, of which none may be missing."""
        if not self._by_first:
            return SegmentVerdict()
        ((_, verdict),) = self._by_first.values()
        return verdict


class Checkpoint:
    """The finished segments of a run, in a file.

    done: their verdicts, by number.
    """

    def __init__(self, path: Path, journal: Journal, tips: Iterable[int], segment_bytes: int) -> None:
        """Read the file, or begin it.  Raises CheckpointError for a file of another journal or run."""
        self._path = path
        self.done: dict[int, SegmentVerdict] = {}
        about = {"journal": fingerprint(journal), "tips": sorted(tips), "segment_bytes": segment_bytes}
        try:
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
            self._read(about, lines)
            whole = b"".join(line for line in lines if line.endswith(b"\n"))
            path.write_bytes(whole or _line(about))
            self._file = path.open("ab")
        except OSError as error:
            raise CheckpointError(f"the checkpoint {path} cannot be used: {error.strerror}") from error

    def _read(self, about: dict[str, Any], lines: list[bytes]) -> None:
        values = []
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                values.append(loads(line))
            except IonError as error:
                raise CheckpointError(f"{self._path} is not a checkpoint: {error}") from error
        if not values:
            return
        if values[0] != about:
            raise CheckpointError(
                f"the checkpoint {self._path} is of another journal, version or option; remove it to start again"
            )
        try:
            self.done = {value["segment"]: verdict_from_ion(value["verdict"]) for value in values[1:]}
        except (KeyError, TypeError, VerdictFormatError) as error:
            raise CheckpointError(f"{self._path} is not a checkpoint: {error}") from error

    def add(self, number: int, verdict: SegmentVerdict) -> None:
        """Keep a segment's verdict.  Raises CheckpointError."""
        try:
            self._file.write(_line({"segment": number, "verdict": verdict_to_ion(verdict)}))
            self._file.flush()
        except OSError as error:
            raise CheckpointError(f"the checkpoint {self._path} cannot be written: {error.strerror}") from error

    def close(self, is_finished: bool) -> None:
        """Close the file.  is_finished: the run is over, so the file is removed."""
        self._file.close()
        if is_finished:
            self._path.unlink(missing_ok=True)


def _line(value: Any) -> bytes:
    return dumps_text(value).encode() + b"\n"


def fingerprint(journal: Journal) -> str:
    """What tells the segments of one set of files from those of another: how they are cut, strand, names and sizes."""
    names = [[part.name, part.size, part.first, part.last] for part in journal.parts]
    return sha256(dumps_text([cutting.PLAN_VERSION, journal.strand_id, names]).encode()).hexdigest()
