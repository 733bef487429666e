"""Transactions of a ledger compared with moto's DynamoDB, over HTTP, each with its official client.

``dynamodb-floor`` is no figure of the emulator's: it has the stub in the emulator's place, whose answers are made
beforehand.  What is left there is the client's, so no server can come out lower on this machine.
"""

from __future__ import annotations

from dataclasses import replace

from ..bench import Bench
from ..driver_clients import client_case, moto, pyqldb, servers
from ..rows import Family, Row, Samples, control

_GOAL = 0.8
"""Of ``dynamodb``, and so what its floor is shown against."""


def measure_control(bench: Bench) -> Samples:
    documents = bench.shared(servers).documents
    there = bench.shared(moto)
    return pyqldb(bench, client_case("put_and_get", there, documents), client_case("put_and_get", there, documents))


def measure_insert(bench: Bench) -> Samples:
    there = bench.shared(servers)
    peer = client_case("put_and_get", bench.shared(moto), there.documents)
    return pyqldb(bench, client_case("insert", there.emulator, 0), peer)


def measure_floor(bench: Bench) -> Samples:
    there = bench.shared(servers)
    peer = client_case("put_and_get", bench.shared(moto), there.documents)
    samples = pyqldb(bench, client_case("insert", there.stub, 0), peer)
    return replace(samples, note="three requests of pyqldb against two of boto3; the stub does no work at all")


def measure_scan(bench: Bench) -> Samples:
    there = bench.shared(servers)
    peer = client_case("execute_statement", bench.shared(moto), there.documents)
    samples = pyqldb(bench, client_case("scan", there.emulator, there.documents), peer)
    return replace(samples, note=f"{there.documents:,} documents and items, one found, no index on the field")


FAMILY = Family(
    "dynamodb over HTTP",
    control("dynamodb-control", "put_item + get_item on moto's DynamoDB", measure_control),
    (
        Row(
            "dynamodb",
            "pyqldb transaction, INSERT, durable commit",
            "moto's DynamoDB, put_item + get_item, in memory",
            _GOAL,
            "design 10; measurements.md G5",
            measure_insert,
        ),
        Row(
            "dynamodb-floor",
            "the same transaction on a canned-reply stub: the least that any server could reach",
            "moto's DynamoDB, put_item + get_item, in memory",
            _GOAL,
            "no goal of the emulator's: the goal of `dynamodb`, to show whether a server could meet it here",
            measure_floor,
        ),
        Row(
            "scan-dynamodb",
            "pyqldb transaction, SELECT by an equality without an index",
            "moto's DynamoDB, execute_statement with the same equality",
            0.10,
            "measurements.md G6",
            measure_scan,
        ),
    ),
)
