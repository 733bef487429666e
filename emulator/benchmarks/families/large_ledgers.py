"""The effect of a ledger's size on a client: whole requests over HTTP to a large ledger and to a small one.

One server has both ledgers, so that nothing but the size differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..bench import Bench
from ..driver_clients import ClientCase, client_case, pyqldb, select
from ..fill import OVERHEAD_BLOCKS, registrations
from ..rows import Family, Row, Samples, control
from ..servers import ServerProcess, emulator_over

LARGE, SMALL, SAME_SMALL = "large", "small", "same-small"


@contextmanager
def server(bench: Bench) -> Iterator[ServerProcess]:
    """Yield a durable emulator with a large ledger and two small ones."""
    data_dir = bench.directory / "served"
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        registrations(emulator, LARGE, bench.scale.large, bench.say)
        registrations(emulator, SMALL, bench.scale.small, bench.say)
        registrations(emulator, SAME_SMALL, bench.scale.small, bench.say)
    with emulator_over(data_dir) as process:
        yield process


def documents(bench: Bench, ledger: str) -> int:
    """Return how many documents a ledger has."""
    return (bench.scale.large if ledger == LARGE else bench.scale.small) - OVERHEAD_BLOCKS


def selecting(bench: Bench, ledger: str) -> ClientCase:
    """pyqldb's transaction: one row by its index, any of the documents."""
    return select(bench.shared(server), documents(bench, ledger), True, ledger)


def asking(bench: Bench, kind: str, ledger: str) -> ClientCase:
    """Send a request of boto3's to the control plane."""
    return client_case(kind, bench.shared(server), documents(bench, ledger), ledger)


def sizes(bench: Bench) -> str:
    return f"{bench.scale.large:,} blocks against {bench.scale.small:,}, a document in each"


def measure_control(bench: Bench) -> Samples:
    return pyqldb(bench, selecting(bench, SMALL), selecting(bench, SAME_SMALL))


def measure_select(bench: Bench) -> Samples:
    return replace(pyqldb(bench, selecting(bench, LARGE), selecting(bench, SMALL)), note=sizes(bench))


def measure_digest(bench: Bench) -> Samples:
    samples = pyqldb(bench, asking(bench, "get_digest", LARGE), asking(bench, "get_digest", SMALL))
    return replace(samples, note=f"boto3; {sizes(bench)}")


def measure_proof(bench: Bench) -> Samples:
    samples = pyqldb(bench, asking(bench, "get_revision", LARGE), asking(bench, "get_revision", SMALL))
    return replace(samples, note=f"boto3; documents from all over the ledger; {sizes(bench)}")


FAMILY = Family(
    "large ledgers over HTTP",
    control("large-control", "pyqldb SELECT in a small ledger", measure_control),
    (
        Row(
            "select-growth",
            "pyqldb transaction, SELECT by index, in a large ledger",
            "in a small one",
            1.05,
            "measurements.md G4",
            measure_select,
        ),
        Row(
            "digest-growth-http",
            "request of GetDigest to a large ledger",
            "to a small one",
            1.15,
            "measurements.md G9",
            measure_digest,
        ),
        Row(
            "proof-growth-http",
            "request of GetRevision with proof to a large ledger",
            "to a small one",
            1.25,
            "measurements.md G10",
            measure_proof,
        ),
    ),
)
