"""Fills big ledgers quickly: builds and applies blocks as a commit does, many in one SQLite transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger.fold import apply_block, stored_catalogue, stored_edge
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import dumps
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Document, IonValue, Timestamp
from qldb_emulator.journal.block import (
    ChangedDocument,
    ExecutedStatement,
    NewRevision,
    TransactionResult,
    build_block,
)
from qldb_emulator.journal.encode import encode_block
from qldb_emulator.journal.hashing import statement_digest
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.limits import STRICT
from qldb_emulator.partiql.planning.catalogue import TableInfo
from qldb_emulator.storage import LedgerFile

from .bench import BenchError
from .documents import INDEXED, TABLE, registration
from .local_driver import CONTEXT, REGION, LocalDriver

Progress = Callable[[str], None]
BLOCKS_AT_ONCE = 1_000
OVERHEAD_BLOCKS = 3
"""Of a ledger from ``registrations``, before those with a document each: genesis, table, index."""
INSERT = f"INSERT INTO {TABLE} ?"
UPDATE = f"UPDATE {TABLE} SET Mileage = ?"


def create_ledger(emulator: Emulator, name: str, tables: dict[str, str | None]) -> None:
    """A new ledger with tables, each with an index on a field or None."""
    members = {"Name": name, "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}
    emulator.call("CreateLedger", members, CONTEXT)
    driver = LocalDriver(emulator, name)
    for table, field_name in tables.items():
        driver.run(f"CREATE TABLE {table}")
        if field_name is not None:
            driver.run(f"CREATE INDEX ON {table} ({field_name})")


def registrations(emulator: Emulator, name: str, blocks: int, say: Progress) -> None:
    """A new ledger of exactly so many blocks, one registration in each after the first OVERHEAD_BLOCKS."""
    say(f"filling a ledger of {blocks:,} blocks")
    create_ledger(emulator, name, {TABLE: INDEXED})
    fill_up(emulator, name, blocks)


def fill_up(emulator: Emulator, name: str, blocks: int) -> int:
    """Add blocks of one registration until a ledger has so many blocks; how many registrations that made."""
    with LedgerFile.open(_closed(emulator, name), "off") as file:
        tip = file.tip()
        assert tip is not None
        new = blocks - tip.sequence_no - 1
        if new <= 0:
            raise BenchError(f"a ledger of {blocks} blocks has no room for documents")
        ids = RandomIds(SystemClock())
        append(file, ((TABLE, INSERT, [(ids.new_id(), 0, registration(number))]) for number in range(new)))
    return new


def append_inserts(emulator: Emulator, name: str, table: str, documents: Iterable[dict[str, IonValue]]) -> None:
    """More documents in a table, as many to a block as a transaction may insert."""
    path = _closed(emulator, name)
    ids = RandomIds(SystemClock())
    rest = iter(documents)
    blocks = iter(lambda: list(islice(rest, STRICT.transaction_documents)), [])
    with LedgerFile.open(path, "off") as file:
        append(file, ((table, INSERT, [(ids.new_id(), 0, document) for document in block]) for block in blocks))


def _closed(emulator: Emulator, name: str) -> Path:
    """The file of a ledger, closed: it is filled behind the ledger's back, which opens again when next asked for."""
    ledger = emulator.ledgers.find(REGION, name)
    assert ledger is not None
    emulator.ledgers.close()
    return ledger.file.path


def revise(emulator: Emulator, name: str, document: dict[str, IonValue], document_id: str, revisions: int) -> None:
    """More revisions of a document, which has one, until it has so many; each in a block of its own."""
    path = _closed(emulator, name)
    versions = ((version, {**document, "Mileage": version}) for version in range(1, revisions))
    with LedgerFile.open(path, "off") as file:
        append(file, ((TABLE, UPDATE, [(document_id, version, changed)]) for version, changed in versions))


Struct = dict[str, IonValue]
Transaction = tuple[str, str, list[tuple[str, int, Struct]]]
"""(table, statement, [(document id, version, document)])."""


def append(file: LedgerFile, transactions: Iterable[Transaction]) -> None:
    """Commit transactions to a ledger file without other writers."""
    tip = file.tip()
    strand_id = file.meta("strand_id")
    assert tip is not None
    clock = SystemClock()
    ids = RandomIds(clock)
    catalogue = stored_catalogue(file, tip.sequence_no)
    edge = stored_edge(file, tip.sequence_no)
    previous = (BlockAddress(strand_id, tip.sequence_no), tip.block_hash)
    for batch in _batches(transactions):
        with file.write(sync=False) as writer:
            for table_name, statement, revisions in batch:
                table = catalogue.active(table_name)
                assert table is not None
                now = Timestamp.from_epoch_ms(clock.now_ms())
                result = _result(ids.new_id(), table, statement, revisions, now)
                block = build_block(previous, strand_id, result, now)
                apply_block(writer, catalogue, block, encode_block(block), edge)
                previous = (block.address, block.block_hash)
    file.checkpoint()


def _result(
    transaction_id: str, table: TableInfo, statement: str, revisions: list[tuple[str, int, Struct]], now: Timestamp
) -> TransactionResult:
    """Every document is encoded and hashed once, as in a commit: it comes with its binary, as a parameter does."""
    hashes = [hash_value(document) for _, _, document in revisions]
    return TransactionResult(
        transaction_id=transaction_id,
        statements=(ExecutedStatement(statement, now, statement_digest(statement, hashes)),),
        documents={document_id: ChangedDocument(table.name, table.table_id, (0,)) for document_id, _, _ in revisions},
        revisions=[
            NewRevision(document_id, version, Document(document.items(), dumps(document)), document_hash)
            for (document_id, version, document), document_hash in zip(revisions, hashes, strict=True)
        ],
    )


def _batches(transactions: Iterable[Transaction]) -> Iterator[list[Transaction]]:
    rest = iter(transactions)
    while batch := list(islice(rest, BLOCKS_AT_ONCE)):
        yield batch
