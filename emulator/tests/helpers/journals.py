"""A small journal of ours with every kind of block, for the tests of verification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import hashing, merkle
from qldb_emulator.journal.block import (
    ChangedDocument,
    ExecutedStatement,
    NewRevision,
    Redaction,
    TransactionResult,
    build_block,
    redact,
)
from qldb_emulator.journal.model import Block, BlockAddress

STRAND = "KmA3ZZca7vAIiJAK9S5Iwl"
START_MS = 1_600_000_000_000


def time(milliseconds: int) -> Timestamp:
    return Timestamp.from_epoch_ms(START_MS + milliseconds)


def statement(text: str, milliseconds: int, *parameters: Any) -> ExecutedStatement:
    digest = hashing.statement_digest(text, [hash_value(parameter) for parameter in parameters])
    return ExecutedStatement(text, time(milliseconds), digest)


def changed(*ids: str, statements: tuple[int, ...] = (0,)) -> dict[str, ChangedDocument]:
    return {document_id: ChangedDocument("Cars", "BFJKdXgzt9oF4wjMbuxy4G", statements) for document_id in ids}


def transactions() -> Iterable[TransactionResult]:
    """Yield what the blocks after the first commit, one every second."""
    yield TransactionResult(
        "tx-ddl", [statement("CREATE TABLE Cars", 990)], system_revisions=[hashing.HASH_OF_NOTHING, hash_value("x")]
    )
    yield TransactionResult(
        "tx-insert",
        [statement("INSERT INTO Cars VALUE {'a':1}", 1_990)],
        changed("doc1"),
        [NewRevision("doc1", 0, {"a": 1, "when": Timestamp("day", 2020, 1, 2), "list": [1, "x", None, b"\x01"]})],
    )
    yield TransactionResult(
        "tx-many",
        [statement("SELECT * FROM Cars", 2_980), statement("INSERT INTO Cars ?", 2_990, [{"b": 1}])],
        changed("doc2", "doc4", "doc3", statements=(1,)),
        [NewRevision("doc2", 0, {"b": 1}), NewRevision("doc4", 0, {"b": 3}), NewRevision("doc3", 0, {"b": 2})],
    )
    yield TransactionResult(
        "tx-change",
        [statement("UPDATE Cars SET a = 2", 3_980), statement("DELETE FROM Cars WHERE b = 1", 3_990)],
        changed("doc1") | changed("doc2", statements=(1,)),
        [NewRevision("doc1", 1, {"a": 2}), NewRevision("doc2", 1, None)],
    )
    yield TransactionResult("tx-read", [statement("SELECT * FROM Cars WHERE a = '?'", 4_990)])
    yield TransactionResult(
        "tx-redact",
        [statement("EXEC REDACT_REVISION ?, 'BFJKdXgzt9oF4wjMbuxy4G', 'doc1'", 5_990, {"sequenceNo": 2})],
        redactions=[Redaction(BlockAddress(STRAND, 2), "BFJKdXgzt9oF4wjMbuxy4G", "doc1", 0)],
    )


def genesis_block(strand_id: str, transaction_id: str, now: Timestamp) -> Block:
    """The first block of a journal, as a new ledger makes it: of an empty transaction, with no block before it."""
    return build_block((None, b""), strand_id, TransactionResult(transaction_id), now)


def chain(results: Iterable[TransactionResult]) -> list[Block]:
    """Return the blocks of a new journal with these transactions, one a second."""
    blocks = [genesis_block(STRAND, "tx-genesis", time(0))]
    for number, result in enumerate(results, start=1):
        tip = blocks[-1]
        blocks.append(build_block((tip.address, tip.block_hash), STRAND, result, time(1_000 * number)))
    return blocks


def sample() -> list[Block]:
    """Genesis, DDL, one insert (later redacted), three inserts, update and delete, a read, a redaction."""
    blocks = chain(transactions())
    blocks[2] = redact(blocks[2], "doc1", 0)
    return blocks


def as_service(block: Block, previous_hash: bytes) -> Block:
    """Return the block as the service might have written it: what only we can recompute replaced by other bytes."""
    entries = list(block.entries_hash_list)
    entries[0] = hash_value(["internal", entries[0]])
    statements = -2 if block.redaction_info is None else -3
    entries[statements] = hash_value(["internal", entries[statements]])
    entries_hash = merkle.root(entries)
    return replace(
        block,
        entries_hash_list=tuple(entries),
        entries_hash=entries_hash,
        previous_block_hash=previous_hash,
        block_hash=hashing.block_hash(entries_hash, previous_hash),
    )


def service_sample() -> list[Block]:
    """Return the sample as a journal of the service."""
    blocks: list[Block] = []
    for block in sample():
        blocks.append(as_service(block, blocks[-1].block_hash if blocks else b""))
    return blocks


class Nodes:
    """Perfect Merkle nodes in memory."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.nodes: dict[merkle.NodeID, bytes] = {}
        self._edge = merkle.RightEdge()
        for block in blocks:
            self.append(block)

    def append(self, block: Block) -> None:
        for level, index, hash_ in self._edge.append(block.block_hash):
            self.nodes[level, index] = hash_

    def read(self, wanted: Sequence[merkle.NodeID]) -> Mapping[merkle.NodeID, bytes]:
        return {node: self.nodes[node] for node in wanted}
