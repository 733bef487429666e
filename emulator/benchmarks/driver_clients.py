"""Runs official drivers in processes of their own, with the servers that they talk to.

A case is what ``clients/`` reads: its kind, where to and with what.  Two cases take turns in one client process.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.limits import STRICT
from qldb_emulator.settings import Settings

from .bench import Bench, BenchError, SkippedError, in_unit, package_environment
from .documents import INDEXED, TABLE, registration
from .fill import create_ledger
from .local_driver import LocalDriver
from .rows import Samples
from .servers import (
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
SCANNED = "Scanned"
"""A table without an index, into which nothing is inserted later."""
A_TRANSACTION = STRICT.transaction_documents
CLIENTS = Path(__file__).resolve().parent / "clients"
PYQLDB_CLIENT = CLIENTS / "pyqldb_client.py"
NODE_CLIENT = CLIENTS / "node" / "client.cjs"

ClientCase = dict[str, Any]


# --- Servers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Servers:
    """What the clients talk to.  documents: how many each of the emulator's tables holds at first."""

    emulator: ServerProcess
    stub: ServerProcess
    same_stub: ServerProcess
    documents: int


@contextmanager
def servers(bench: Bench) -> Iterator[Servers]:
    """Yield two stubs and a durable emulator with documents in it."""
    data_dir = bench.directory / "served"
    bench.say(f"starting servers; the emulator with {bench.scale.small:,} documents in a table, durable")
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


@contextmanager
def stub_of_many(bench: Bench) -> Iterator[ServerProcess]:
    """Yield a stub that answers an INSERT as if it had inserted as many documents as a transaction may."""
    port = free_port()
    with running(stub_command(port, A_TRANSACTION), port, bench.directory / "stub-of-many.log") as stub:
        yield stub


def store(data_dir: Path, documents: int) -> None:
    """A data directory with one ledger and so many registrations in a table with an index and in one without."""
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED, SCANNED: None})
        driver = LocalDriver(emulator, LEDGER)
        for table in (TABLE, SCANNED):
            for first in range(0, documents, A_TRANSACTION):
                numbers = range(first, min(first + A_TRANSACTION, documents))
                driver.insert(table, [registration(number) for number in numbers])


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


# --- Cases -----------------------------------------------------------------------------------------------------


def client_case(kind: str, server: ServerProcess, keys: int, ledger: str = LEDGER) -> ClientCase:
    """Return what a client is told.  keys: how many documents, from number 0, there are to ask for."""
    return {"kind": kind, "endpoint": server.url, "ledger": ledger, "keys": keys}


def select(server: ServerProcess, keys: int, checks_key: bool, ledger: str = LEDGER) -> ClientCase:
    """SELECT by index, one row read.  checks_key: the stub answers with the same row whatever is asked."""
    return client_case("select", server, keys, ledger) | {"checks_key": checks_key}


def insert_many(server: ServerProcess) -> ClientCase:
    """INSERT of as many documents as a transaction may insert, as one list."""
    return client_case("insert_many", server, 0) | {"documents": A_TRANSACTION}


# --- Clients ---------------------------------------------------------------------------------------------------


def pyqldb(bench: Bench, left: ClientCase, right: ClientCase) -> Samples:
    """Run both cases in turn by pyqldb, or by boto3 in the same environment."""
    if bench.tools.client is None:
        raise BenchError("the client environment is not there")
    return run_client(bench, [str(bench.tools.client), str(PYQLDB_CLIENT)], left, right)


def node(bench: Bench, left: ClientCase, right: ClientCase) -> Samples:
    """Run both cases in turn by the Node.js driver."""
    if bench.tools.node_modules is None:
        raise SkippedError("Node.js is not on this machine")
    return run_client(bench, ["node", str(NODE_CLIENT)], left, right, NODE_PATH=str(bench.tools.node_modules))


def run_client(bench: Bench, command: list[str], left: ClientCase, right: ClientCase, **environment: str) -> Samples:
    """Run both cases in turn, in a client process.  Raises BenchError with the client's own words."""
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
