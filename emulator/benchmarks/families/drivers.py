"""Whole transactions of official drivers over HTTP, compared with a stub that answers at once.

Most of such a transaction is the client's own work, which is the same on both sides; the ratio is what a user feels.
"""

from __future__ import annotations

from dataclasses import replace

from ..bench import Bench
from ..driver_clients import (
    A_TRANSACTION,
    client_case,
    insert_many,
    node,
    pyqldb,
    select,
    servers,
    stub_of_many,
)
from ..machine import sync_ms
from ..rows import Family, Row, Samples, control


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
    samples = pyqldb(bench, client_case("insert", there.emulator, 0), client_case("insert", there.stub, 0))
    after = sync_ms(bench.directory)
    return replace(samples, note=f"one sync of the disk takes {before:.2f} ms before, {after:.2f} ms after")


def measure_insert_many(bench: Bench) -> Samples:
    there = bench.shared(servers)
    samples = pyqldb(bench, insert_many(there.emulator), insert_many(bench.shared(stub_of_many)))
    return replace(samples, note="one statement with a list, as many documents as a transaction may insert")


FAMILY = Family(
    "drivers over HTTP",
    control("drivers-control", "pyqldb SELECT on a stub", measure_control),
    (
        Row(
            "select",
            "pyqldb transaction, SELECT by index, one row",
            "the same on a canned-reply stub",
            1.15,
            "design 10; measurements.md G1",
            measure_select,
        ),
        Row(
            "select-node",
            "Node.js driver's transaction, SELECT by index, one row",
            "the same on a canned-reply stub",
            1.3,
            "measurements.md G3",
            measure_node,
        ),
        Row(
            "insert",
            "pyqldb transaction, INSERT, durable commit",
            "the same on a canned-reply stub",
            1.25,
            "design 10; measurements.md G2",
            measure_insert,
        ),
        Row(
            "insert-many",
            f"pyqldb transaction, INSERT of {A_TRANSACTION} documents, durable commit",
            "the same on a canned-reply stub",
            1.12,
            "measurements.md G8c",
            measure_insert_many,
        ),
    ),
)
