"""A journal in PostgreSQL: a commit against the database's own insert, a read against a ledger in a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger
from ..http_driver import HttpEmulator
from ..local_driver import LocalDriver
from ..postgres_alone import postgres, postgres_insert
from ..rows import Family, Row, Samples, control
from ..servers import EMULATOR_PROBE, emulator_command, free_port, running
from .storage import INSERT, commits

LEDGER = "storage"
READ = "read"  # a ledger of its own: the commits that are measured would add rows to what is read
DOCUMENTS = 1_000
LEDGERS = 4
PER_RUN = 8  # transactions of each client
SELECT = f"SELECT * FROM {TABLE} WHERE VIN = ?"


@contextmanager
def over_log(bench: Bench) -> Iterator[Emulator]:
    """A server over a journal in PostgreSQL."""
    with Emulator(Settings(data_dir=bench.directory / "cache", journal=bench.shared(postgres))) as made:
        for ledger in (LEDGER, READ):
            create_ledger(made, ledger, {TABLE: INDEXED})
        fill(made)
        yield made


@contextmanager
def embedded(bench: Bench) -> Iterator[Emulator]:
    """A server alone."""
    with Emulator(Settings(data_dir=bench.directory / "alone")) as made:
        create_ledger(made, READ, {TABLE: INDEXED})
        fill(made)
        yield made


def fill(emulator: Emulator) -> None:
    """Documents to read."""
    driver = LocalDriver(emulator, READ)
    for first in range(0, DOCUMENTS, 40):
        driver.insert(TABLE, [registration(number) for number in range(first, first + 40)])


def statements(emulator: Emulator, wait: Callable[[], object] = lambda: None) -> Case:
    """A statement that reads one document by an index, without beginning its transaction.

    wait: for the database, on the side that does not do so by itself.  A thread that has waited finds the processor's
    caches cold: measured in processor time, a server alone takes 1.25 of the time for the next statement, and a server
    over a log takes 1.00 when it does not wait.  Over HTTP each statement comes after a wait on either.
    """
    driver = LocalDriver(emulator, READ)
    vin = registration(DOCUMENTS // 2)["VIN"]

    def read() -> float:
        wait()
        transaction = driver.transaction()
        transaction.pages(SELECT, vin)
        took = timed(lambda: transaction.pages(SELECT, vin))()
        driver.send("AbortTransaction", {})
        return took

    return read


def measure_control(bench: Bench) -> Samples:
    url = bench.shared(postgres)
    return bench.compare(postgres_insert(url), postgres_insert(url), "ms")


def measure_commit(bench: Bench) -> Samples:
    note = "CommitTransaction alone, one new document, in process"
    return bench.compare(commits(bench.shared(over_log)), postgres_insert(bench.shared(postgres)), "ms", note)


def measure_statement(bench: Bench) -> Samples:
    import psycopg

    note = "ExecuteStatement alone; beginning a transaction looks at the end of the log first: log-begin"
    with psycopg.connect(bench.shared(postgres), autocommit=True) as connection:
        alone = statements(bench.shared(embedded), lambda: connection.execute("SELECT 1").fetchone())
        return bench.compare(statements(bench.shared(over_log)), alone, "µs", note)


def measure_begin(bench: Bench) -> Samples:
    import psycopg

    driver = LocalDriver(bench.shared(over_log), LEDGER)

    def begin() -> None:
        driver.transaction()
        driver.send("AbortTransaction", {})

    with psycopg.connect(bench.shared(postgres), autocommit=True) as connection:
        ask = timed(lambda: connection.execute("SELECT 1").fetchone())
        return bench.compare(timed(begin), ask, "µs")


# --- many ledgers --------------------------------------------------------------------------------------------


@contextmanager
def running_servers(bench: Bench, count: int) -> Iterator[list[int]]:
    """Ports of servers over a database of their own, with LEDGERS ledgers."""
    import psycopg

    name = f"servers{count}"
    with psycopg.connect(bench.shared(postgres), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = f"{bench.shared(postgres).rsplit('/', 1)[0]}/{name}"
    with Emulator(Settings(is_ephemeral=True, journal=url)) as made:
        for number in range(LEDGERS):
            create_ledger(made, f"{LEDGER}{number}", {TABLE: INDEXED})
    with ExitStack() as stack:
        ports = []
        for number in range(count):
            port = free_port()
            command = [*emulator_command(port, bench.directory / f"{name}-{number}"), "--journal", url]
            log = bench.directory / f"{name}-{number}.log"
            stack.enter_context(running(command, port, log, EMULATOR_PROBE))
            ports.append(port)
        yield ports


@contextmanager
def one_server(bench: Bench) -> Iterator[list[int]]:
    """All ledgers on one server."""
    with running_servers(bench, 1) as ports:
        yield ports


@contextmanager
def two_servers(bench: Bench) -> Iterator[list[int]]:
    """Half of the ledgers on each of two servers."""
    with running_servers(bench, 2) as ports:
        yield ports


class Writers:
    """A client for each ledger, at the server that owns it."""

    def __init__(self, ports: list[int]) -> None:
        self._drivers = [
            LocalDriver(HttpEmulator(ports[number % len(ports)]), f"{LEDGER}{number}") for number in range(LEDGERS)
        ]
        self._number = 0

    def run(self) -> float:
        """Nanoseconds of a run, for each transaction."""
        self._number += PER_RUN
        began = time.perf_counter_ns()
        with ThreadPoolExecutor(LEDGERS) as pool:
            for done in [pool.submit(self._insert, driver, self._number) for driver in self._drivers]:
                done.result()
        return (time.perf_counter_ns() - began) / (PER_RUN * LEDGERS)

    @staticmethod
    def _insert(driver: LocalDriver, first: int) -> None:
        for number in range(first, first + PER_RUN):
            transaction = driver.transaction()
            transaction.pages(INSERT, registration(number))
            transaction.commit()


def measure_servers(bench: Bench) -> Samples:
    left, right = Writers(bench.shared(two_servers)), Writers(bench.shared(one_server))
    note = f"{LEDGERS} clients in one process, PostgreSQL on the same machine, {os.cpu_count()} processors"
    return bench.compare(left.run, right.run, "ms", note, share=10)


FAMILY = Family(
    "shared journals, in process over PostgreSQL",
    control("log-control", "PostgreSQL's insert of a block's bytes, synced", measure_control),
    (
        Row(
            "log-commit",
            "durable commit of an INSERT into a journal in PostgreSQL",
            "PostgreSQL's own insert of the same bytes",
            1.5,
            "issue: one journal, many servers",
            measure_commit,
        ),
        Row(
            "log-read",
            "SELECT of one document by an index on a server that has caught up",
            "the same on a server alone, after as long a wait for the database",
            1.1,
            "issue: one journal, many servers",
            measure_statement,
        ),
        Row(
            "log-begin",
            "StartTransaction, which looks at the end of the log, and AbortTransaction",
            "PostgreSQL's SELECT 1",
            2.0,
            "measured once: a look is one query of one row",
            measure_begin,
        ),
        Row(
            "log-servers",
            f"durable INSERT transactions into {LEDGERS} ledgers on two servers, per transaction",
            "on one server",
            1.0,
            "issue: one journal, many servers; with two processors for everything there is little to win",
            measure_servers,
        ),
    ),
)
