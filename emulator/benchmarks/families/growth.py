"""What grows with a ledger, and how much: the same operation on a big ledger and on a small one, without HTTP.

Nothing is synced to the disk, because a disk takes as long for the one as for the other and would hide the growth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import OVERHEAD_BLOCKS, create_ledger, registrations, revise
from ..local_driver import CONTEXT, LocalDriver
from ..rows import Family, Row, Samples, control

LARGE, SMALL, SAME_SMALL, REVISED = "large", "small", "same-small", "revised"
SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
INSERT = f"INSERT INTO {TABLE} ?"


@dataclass(frozen=True, slots=True)
class Ledgers:
    """An emulator with a large ledger, two small ones, and one with a document of many revisions."""

    emulator: Emulator


@contextmanager
def ledgers(bench: Bench) -> Iterator[Ledgers]:
    """Fill the ledgers: some ten thousand blocks in a few seconds."""
    with Emulator(Settings(is_ephemeral=True)) as emulator:
        registrations(emulator, LARGE, bench.scale.large, bench.say)
        registrations(emulator, SMALL, bench.scale.small, bench.say)
        registrations(emulator, SAME_SMALL, bench.scale.small, bench.say)
        create_ledger(emulator, REVISED, {TABLE: INDEXED})
        often, _ = LocalDriver(emulator, REVISED).insert(TABLE, [registration(0), registration(1)])
        revise(emulator, REVISED, registration(0), often, bench.scale.revisions)
        yield Ledgers(emulator)


def sizes(bench: Bench) -> str:
    return f"{bench.scale.large:,} blocks against {bench.scale.small:,}, a document in each"


# --- Reading ---------------------------------------------------------------------------------------------------


def lookup(bench: Bench, ledger: str, documents: int) -> Case:
    """ExecuteStatement: one row by its index, any of the documents."""
    driver = LocalDriver(bench.shared(ledgers).emulator, ledger)

    def run() -> float:
        transaction = driver.transaction()
        rows = transaction.pages(SELECT, vin(bench.random.randrange(documents)))
        transaction.abort()
        assert len(rows) == 1
        return transaction.execute_ns

    return run


def measure_control(bench: Bench) -> Samples:
    documents = bench.scale.small - OVERHEAD_BLOCKS
    return bench.compare(lookup(bench, SMALL, documents), lookup(bench, SAME_SMALL, documents), "µs")


def measure_lookup(bench: Bench) -> Samples:
    large = lookup(bench, LARGE, bench.scale.large - OVERHEAD_BLOCKS)
    small = lookup(bench, SMALL, bench.scale.small - OVERHEAD_BLOCKS)
    return bench.compare(large, small, "µs", f"ExecuteStatement alone, any document; {sizes(bench)}")


def measure_revisions(bench: Bench) -> Samples:
    driver = LocalDriver(bench.shared(ledgers).emulator, REVISED)

    def read(number: int) -> Case:
        def run() -> float:
            transaction = driver.transaction()
            rows = transaction.pages(SELECT, vin(number))
            transaction.abort()
            assert len(rows) == 1
            return transaction.execute_ns

        return run

    return bench.compare(read(0), read(1), "µs", f"ExecuteStatement alone; {bench.scale.revisions:,} revisions")


# --- Verification ----------------------------------------------------------------------------------------------


def measure_digest(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator

    def digest(ledger: str) -> Case:
        return timed(lambda: emulator.call("GetDigest", {"Name": ledger}, CONTEXT))

    return bench.compare(digest(LARGE), digest(SMALL), "µs", sizes(bench))


def measure_proof(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator

    def proof(ledger: str, blocks: int) -> Case:
        tip = emulator.call("GetDigest", {"Name": ledger}, CONTEXT)["DigestTipAddress"]
        driver = LocalDriver(emulator, ledger)

        def run() -> float:
            number = bench.random.randrange(blocks - OVERHEAD_BLOCKS)
            transaction = driver.transaction()
            (row,) = transaction.execute(f"SELECT * FROM _ql_committed_{TABLE} WHERE data.{INDEXED} = ?", vin(number))
            transaction.abort()
            address = f'{{strandId:"{row["blockAddress"]["strandId"]}",sequenceNo:{row["blockAddress"]["sequenceNo"]}}}'
            members = {
                "Name": ledger,
                "BlockAddress": {"IonText": address},
                "DocumentId": row["metadata"]["id"],
                "DigestTipAddress": tip,
            }
            return timed(lambda: emulator.call("GetRevision", members, CONTEXT))()

        return run

    large, small = proof(LARGE, bench.scale.large), proof(SMALL, bench.scale.small)
    return bench.compare(large, small, "µs", f"any document; {sizes(bench)}")


# --- Writing ---------------------------------------------------------------------------------------------------


def measure_commit(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator

    def commit(ledger: str) -> Case:
        driver = LocalDriver(emulator, ledger)
        number = 100_000_000

        def run() -> float:
            nonlocal number
            number += 1
            transaction = driver.transaction()
            transaction.pages(INSERT, registration(number))
            transaction.commit()
            return transaction.commit_ns

        return run

    note = f"CommitTransaction alone, one new document, not synced; {sizes(bench)}"
    return bench.compare(commit(LARGE), commit(SMALL), "µs", note)


FAMILY = Family(
    "growth, in process",
    control("growth-control", "ExecuteStatement, SELECT by index, small ledger", measure_control),
    (
        Row(
            "lookup-growth",
            "SELECT by index in a large ledger",
            "in a small one",
            1.5,
            "design 10; performance.md 11 G4s",
            measure_lookup,
        ),
        Row(
            "revisions-growth",
            "SELECT by index of a document with many revisions",
            "of one with a single revision",
            1.1,
            "performance.md 11 G12",
            measure_revisions,
        ),
        Row(
            "digest-growth",
            "GetDigest in a large ledger",
            "in a small one",
            2.0,
            "design 10; performance.md 11 G9",
            measure_digest,
        ),
        Row(
            "proof-growth",
            "GetRevision with proof in a large ledger",
            "in a small one",
            2.0,
            "design 10; performance.md 11 G10",
            measure_proof,
        ),
        Row(
            "commit-growth",
            "commit of an INSERT to a large ledger",
            "to a small one",
            1.2,
            "design 10; performance.md 11 G11",
            measure_commit,
        ),
    ),
)
