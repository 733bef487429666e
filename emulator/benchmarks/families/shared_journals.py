"""A journal in PostgreSQL: a commit against the database's own insert, a read against a ledger in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger
from ..local_driver import LocalDriver
from ..postgres_alone import postgres, postgres_insert
from ..rows import Family, Row, Samples, control
from .storage import commits

LEDGER = "storage"
READ = "read"  # a ledger of its own: the commits that are measured would add rows to what is read
DOCUMENTS = 1_000
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


def statements(emulator: Emulator) -> Case:
    """A statement that reads one document by an index, without beginning its transaction."""
    driver = LocalDriver(emulator, READ)
    vin = registration(DOCUMENTS // 2)["VIN"]

    def read() -> float:
        transaction = driver.transaction()
        transaction.pages(SELECT, vin)  # what waited for the database finds its caches cold
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
    note = "ExecuteStatement alone; beginning a transaction looks at the end of the log first: log-begin"
    return bench.compare(statements(bench.shared(over_log)), statements(bench.shared(embedded)), "µs", note)


def measure_begin(bench: Bench) -> Samples:
    import psycopg

    driver = LocalDriver(bench.shared(over_log), LEDGER)

    def begin() -> None:
        driver.transaction()
        driver.send("AbortTransaction", {})

    with psycopg.connect(bench.shared(postgres), autocommit=True) as connection:
        ask = timed(lambda: connection.execute("SELECT 1").fetchone())
        return bench.compare(timed(begin), ask, "µs")


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
            "the same on a server alone",
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
    ),
)
