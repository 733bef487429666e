"""Writing, nothing synced to the disk: it takes as long for a large ledger as for a small one and would hide growth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qldb_emulator.ion.values import IonValue

from ..alternate import Case
from ..cases import INSERT, SELECT, Parameters, commit, new_registrations
from ..documents import INDEXED, TABLE, vin
from ..local_driver import LocalDriver
from .ledgers import Curve, Filled
from .operation import Operation
from .reads import any_vin

UPDATE = f"UPDATE {TABLE} SET Mileage = ? WHERE {INDEXED} = ?"
DELETE = f"DELETE FROM {TABLE} WHERE {INDEXED} = ?"
_DELETED_MAX = 10_000


def committing(text: str, parameters: Callable[[Curve, Filled], Parameters]) -> Callable[[Curve, Filled], Case]:
    """CommitTransaction alone, after one statement."""
    return lambda curve, of: commit(LocalDriver(curve.emulator, of.name), text, parameters(curve, of))


def new_document(curve: Curve, of: Filled) -> Parameters:
    return new_registrations()


def any_change(curve: Curve, of: Filled) -> Parameters:
    def parameters() -> Sequence[IonValue]:
        return curve.random.randrange(1_000_000), vin(curve.random.randrange(of.documents))

    return parameters


def each_once(curve: Curve, of: Filled) -> Parameters:
    """Return any document, and never the same again."""
    numbers = iter(curve.random.sample(range(of.documents), min(of.documents // 2, _DELETED_MAX)))
    return lambda: (vin(next(numbers)),)


def whole_read_only(curve: Curve, of: Filled) -> Case:
    """StartTransaction, ExecuteStatement of a lookup, CommitTransaction."""
    driver, parameters = LocalDriver(curve.emulator, of.name), any_vin(curve, of)

    def run() -> float:
        transaction = driver.transaction()
        transaction.pages(SELECT, *parameters())
        transaction.commit()
        return transaction.start_ns + transaction.execute_ns + transaction.commit_ns

    return run


def start_transaction(curve: Curve, of: Filled) -> Case:
    driver = LocalDriver(curve.emulator, of.name)

    def run() -> float:
        transaction = driver.transaction()
        transaction.abort()
        return transaction.start_ns

    return run


_DESIGN = "design 10; measurements.md G11"
OPERATIONS = (
    Operation("start-transaction", "StartTransaction", "read", start_transaction, 1.2),
    Operation("commit-read", "commit of a lookup", "write", committing(SELECT, any_vin), 1.2, source=_DESIGN),
    Operation("read-only", "whole transaction of a lookup", "write", whole_read_only, 1.5, source=_DESIGN),
    Operation("commit-insert", "commit of an INSERT", "write", committing(INSERT, new_document), 1.2, source=_DESIGN),
    Operation(
        "commit-update", "commit of an UPDATE, any", "write", committing(UPDATE, any_change), 1.2, source=_DESIGN
    ),
    # The last of all: what it deletes, no other operation finds.
    Operation("commit-delete", "commit of a DELETE, any", "write", committing(DELETE, each_once), 1.2, source=_DESIGN),
)
