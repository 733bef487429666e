"""A SELECT over a table without an index against py-partiql-parser, which is what moto executes PartiQL with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from py_partiql_parser import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    DynamoDBStatementParser,
)

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..documents import TABLE, registration
from ..fill import append_inserts, create_ledger
from ..local_driver import LocalDriver
from .sides import Sides

LEDGER = "partiql"
SELECT = f"SELECT * FROM {TABLE} WHERE LicensePlateNumber = ?"


def as_attribute(value: object) -> dict[str, Any]:
    """Return a value as DynamoDB has it."""
    if isinstance(value, dict):
        return {"M": {name: as_attribute(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"L": [as_attribute(inner) for inner in value]}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    return {"S": str(value)}


def select(documents: int) -> Sides:
    """Read one document of many, by a field without an index, in process."""
    wanted = str(registration(documents // 2)["LicensePlateNumber"])
    return ours(documents, wanted), theirs(documents, wanted)


def ours(documents: int, wanted: str) -> Case:
    """ExecuteStatement alone, in the engine.  The ledger stays open until the process ends."""
    emulator = Emulator(Settings(is_ephemeral=True))
    create_ledger(emulator, LEDGER, {TABLE: None})
    append_inserts(emulator, LEDGER, TABLE, (registration(number) for number in range(documents)))
    driver = LocalDriver(emulator, LEDGER)

    def run() -> float:
        transaction = driver.transaction()
        (row,) = transaction.pages(SELECT, wanted)
        transaction.abort()
        found = loads(row)
        assert isinstance(found, dict)
        assert found["LicensePlateNumber"] == wanted
        return transaction.execute_ns

    return run


def theirs(documents: int, wanted: str) -> Case:
    """A parser made and asked, which executes: it copies the items when it is made, so moto makes one each time."""
    items = [as_attribute(registration(number))["M"] for number in range(documents)]

    def parse() -> None:
        (item,), _ = DynamoDBStatementParser({TABLE: items}).parse(SELECT, [{"S": wanted}])
        assert item["LicensePlateNumber"] == {"S": wanted}

    return timed(parse)
