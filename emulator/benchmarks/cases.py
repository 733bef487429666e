"""The cases of several families and curves: one operation of a ledger, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.values import IonValue

from .alternate import Case, timed
from .documents import INDEXED, TABLE, registration, vin
from .local_driver import CONTEXT, LocalDriver

SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
SELECT_COMMITTED = f"SELECT * FROM _ql_committed_{TABLE} AS r WHERE r.data.{INDEXED} = ?"
INSERT = f"INSERT INTO {TABLE} ?"
NEW_NUMBERS = 100_000_000
"""The first number of a registration that no filled ledger has."""

Parameters = Callable[[], Sequence[IonValue]]
"""The parameters of the next run of a statement."""


def nothing() -> Sequence[IonValue]:
    """Return no parameters."""
    return ()


def execution(driver: LocalDriver, text: str, rows: int, parameters: Parameters = nothing) -> Case:
    """ExecuteStatement and the FetchPages after it, in a transaction that is given up; it must give so many rows."""

    def run() -> float:
        transaction = driver.transaction()
        values = transaction.pages(text, *parameters())
        transaction.abort()
        assert len(values) == rows, f"{text} gave {len(values)} rows"
        return transaction.execute_ns

    return run


def commit(driver: LocalDriver, text: str, parameters: Parameters) -> Case:
    """CommitTransaction alone, of one statement that gives a row."""

    def run() -> float:
        transaction = driver.transaction()
        rows = transaction.pages(text, *parameters())
        transaction.commit()
        assert len(rows) == 1, f"{text} gave {len(rows)} rows"
        return transaction.commit_ns

    return run


def new_registrations() -> Parameters:
    """For INSERT: a registration that the ledger does not have, each time another."""
    number = NEW_NUMBERS

    def parameters() -> Sequence[IonValue]:
        nonlocal number
        number += 1
        return (registration(number),)

    return parameters


def digest(emulator: Emulator, ledger: str) -> Case:
    """GetDigest."""
    return timed(lambda: emulator.call("GetDigest", {"Name": ledger}, CONTEXT))


def revision_proof(emulator: Emulator, ledger: str, number: Callable[[], int]) -> Case:
    """GetRevision with its proof.  number: of the registration, for each run."""
    tip = emulator.call("GetDigest", {"Name": ledger}, CONTEXT)["DigestTipAddress"]
    driver = LocalDriver(emulator, ledger)

    def run() -> float:
        transaction = driver.transaction()
        (row,) = transaction.execute(SELECT_COMMITTED, vin(number()))
        transaction.abort()
        members = {
            "Name": ledger,
            "BlockAddress": _address(row["blockAddress"]["strandId"], row["blockAddress"]["sequenceNo"]),
            "DocumentId": row["metadata"]["id"],
            "DigestTipAddress": tip,
        }
        return timed(lambda: emulator.call("GetRevision", members, CONTEXT))()

    return run


def block_proof(emulator: Emulator, ledger: str, strand_id: str, sequence_no: Callable[[], int]) -> Case:
    """GetBlock with its proof.  sequence_no: of the block, for each run."""
    tip = emulator.call("GetDigest", {"Name": ledger}, CONTEXT)["DigestTipAddress"]

    def run() -> float:
        members = {"Name": ledger, "BlockAddress": _address(strand_id, sequence_no()), "DigestTipAddress": tip}
        return timed(lambda: emulator.call("GetBlock", members, CONTEXT))()

    return run


def _address(strand_id: str, sequence_no: int) -> dict[str, str]:
    return {"IonText": f'{{strandId:"{strand_id}",sequenceNo:{sequence_no}}}'}
