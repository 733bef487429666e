"""Many clients that leave the machine to the server: the official Go driver, and requests made beforehand.

The figure is the time of a run through the number of transactions, as in ``concurrency``.  A hot key is one document
that all clients read and write; it is compared with as many clients that read and write documents of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..bench import Bench
from ..load_clients import How, Kind, LoadClients
from ..rows import Family, Row, Samples, control
from .concurrency import LEDGER, server

MANY = 64
_SHARE = 10  # a run has many transactions
_PER_RUN = 4 * MANY
SOURCE = "issue: clients that are not the bottleneck"
NAMES: dict[How, str] = {"driver": "Go driver", "raw": "requests made beforehand"}


def crowds(how: How, left: tuple[Kind, int], right: tuple[Kind, int]) -> Callable[[Bench], Samples]:
    """Return the measurement of a row.  left, right: what the clients do, and how many there are."""

    def measure(bench: Bench) -> Samples:
        process = bench.shared(server)
        one, other = (LoadClients(bench, how, *side, process, LEDGER, _PER_RUN) for side in (left, right))
        samples = bench.compare(one.run, other.run, "ms", share=_SHARE)
        one.close()
        other.close()
        return replace(samples, note=f"{one}; {other}")

    return measure


def rows(how: How, prefix: str) -> tuple[Row, ...]:
    """Return the rows of one kind of clients."""

    def row(name: str, what: str, against: str, goal: float, left: tuple[Kind, int], right: tuple[Kind, int]) -> Row:
        full = f"{NAMES[how]}: {what}, {MANY} clients, per transaction"
        return Row(f"{prefix}-{name}", full, against, goal, SOURCE, crowds(how, left, right))

    return (
        row("read-64", "SELECT by index", "one client", 1.2, ("read", MANY), ("read", 1)),
        row("insert-64", "INSERT, durable", "one client", 1.2, ("insert", MANY), ("insert", 1)),
        row("change-64", "read and write, durable", "one client", 1.2, ("change", MANY), ("change", 1)),
        row(
            "hot-64",
            "read and write of one document by all",
            "of a document of one's own, as many clients",
            2.0,
            ("contended", MANY),
            ("change", MANY),
        ),
    )


FAMILY = Family(
    "load over HTTP",
    control("load-control", "8 clients reading, requests made beforehand", crowds("raw", ("read", 8), ("read", 8))),
    rows("driver", "go") + rows("raw", "raw"),
)
