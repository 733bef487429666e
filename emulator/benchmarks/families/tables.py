"""Verification by segments, and tables of a journal: against hashing, against one process, against COPY alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from qldb_emulator.tables import build_tables, open_target
from qldb_emulator.tables.build import Options
from qldb_emulator.tables.layout import HISTORY, layouts_from_plain
from qldb_emulator.tables.postgresql import TYPES, copy_lines
from qldb_emulator.tables.spool import ROWS_AT_ONCE, Chunk
from qldb_emulator.verify import Source, choose_journal, verify_source

from ..alternate import Case, alternate, timed
from ..bench import Bench, BenchError, SkippedError, in_unit, package_environment
from ..peak import peak_mb
from ..postgres_alone import postgres
from ..rows import Family, Row, Samples, control
from .journals import hash_alone, journals, octets_alone, parse_alone, turns

JOBS = 2


@contextmanager
def ready(bench: Bench) -> Iterator[None]:
    """The extras that tables need are here."""
    try:
        import psycopg  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise SkippedError(f"needs the extras parquet and postgresql: {error}") from error
    yield


def verify(directory: Path, jobs: int) -> None:
    """As the command does it."""
    source = Source(str(directory))
    container = source.open()
    report = verify_source(source, container, choose_journal(container), jobs=jobs)
    if report.verdict != "whole":
        raise BenchError(str(report.findings))


def run_verify(directory: Path, jobs: int) -> None:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "qldb_emulator", "verify", str(directory), "--jobs", str(jobs)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, env=package_environment(), check=False)
    if done.returncode:
        raise BenchError(f"the verification of {directory} ended with {done.returncode}")


def write_tables(directory: Path, target: str, jobs: int = 1) -> None:
    """As the command does it."""
    source = Source(str(directory))
    container = source.open()
    opened = open_target(target)
    try:
        build_tables(source, container, choose_journal(container), opened, Options(), jobs=jobs)
    finally:
        opened.close()


def measure_control(bench: Bench) -> Samples:
    small = bench.shared(journals).small
    return turns(bench, timed(lambda: verify(small, 1)), timed(lambda: verify(small, 1)), "")


def measure_verify(bench: Bench) -> Samples:
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks of one registration each, one process; each side reads the files"
    return turns(bench, timed(lambda: verify(made.small, 1)), timed(lambda: hash_alone(made.small)), note)


def measure_verify_of_octets(bench: Bench) -> Samples:
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks of one registration each, one process; both sides read them by the same reader"
    return turns(bench, timed(lambda: verify(made.small, 1)), timed(lambda: octets_alone(made.small)), note)


def measure_jobs(bench: Bench) -> Samples:
    if (os.cpu_count() or 1) < JOBS:
        raise SkippedError(f"needs {JOBS} processors")
    large = bench.shared(journals).large
    cases = [timed(lambda: run_verify(large, JOBS)), timed(lambda: run_verify(large, 1))]
    means = alternate(cases, bench.scale.repetitions, 1, bench.random)
    note = f"{bench.scale.large:,} blocks; the whole command, its start included; both processors must be free"
    return in_unit(means[0], means[1], "ms", note)


def writing(bench: Bench, source: Path) -> Case:
    """Tables in Parquet files, which are thrown away."""
    numbers = count()

    def run() -> float:
        folder = bench.directory / f"tables-{next(numbers)}"
        taken = timed(lambda: write_tables(source, f"parquet:{folder}"))()
        shutil.rmtree(folder)
        return taken

    return run


def measure_tables(bench: Bench) -> Samples:
    bench.shared(ready)
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks, Ion binary, verified in the same pass, one process, Parquet"
    return turns(bench, writing(bench, made.small), timed(lambda: parse_alone(made.small)), note)


# --- COPY ----------------------------------------------------------------------------------------------------


def measure_copy(bench: Bench) -> Samples:
    bench.shared(ready)
    url, made = bench.shared(postgres), bench.shared(journals)
    rows, kinds = _history(bench, made.small)
    chunks = [_chunk(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE)]
    text = "".join([copy_lines(chunk, kinds) for chunk in chunks])
    from qldb_emulator.tables import postgresql

    columns = tuple((f"c{number}", kind) for number, kind in enumerate(kinds))
    target = open_target(url)
    assert isinstance(target, postgresql.PostgresTarget)
    connection = target.connection()

    def ours() -> None:
        postgresql.copy(connection, "bench", columns, chunks)

    def ready_made() -> None:
        with connection.cursor() as cursor, cursor.copy("COPY bench FROM STDIN") as copying:
            copying.write(text)

    try:
        connection.execute("DROP TABLE IF EXISTS bench")
        connection.execute(f"CREATE TABLE bench ({', '.join(f'{name} {TYPES[kind]}' for name, kind in columns)})")
        note = f"{len(rows):,} rows of a history, {len(text) / 1e6:.1f} MB of text"
        return turns(bench, _emptied(connection, ours), _emptied(connection, ready_made), note)
    finally:
        target.close()


def _chunk(rows: list[tuple[Any, ...]]) -> Chunk:
    return list(zip(*rows, strict=True))


def _emptied(connection: Any, action: Callable[[], None]) -> Case:
    """The action alone, on an empty table."""

    def run() -> float:
        connection.execute("TRUNCATE bench")
        return timed(action)()

    return run


def _history(bench: Bench, source: Path) -> tuple[list[tuple[Any, ...]], list[Any]]:
    """The rows of the one history of a journal, and the kinds of its columns."""
    folder = bench.directory / "history"
    write_tables(source, f"parquet:{folder}")
    target = open_target(f"parquet:{folder}")
    (layout,) = layouts_from_plain(json.loads(target.verification()["tables"])["tables"], target.dialect)
    assert layout.history_columns[: len(HISTORY)] == HISTORY
    rows = list(target.read(layout.history, layout.history_columns))
    return rows, [kind for _, kind in layout.history_columns]


# --- Memory ----------------------------------------------------------------------------------------------------


def tables_peak_mb(source: Path, target: Path) -> float:
    """The most memory that a process takes to write tables."""
    taken = peak_mb(["tables", str(source), "--to", f"parquet:{target}", "--jobs", "1"])
    shutil.rmtree(target)
    return taken


def measure_memory(bench: Bench) -> Samples:
    bench.shared(ready)
    made = bench.shared(journals)
    large, small = (tables_peak_mb(source, bench.directory / "memory") for source in (made.large, made.small))
    note = f"peak of the process; {bench.scale.large:,} blocks against {bench.scale.small:,}; one process, Parquet"
    return Samples((large,), (small,), "MB", note)


FAMILY = Family(
    "verification and tables",
    control("tables-control", "verify a small journal", measure_control),
    (
        Row(
            "verify-hashing",
            "verification of a journal",
            "decoding the same blocks and hashing them",
            1.3,
            "design 10",
            measure_verify,
        ),
        Row(
            "verify-octets",
            "verification of a journal",
            "reading the same blocks with their hashes, without decoding them",
            1.3,
            "ours: a harder goal than against decoding",
            measure_verify_of_octets,
        ),
        Row(
            "verify-jobs",
            "verification by two processes",
            "by one",
            round(1 / 1.8, 2),
            "ours: at least 1.8 times as fast on free cores",
            measure_jobs,
        ),
        Row(
            "tables-parsing",
            "a journal as verified tables",
            "parsing its values and nothing else",
            1.5,
            "issue 16",
            measure_tables,
        ),
        Row(
            "tables-copy",
            "rows to PostgreSQL by COPY",
            "COPY of the same rows as ready-made text",
            2.0,
            "issue 16",
            measure_copy,
        ),
        Row(
            "tables-memory",
            "memory of writing tables of a large journal",
            "of a small one",
            1.5,
            "ours: flat, but for the rows of a segment",
            measure_memory,
        ),
    ),
)
