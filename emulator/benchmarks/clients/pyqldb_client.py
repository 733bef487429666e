"""The client of the rows over HTTP: a process of its own, in an environment with pyqldb and boto3.

Reads a job as JSON from standard input and writes a result as JSON to standard output::

    {"cases": [{"kind": "select", "endpoint": "http://...", "ledger": "bench", "keys": 1000}, ...],
     "repetitions": 11, "count": 50, "seed": 1}
    {"means_ns": [[one mean for each repetition], ...]}

The cases take turns, transaction by transaction, in random order.  It shares no code with the emulator; the loop is
that of ``benchmarks.alternate``, which cannot be imported here.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import boto3  # type: ignore[import-not-found, import-untyped, unused-ignore]
from pyqldb.config.retry_config import RetryConfig  # type: ignore[import-not-found, import-untyped, unused-ignore]
from pyqldb.driver.qldb_driver import QldbDriver  # type: ignore[import-not-found, import-untyped, unused-ignore]

Case = dict[str, Any]
Transaction = Callable[[], None]

KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
LOGIN = {"region_name": "us-east-1", **KEYS}
# moto gives the tables of a whole region to its PartiQL parser: one that is scanned is alone in another.
SCAN_LOGIN = {"region_name": "us-west-2", **KEYS}
WARM_UP = 20
REVISIONS = 50  # that proofs are asked for
FIRST_NEW = 500_000_000  # numbers of inserted registrations start here, those that are selected at 0


def vin(number: int) -> str:
    return f"1N4AL11D{number:09d}"


def plate(number: int) -> str:
    return f"LEWISR{number:07d}"


def registration(number: int) -> dict[str, Any]:
    """Return the document of ``benchmarks.documents``, as a program with pyqldb has it."""
    return {
        "VIN": vin(number),
        "LicensePlateNumber": plate(number),
        "State": "WA",
        "City": "Seattle",
        "Mileage": number,
        "PendingPenaltyTicketAmount": Decimal(9000 + number % 1000).scaleb(-2),
        "ValidFromDate": datetime(2017, 8, 21),
        "ValidToDate": datetime(2020, 5, 11),
        "Owners": {
            "PrimaryOwner": {"PersonId": f"GddsXfIYfDlKCEprOLOw{number % 100:02d}"},
            "SecondaryOwners": [{"PersonId": f"IN7MvYtUjkp1GMZu0F6C{number % 100:02d}"}],
        },
    }


def driver_of(case: Case) -> Any:
    # A retry would hide a failure and count its time, so retries are off.
    return QldbDriver(case["ledger"], endpoint_url=case["endpoint"], retry_config=RetryConfig(retry_limit=0), **LOGIN)


def select(case: Case, numbers: random.Random) -> Transaction:
    """Read one row by its index."""
    driver = driver_of(case)
    checks_key = case["checks_key"]

    def run() -> None:
        wanted = vin(numbers.randrange(case["keys"]))
        rows = driver.execute_lambda(
            lambda t: list(t.execute_statement("SELECT * FROM VehicleRegistration WHERE VIN = ?", wanted))
        )
        if len(rows) != 1 or (checks_key and rows[0]["VIN"] != wanted):
            raise RuntimeError(f"asked for {wanted}, got {rows}")

    return run


def scan(case: Case, numbers: random.Random) -> Transaction:
    """Read one row by a field without an index."""
    driver = driver_of(case)

    def run() -> None:
        wanted = plate(numbers.randrange(case["keys"]))
        rows = driver.execute_lambda(
            lambda t: list(t.execute_statement("SELECT * FROM Scanned WHERE LicensePlateNumber = ?", wanted))
        )
        if len(rows) != 1 or rows[0]["LicensePlateNumber"] != wanted:
            raise RuntimeError(f"asked for {wanted}, got {rows}")

    return run


def insert(case: Case, numbers: random.Random) -> Transaction:
    """Insert one document of about 300 bytes of Ion."""
    driver = driver_of(case)
    number = FIRST_NEW + numbers.randrange(100_000_000)

    def run() -> None:
        nonlocal number
        number += 1
        document = registration(number)
        rows = driver.execute_lambda(lambda t: list(t.execute_statement("INSERT INTO VehicleRegistration ?", document)))
        if len(rows[0]["documentId"]) != 22:
            raise RuntimeError(f"an INSERT answered {rows}")

    return run


def insert_many(case: Case, numbers: random.Random) -> Transaction:
    """Insert a list of documents by one statement."""
    driver = driver_of(case)
    number = FIRST_NEW + numbers.randrange(100_000_000)

    def run() -> None:
        nonlocal number
        documents = [registration(number + i) for i in range(case["documents"])]
        number += len(documents)
        rows = driver.execute_lambda(
            lambda t: list(t.execute_statement("INSERT INTO VehicleRegistration ?", documents))
        )
        if len(rows) != len(documents) or len(rows[-1]["documentId"]) != 22:
            raise RuntimeError(f"an INSERT of {len(documents)} documents answered {rows}")

    return run


# --- The control plane -----------------------------------------------------------------------------------------


def get_digest(case: Case, numbers: random.Random) -> Transaction:
    """GetDigest by boto3: one request."""
    client = boto3.client("qldb", endpoint_url=case["endpoint"], **LOGIN)

    def run() -> None:
        found = client.get_digest(Name=case["ledger"])
        if len(found["Digest"]) != 32:
            raise RuntimeError(f"GetDigest answered {found}")

    return run


def get_revision(case: Case, numbers: random.Random) -> Transaction:
    """GetRevision with proof by boto3, of some documents from all over the ledger: one request."""
    client = boto3.client("qldb", endpoint_url=case["endpoint"], **LOGIN)
    tip = client.get_digest(Name=case["ledger"])["DigestTipAddress"]
    with driver_of(case) as driver:
        members = [
            {"Name": case["ledger"], "DigestTipAddress": tip, **where_is(driver, numbers.randrange(case["keys"]))}
            for _ in range(REVISIONS)
        ]

    def run() -> None:
        found = client.get_revision(**numbers.choice(members))
        if not found["Proof"]["IonText"].startswith("["):
            raise RuntimeError(f"GetRevision answered {found}")

    return run


def where_is(driver: Any, number: int) -> dict[str, Any]:
    """Return the members that name the revision of a registration."""
    statement = "SELECT blockAddress, metadata.id FROM _ql_committed_VehicleRegistration WHERE data.VIN = ?"
    (row,) = driver.execute_lambda(lambda t: list(t.execute_statement(statement, vin(number))))
    address = row["blockAddress"]
    text = f'{{strandId:"{address["strandId"]}",sequenceNo:{address["sequenceNo"]}}}'
    return {"BlockAddress": {"IonText": text}, "DocumentId": row["id"]}


# --- DynamoDB --------------------------------------------------------------------------------------------------


def table_client(case: Case, login: dict[str, str], name: str) -> Any:
    """Return a client of DynamoDB, which has the table, made and filled when there is none yet."""
    client = boto3.client("dynamodb", endpoint_url=case["endpoint"], **login)
    if name in client.list_tables()["TableNames"]:
        return client
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "VIN", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "VIN", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(case["keys"]):
        client.put_item(TableName=name, Item=as_item(number))
    return client


def put_and_get(case: Case, numbers: random.Random) -> Transaction:
    """Put an item of about 400 bytes into DynamoDB and get it again: two requests."""
    table = "VehicleRegistration"
    client = table_client(case, LOGIN, table)
    number = FIRST_NEW + numbers.randrange(100_000_000)

    def run() -> None:
        nonlocal number
        number += 1
        item = as_item(number)
        client.put_item(TableName=table, Item=item)
        found = client.get_item(TableName=table, Key={"VIN": item["VIN"]})
        if found["Item"]["VIN"] != item["VIN"]:
            raise RuntimeError(f"asked for {item['VIN']}, got {found}")

    return run


def execute_statement(case: Case, numbers: random.Random) -> Transaction:
    """Read one item by an attribute without an index, with PartiQL: one request."""
    client = table_client(case, SCAN_LOGIN, "Scanned")

    def run() -> None:
        wanted = {"S": plate(numbers.randrange(case["keys"]))}
        found = client.execute_statement(
            Statement="SELECT * FROM Scanned WHERE LicensePlateNumber = ?", Parameters=[wanted]
        )["Items"]
        if len(found) != 1 or found[0]["LicensePlateNumber"] != wanted:
            raise RuntimeError(f"asked for {wanted}, got {found}")

    return run


def as_item(number: int) -> dict[str, Any]:
    """Return the registration as DynamoDB has it."""
    return {
        "VIN": {"S": vin(number)},
        "LicensePlateNumber": {"S": plate(number)},
        "State": {"S": "WA"},
        "City": {"S": "Seattle"},
        "Mileage": {"N": str(number)},
        "PendingPenaltyTicketAmount": {"N": f"{90 + number % 10}.25"},
        "ValidFromDate": {"S": "2017-08-21"},
        "ValidToDate": {"S": "2020-05-11"},
        "Owners": {
            "M": {
                "PrimaryOwner": {"M": {"PersonId": {"S": f"GddsXfIYfDlKCEprOLOw{number % 100:02d}"}}},
                "SecondaryOwners": {"L": [{"M": {"PersonId": {"S": f"IN7MvYtUjkp1GMZu0F6C{number % 100:02d}"}}}]},
            }
        },
    }


KINDS: dict[str, Callable[[Case, random.Random], Transaction]] = {
    "select": select,
    "scan": scan,
    "insert": insert,
    "insert_many": insert_many,
    "get_digest": get_digest,
    "get_revision": get_revision,
    "put_and_get": put_and_get,
    "execute_statement": execute_statement,
}


def measure(transactions: list[Transaction], repetitions: int, count: int, numbers: random.Random) -> list[list[float]]:
    """Return the mean of each repetition for each case, in nanoseconds."""
    for transaction in transactions:
        for _ in range(WARM_UP):
            transaction()
    means: list[list[float]] = [[] for _ in transactions]
    order = list(range(len(transactions)))
    for _ in range(repetitions):
        gc.collect()
        totals = [0] * len(transactions)
        for _ in range(count):
            numbers.shuffle(order)
            for number in order:
                began = time.perf_counter_ns()
                transactions[number]()
                totals[number] += time.perf_counter_ns() - began
        for number, total in enumerate(totals):
            means[number].append(total / count)
    return means


def main() -> None:
    job = json.load(sys.stdin)
    numbers = random.Random(job["seed"])
    transactions = [KINDS[case["kind"]](case, numbers) for case in job["cases"]]
    means = measure(transactions, job["repetitions"], job["count"], numbers)
    json.dump({"means_ns": means}, sys.stdout)


main()
