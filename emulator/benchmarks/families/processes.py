"""The process itself: the time to its first answer, and its cost while it is idle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case, alternate
from ..bench import Bench, BenchError, in_unit, package_environment
from ..fill import registrations
from ..rows import Family, Row, Samples, control
from ..servers import (
    EMULATOR_PROBE,
    MOTO_PROBE,
    Probe,
    ServerProcess,
    emulator_command,
    free_port,
    moto_command,
    pss_mb,
    running,
    settle,
)

Start = Callable[[], AbstractContextManager[ServerProcess]]

LEDGER = "started"
DIGEST_PROBE = Probe("POST", f"/ledgers/{LEDGER}/digest", below=300)


def emulator_start(bench: Bench, data_dir: Path | None = None, probe: Probe = EMULATOR_PROBE) -> Start:
    """Return the emulator; ephemeral without a data directory."""

    def start() -> AbstractContextManager[ServerProcess]:
        port = free_port()
        return running(emulator_command(port, data_dir), port, bench.directory / "start.log", probe)

    return start


def moto_start(bench: Bench) -> Start:
    """moto's server."""
    command = bench.tools.moto_server
    if command is None:
        raise BenchError("moto's server is not there")

    def start() -> AbstractContextManager[ServerProcess]:
        port = free_port()
        return running(moto_command(command, port), port, bench.directory / "start-moto.log", MOTO_PROBE)

    return start


# --- Time ------------------------------------------------------------------------------------------------------


def import_flask() -> float:
    """Return a Python that imports Flask and ends."""
    began = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", "import flask"], check=True, env=package_environment())
    return time.perf_counter_ns() - began


def until_ready(start: Start) -> Case:
    """From spawning a server to its first answer."""

    def run() -> float:
        with start() as server:
            return server.ready_ms * 1_000_000

    return run


def compare_starts(bench: Bench, left: Case, right: Case, note: str) -> Samples:
    means = alternate([left, right], bench.scale.repetitions, bench.scale.starts, bench.random)
    return in_unit(means[0], means[1], "ms", note)


def measure_control(bench: Bench) -> Samples:
    return compare_starts(bench, import_flask, import_flask, "warm page cache")


def measure_start(bench: Bench) -> Samples:
    note = "spawn to first answer of GET /ledgers, warm page cache; design 10 wants 400 ms at most"
    return compare_starts(bench, until_ready(emulator_start(bench)), import_flask, note)


def measure_start_moto(bench: Bench) -> Samples:
    note = "moto until it answers DynamoDB's ListTables"
    return compare_starts(bench, until_ready(emulator_start(bench)), until_ready(moto_start(bench)), note)


def measure_start_large(bench: Bench) -> Samples:
    starts = []
    for blocks in (bench.scale.large, bench.scale.small):
        directory = bench.directory / f"started-{blocks}"
        with Emulator(Settings(data_dir=directory)) as emulator:
            registrations(emulator, LEDGER, blocks, bench.say)
        starts.append(until_ready(emulator_start(bench, directory, DIGEST_PROBE)))
    sizes = f"{bench.scale.large:,} blocks against {bench.scale.small:,}"
    note = f"spawn to the answer of GetDigest; {sizes}; warm page cache"
    return compare_starts(bench, starts[0], starts[1], note)


# --- Memory ----------------------------------------------------------------------------------------------------


@contextmanager
def flask_imported() -> Iterator[int]:
    """Yield a Python that has imported Flask and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import flask, sys; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=package_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def flask_memory() -> float:
    with flask_imported() as process_id:
        settle(process_id)
        return pss_mb(process_id)


def server_memory(start: Start) -> float:
    with start() as server:
        settle(server.process.pid)
        return pss_mb(server.process.pid)


def compare_memory(bench: Bench, left: Callable[[], float], right: Callable[[], float], note: str) -> Samples:
    # Memory at rest hardly varies; three pairs show that.
    pairs = [(left(), right()) for _ in range(3)]
    return Samples(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), "MB", note)


def measure_memory(bench: Bench) -> Samples:
    start = emulator_start(bench)
    note = "PSS at rest after the first answer; design 10 wants 45 MB at most"
    return compare_memory(bench, lambda: server_memory(start), flask_memory, note)


def measure_memory_moto(bench: Bench) -> Samples:
    ours, theirs = emulator_start(bench), moto_start(bench)
    return compare_memory(bench, lambda: server_memory(ours), lambda: server_memory(theirs), "PSS at rest, no ledgers")


FAMILY = Family(
    "process",
    control("process-control", 'python -c "import flask"', measure_control),
    (
        Row(
            "start",
            "start of the server to its first answer",
            'python -c "import flask"',
            1.4,
            "design 10; measurements.md G14",
            measure_start,
        ),
        Row(
            "start-moto",
            "start of the server to its first answer",
            "start of moto's server",
            0.4,
            "measurements.md G14",
            measure_start_moto,
        ),
        Row(
            "start-large",
            "start of the server to its first answer about a large ledger",
            "to its first answer about a small ledger",
            1.1,
            "measurements.md G13, which compares with an empty directory: that needs no ledger to be opened",
            measure_start_large,
        ),
        Row("memory", "memory at rest", "Flask imported alone", 1.5, "design 10: 45 MB against 30", measure_memory),
        Row("memory-moto", "memory at rest", "moto's server", 0.5, "measurements.md G15", measure_memory_moto),
    ),
)
