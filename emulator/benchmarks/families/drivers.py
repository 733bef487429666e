"""Whole transactions of official drivers over HTTP, against a stub that answers at once, and against moto's DynamoDB.

Most of such a transaction is the client's own work, which is the same on both sides; the ratio is what a user feels.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..bench import Bench, BenchError, SkippedError, in_unit, package_environment
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger
from ..local_driver import LocalDriver
from ..machine import sync_ms
from ..rows import Family, Row, Samples, control
from ..servers import (
    EMULATOR_PROBE,
    MOTO_PROBE,
    ServerProcess,
    emulator_command,
    free_port,
    moto_command,
    running,
    stub_command,
)

LEDGER = "bench"
CLIENTS = Path(__file__).resolve().parents[1] / "clients"
PYQLDB_CLIENT = CLIENTS / "pyqldb_client.py"
NODE_CLIENT = CLIENTS / "node" / "client.cjs"
_A_TRANSACTION = 40


@dataclass(frozen=True, slots=True)
class Servers:
    """What the clients talk to.  documents: how many the emulator's table, and moto's, hold at first."""

    emulator: ServerProcess
    stub: ServerProcess
    same_stub: ServerProcess
    documents: int


@contextmanager
def servers(bench: Bench) -> Iterator[Servers]:
    """Two stubs and a durable emulator with documents in it."""
    data_dir = bench.directory / "served"
    bench.say(f"starting servers; the emulator with {bench.scale.small:,} documents, durable")
    store(data_dir, bench.scale.small)
    ports = [free_port() for _ in range(3)]
    with (
        running(stub_command(ports[0]), ports[0], bench.directory / "stub.log") as stub,
        running(stub_command(ports[1]), ports[1], bench.directory / "same-stub.log") as same_stub,
        running(
            emulator_command(ports[2], data_dir), ports[2], bench.directory / "emulator.log", EMULATOR_PROBE
        ) as emulator,
    ):
        yield Servers(emulator, stub, same_stub, bench.scale.small)


def store(data_dir: Path, documents: int) -> None:
    """A data directory with one ledger and so many registrations."""
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED})
        driver = LocalDriver(emulator, LEDGER)
        for first in range(0, documents, _A_TRANSACTION):
            numbers = range(first, min(first + _A_TRANSACTION, documents))
            driver.insert(TABLE, [registration(number) for number in numbers])


@contextmanager
def moto(bench: Bench) -> Iterator[ServerProcess]:
    """moto's server, in memory."""
    if bench.tools.moto_server is None:
        raise BenchError("moto's server is not there")
    bench.say("starting moto's server")
    port = free_port()
    command = moto_command(bench.tools.moto_server, port)
    with running(command, port, bench.directory / "moto.log", MOTO_PROBE) as process:
        yield process


def select(server: ServerProcess, documents: int, checks_key: bool) -> dict[str, Any]:
    """SELECT by index, one row read.  checks_key: the stub answers with the same row whatever is asked."""
    return _case("select", server, documents) | {"checks_key": checks_key}


def insert(server: ServerProcess, documents: int) -> dict[str, Any]:
    """INSERT of one document."""
    return _case("insert", server, documents)


def _case(kind: str, server: ServerProcess, documents: int) -> dict[str, Any]:
    return {"kind": kind, "endpoint": server.url, "ledger": LEDGER, "keys": documents}


def run_client(
    bench: Bench, command: list[str], left: dict[str, Any], right: dict[str, Any], **environment: str
) -> Samples:
    """Both cases in turn, in a client process.  Raises BenchError with the client's own words."""
    job = {
        "cases": [left, right],
        "repetitions": bench.scale.repetitions,
        "count": bench.scale.count,
        "seed": bench.random.randrange(1 << 32),
    }
    variables = package_environment() | environment
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False, env=variables)
    if done.returncode != 0:
        raise BenchError(f"the client failed:\n{done.stderr[-2000:]}")
    means = [tuple(figures) for figures in json.loads(done.stdout)["means_ns"]]
    return in_unit(means[0], means[1], "ms")


def pyqldb(bench: Bench, left: dict[str, Any], right: dict[str, Any]) -> Samples:
    """Both cases in turn by pyqldb."""
    if bench.tools.client is None:
        raise BenchError("the client environment is not there")
    return run_client(bench, [str(bench.tools.client), str(PYQLDB_CLIENT)], left, right)


def node(bench: Bench, left: dict[str, Any], right: dict[str, Any]) -> Samples:
    """Both cases in turn by the Node.js driver."""
    if bench.tools.node_modules is None:
        raise SkippedError("Node.js is not on this machine")
    return run_client(bench, ["node", str(NODE_CLIENT)], left, right, NODE_PATH=str(bench.tools.node_modules))


def measure_control(bench: Bench) -> Samples:
    there = bench.shared(servers)
    return pyqldb(bench, select(there.stub, there.documents, False), select(there.same_stub, there.documents, False))


def measure_select(bench: Bench) -> Samples:
    there = bench.shared(servers)
    return pyqldb(bench, select(there.emulator, there.documents, True), select(there.stub, there.documents, False))


def measure_node(bench: Bench) -> Samples:
    there = bench.shared(servers)
    return node(bench, select(there.emulator, there.documents, True), select(there.stub, there.documents, False))


def measure_insert(bench: Bench) -> Samples:
    there = bench.shared(servers)
    before = sync_ms(bench.directory)
    samples = pyqldb(bench, insert(there.emulator, there.documents), insert(there.stub, there.documents))
    after = sync_ms(bench.directory)
    return replace(samples, note=f"one sync of the disk takes {before:.2f} ms before, {after:.2f} ms after")


def measure_dynamodb(bench: Bench) -> Samples:
    there = bench.shared(servers)
    return pyqldb(
        bench, insert(there.emulator, there.documents), _case("put_and_get", bench.shared(moto), there.documents)
    )


FAMILY = Family(
    "drivers over HTTP",
    control("drivers-control", "pyqldb SELECT on a stub", measure_control),
    (
        Row(
            "select",
            "pyqldb transaction, SELECT by index, one row",
            "the same on a canned-reply stub",
            1.15,
            "design 10; performance.md 11 G1",
            measure_select,
        ),
        Row(
            "select-node",
            "Node.js driver's transaction, SELECT by index, one row",
            "the same on a canned-reply stub",
            1.3,
            "performance.md 11 G3",
            measure_node,
        ),
        Row(
            "insert",
            "pyqldb transaction, INSERT, durable commit",
            "the same on a canned-reply stub",
            1.25,
            "design 10; performance.md 11 G2",
            measure_insert,
        ),
        Row(
            "dynamodb",
            "pyqldb transaction, INSERT, durable commit",
            "moto's DynamoDB, put_item + get_item, in memory",
            0.8,
            "design 10; performance.md 11 G5",
            measure_dynamodb,
        ),
    ),
)
