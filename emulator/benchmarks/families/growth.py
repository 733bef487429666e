"""Growth with a ledger: the same operation on a big ledger and on a small one, without HTTP.

Nothing is synced to the disk, because a disk takes as long for the one as for the other and would hide the growth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case
from ..bench import Bench
from ..cases import INSERT, SELECT, commit, digest, execution, new_registrations, revision_proof
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import OVERHEAD_BLOCKS, create_ledger, registrations, revise
from ..local_driver import LocalDriver
from ..rows import Family, Row, Samples, control

LARGE, SMALL, SAME_SMALL, REVISED = "large", "small", "same-small", "revised"


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


def any_number(bench: Bench, blocks: int) -> Callable[[], int]:
    """Return the number of any of a ledger's registrations."""
    return lambda: bench.random.randrange(blocks - OVERHEAD_BLOCKS)


def lookup(bench: Bench, ledger: str, number: Callable[[], int]) -> Case:
    """ExecuteStatement: one row by its index."""
    driver = LocalDriver(bench.shared(ledgers).emulator, ledger)
    return execution(driver, SELECT, 1, lambda: (vin(number()),))


def measure_control(bench: Bench) -> Samples:
    number = any_number(bench, bench.scale.small)
    return bench.compare(lookup(bench, SMALL, number), lookup(bench, SAME_SMALL, number), "µs")


def measure_lookup(bench: Bench) -> Samples:
    large = lookup(bench, LARGE, any_number(bench, bench.scale.large))
    small = lookup(bench, SMALL, any_number(bench, bench.scale.small))
    return bench.compare(large, small, "µs", f"ExecuteStatement alone, any document; {sizes(bench)}")


def measure_revisions(bench: Bench) -> Samples:
    often, once = lookup(bench, REVISED, lambda: 0), lookup(bench, REVISED, lambda: 1)
    return bench.compare(often, once, "µs", f"ExecuteStatement alone; {bench.scale.revisions:,} revisions")


# --- Verification ----------------------------------------------------------------------------------------------


def measure_digest(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator
    return bench.compare(digest(emulator, LARGE), digest(emulator, SMALL), "µs", sizes(bench))


def measure_proof(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator
    large = revision_proof(emulator, LARGE, any_number(bench, bench.scale.large))
    small = revision_proof(emulator, SMALL, any_number(bench, bench.scale.small))
    return bench.compare(large, small, "µs", f"any document; {sizes(bench)}")


# --- Writing ---------------------------------------------------------------------------------------------------


def measure_commit(bench: Bench) -> Samples:
    emulator = bench.shared(ledgers).emulator
    large, small = (commit(LocalDriver(emulator, name), INSERT, new_registrations()) for name in (LARGE, SMALL))
    note = f"CommitTransaction alone, one new document, not synced; {sizes(bench)}"
    return bench.compare(large, small, "µs", note)


FAMILY = Family(
    "growth, in process",
    control("growth-control", "ExecuteStatement, SELECT by index, small ledger", measure_control),
    (
        Row(
            "lookup-growth",
            "SELECT by index in a large ledger",
            "in a small one",
            1.5,
            "design 10; measurements.md G4s",
            measure_lookup,
        ),
        Row(
            "revisions-growth",
            "SELECT by index of a document with many revisions",
            "of one with a single revision",
            1.1,
            "measurements.md G12",
            measure_revisions,
        ),
        Row(
            "digest-growth",
            "GetDigest in a large ledger",
            "in a small one",
            2.0,
            "design 10; measurements.md G9",
            measure_digest,
        ),
        Row(
            "proof-growth",
            "GetRevision with proof in a large ledger",
            "in a small one",
            2.0,
            "design 10; measurements.md G10",
            measure_proof,
        ),
        Row(
            "commit-growth",
            "commit of an INSERT to a large ledger",
            "to a small one",
            1.2,
            "design 10; measurements.md G11",
            measure_commit,
        ),
    ),
)
