"""A transaction's result becomes a block, and a block survives reading, writing and redaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.journals import genesis_block

from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Annotated, Clob, MultiStruct, Symbol, Timestamp, TypedNull
from qldb_emulator.journal import hashing, merkle, proofs
from qldb_emulator.journal.block import (
    ChangedDocument,
    ExecutedStatement,
    NewRevision,
    Redaction,
    RedactionError,
    TransactionResult,
    build_block,
    redact,
)
from qldb_emulator.journal.model import Block, BlockAddress
from qldb_emulator.journal.parse import BlockFormatError, address_from_ion, block_from_ion, revision_from_ion

STRAND = "KmA3ZZca7vAIiJAK9S5Iwl"
GENESIS_MS = 1_600_000_000_000
NOW = Timestamp.from_epoch_ms(GENESIS_MS + 5_000)
GENESIS = genesis_block(STRAND, "FnQeJBAicTX0Ah32ZnVtSX", Timestamp.from_epoch_ms(GENESIS_MS))


def statement(text: str, ms: int = GENESIS_MS + 4_000) -> ExecutedStatement:
    return ExecutedStatement(text, Timestamp.from_epoch_ms(ms), hashing.statement_digest(text))


TRANSACTION = TransactionResult(
    transaction_id="HgXB2kkD0LDL2o7OIIKSXo",
    statements=(statement("INSERT INTO Cars << {'a':1}, {'b':2} >>"), statement("DELETE FROM Cars WHERE c = 3")),
    documents={
        "Zdoc": ChangedDocument("Cars", "table0", (0,)),
        "Adoc": ChangedDocument("Cars", "table0", (0,)),
        "9doc": ChangedDocument("Cars", "table0", (1,)),
    },
    revisions=(NewRevision("Zdoc", 0, {"a": 1}), NewRevision("Adoc", 0, {"b": 2}), NewRevision("9doc", 4, None)),
    system_revisions=(b"\x02" * 32, b"\x01" * 32),
)


def after_genesis(transaction: TransactionResult, now: Timestamp = NOW) -> Block:
    return build_block((GENESIS.address, GENESIS.block_hash), STRAND, transaction, now)


BLOCK = after_genesis(TRANSACTION)


def test_the_first_block_has_no_block_before_it_and_an_empty_transaction_info():
    assert GENESIS.to_ion() == {
        "blockAddress": {"strandId": STRAND, "sequenceNo": 0},
        "transactionId": "FnQeJBAicTX0Ah32ZnVtSX",
        "blockTimestamp": Timestamp.from_epoch_ms(GENESIS_MS),
        "blockHash": GENESIS.entries_hash,
        "entriesHash": merkle.root(GENESIS.entries_hash_list),
        "previousBlockHash": b"",
        "entriesHashList": list(GENESIS.entries_hash_list),
        "transactionInfo": {},
    }
    assert GENESIS.entries_hash_list[-1] == hash_value({})


def test_a_block_has_the_services_fields_in_the_services_order():
    struct = BLOCK.to_ion()
    assert list(struct) == [
        "blockAddress",
        "transactionId",
        "blockTimestamp",
        "blockHash",
        "entriesHash",
        "previousBlockHash",
        "entriesHashList",
        "transactionInfo",
        "revisions",
    ]
    assert list(struct["transactionInfo"]) == ["statements", "documents"]
    assert list(struct["transactionInfo"]["statements"][0]) == ["statement", "startTime", "statementDigest"]
    assert struct["transactionInfo"]["documents"]["9doc"] == {
        "tableName": "Cars",
        "tableId": "table0",
        "statements": [1],
    }
    assert [list(revision) for revision in struct["revisions"]] == [
        ["hash"],
        ["hash"],
        ["blockAddress", "hash", "metadata"],
        ["blockAddress", "hash", "data", "metadata"],
        ["blockAddress", "hash", "data", "metadata"],
    ]
    assert list(struct["revisions"][-1]["metadata"]) == ["id", "version", "txTime", "txId"]


def test_the_hashes_of_a_block_hang_together():
    revisions = BLOCK.revisions or ()
    assert BLOCK.entries_hash_list == (
        hashing.header_hash(BLOCK.address, TRANSACTION.transaction_id, NOW),
        merkle.root([revision["hash"] for revision in revisions]),
        hashing.statements_hash([s.digest for s in TRANSACTION.statements]),
        hash_value(BLOCK.transaction_info),
    )
    assert BLOCK.entries_hash == merkle.root(BLOCK.entries_hash_list)
    assert BLOCK.previous_block_hash == GENESIS.block_hash
    assert BLOCK.block_hash == hashing.dot(BLOCK.entries_hash, GENESIS.block_hash)
    deleted, first, second = revisions[2:]
    assert deleted["hash"] == hashing.deletion_hash(deleted["metadata"])
    assert first["hash"] == hashing.revision_hash(first["metadata"], {"b": 2})
    assert second["hash"] == hashing.revision_hash(second["metadata"], {"a": 1})


def test_system_items_come_first_then_revisions_by_document_id():
    revisions = BLOCK.revisions or ()
    assert [revision["hash"][0] for revision in revisions[:2]] == [1, 2]
    assert [revision["metadata"]["id"] for revision in revisions[2:]] == ["9doc", "Adoc", "Zdoc"]


def test_a_known_hash_of_the_data_gives_the_same_block():
    known = [
        replace(revision, data_hash=None if revision.data is None else hash_value(revision.data))
        for revision in TRANSACTION.revisions
    ]
    assert after_genesis(replace(TRANSACTION, revisions=known)) == BLOCK


def test_a_transaction_that_only_read_leaves_neither_documents_nor_revisions():
    block = after_genesis(TransactionResult("t", [statement("SELECT * FROM Cars")]))
    assert list(block.transaction_info or {}) == ["statements"]
    assert block.revisions is None
    assert "revisions" not in block.to_ion()
    assert len(block.entries_hash_list) == 3


def test_a_redaction_is_recorded_in_the_block_of_its_transaction():
    redactions = [Redaction(BLOCK.address, "x", "y", 2)]
    executed = [statement("EXEC REDACT_REVISION ?, 'x', 'y'")]
    block = after_genesis(TransactionResult("t", executed, redactions=redactions))
    assert block.redaction_info == {
        "revisions": [{"blockAddress": BLOCK.address.to_ion(), "tableId": "x", "documentId": "y", "version": 2}]
    }
    assert block.entries_hash_list[-1] == hash_value(block.redaction_info)
    assert list(block.to_ion())[-2:] == ["transactionInfo", "redactionInfo"]


def test_times_run_from_start_time_over_tx_time_to_block_timestamp():
    late = after_genesis(replace(TRANSACTION, statements=[statement("INSERT INTO t ?", GENESIS_MS + 9_000)]))
    assert late.timestamp == Timestamp.from_epoch_ms(GENESIS_MS + 9_000)
    for block in (BLOCK, late):
        assert {revision["metadata"]["txTime"] for revision in block.revisions or () if "metadata" in revision} == {
            block.timestamp
        }


def test_times_are_written_in_utc_with_three_digits():
    fine = Timestamp.from_utc_seconds(1_600_000_001, "123456", 120)
    block = after_genesis(TransactionResult("t", [replace(statement("SELECT 1"), start_time=fine)]), fine)
    assert str(block.timestamp) == "2020-09-13T12:26:41.123Z"
    assert str((block.transaction_info or {})["statements"][0]["startTime"]) == "2020-09-13T12:26:41.123Z"


@pytest.mark.parametrize("block", [GENESIS, BLOCK], ids=["genesis", "full"])
def test_a_block_survives_ion_binary(block):
    assert block_from_ion(loads(dumps(block.to_ion()))) == block


# --- Redaction ---------------------------------------------------------------------------------------------


def test_redaction_puts_the_hash_in_the_place_of_the_data_and_touches_nothing_else():
    redacted = redact(BLOCK, "Adoc", 0)
    before, after = (BLOCK.revisions or ())[3], (redacted.revisions or ())[3]
    assert list(after) == ["blockAddress", "hash", "dataHash", "metadata"]
    assert after == {**{k: v for k, v in before.items() if k != "data"}, "dataHash": hash_value(before["data"])}
    assert hashing.revision_hash_of(after["metadata"], after["dataHash"]) == before["hash"]
    assert replace(redacted, revisions=BLOCK.revisions) == BLOCK
    others = [revision for revision in BLOCK.revisions or () if revision is not before]
    assert [revision for revision in redacted.revisions or () if revision is not after] == others


def test_redacting_twice_changes_nothing_more():
    once = redact(BLOCK, "Adoc", 0)
    assert redact(once, "Adoc", 0) == once


@pytest.mark.parametrize(
    ("document_id", "version", "reason"),
    [
        pytest.param("Adoc", 1, "has no revision of document Adoc with version 1", id="another version"),
        pytest.param("none", 0, "has no revision of document none with version 0", id="another document"),
        pytest.param("9doc", 4, "is a deletion and has no data", id="a deletion"),
    ],
)
def test_what_cannot_be_redacted_is_refused(document_id, version, reason):
    with pytest.raises(RedactionError, match=reason):
        redact(BLOCK, document_id, version)
    with pytest.raises(RedactionError, match="has no revision"):
        redact(GENESIS, document_id, version)


def test_a_revision_that_is_not_what_its_hash_says_is_not_redacted():
    damaged = [dict(revision) for revision in BLOCK.revisions or ()]
    damaged[3]["data"] = {"b": 3}
    with pytest.raises(RedactionError, match="not what its hash says"):
        redact(replace(BLOCK, revisions=tuple(damaged)), "Adoc", 0)


# --- Proofs ------------------------------------------------------------------------------------------------


def test_every_revision_is_proved_up_to_the_digest():
    leaves = [GENESIS.block_hash, BLOCK.block_hash, b"\x07" * 32]
    nodes: dict[merkle.NodeID, bytes] = {}
    edge = merkle.RightEdge()
    for leaf in leaves:
        for level, position, hash_ in edge.append(leaf):
            nodes[level, position] = hash_
    for tip in (1, 2):
        digest = merkle.root(leaves[: tip + 1])
        assert merkle.fold(BLOCK.block_hash, proofs.block_proof(1, tip, lambda wanted: nodes)) == digest
        for revision in (BLOCK.revisions or ())[2:]:
            proof = proofs.revision_proof(BLOCK, revision["metadata"]["id"], tip, lambda wanted: nodes)
            assert merkle.fold(revision["hash"], proof) == digest


def test_a_revision_of_a_first_block_has_no_empty_element_in_its_proof():
    block = build_block((None, b""), STRAND, TRANSACTION, NOW)
    path = proofs.path_in_block(block, proofs.revision_position(block, "Adoc"))
    assert all(len(element) == 32 for element in path)
    assert merkle.fold((block.revisions or ())[3]["hash"], path) == block.block_hash


def test_a_document_that_is_not_in_the_block_has_no_proof():
    with pytest.raises(proofs.RevisionNotInBlockError, match="block 1 has no revision of document other"):
        proofs.revision_proof(BLOCK, "other", 1, lambda wanted: {})


def test_a_damaged_block_proves_nothing():
    damaged = replace(BLOCK, entries_hash_list=(b"\0" * 32,) * 4)
    with pytest.raises(proofs.BlockNotProvableError, match="not in entriesHashList"):
        proofs.path_in_block(damaged, 3)


# --- Reading -----------------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the block as Ion with the field at a path replaced, added, or (DROP) taken away."""
    struct = loads(dumps(BLOCK.to_ion()))
    *parents, last = path.split(".")
    at = struct
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    if value is DROP:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return struct


DROP = object()
BAD_BLOCKS = [
    ("blockHash", DROP, "blockHash is missing"),
    ("transactionId", DROP, "transactionId is missing"),
    ("transactionId", Symbol("t"), "transactionId must be a string, not a symbol"),
    ("transactionId", None, "transactionId must be a string, not a null"),
    ("transactionId", TypedNull.of("string"), "transactionId must be a string, not a string"),
    ("transactionId", Annotated(["a"], "t"), "transactionId must be a string"),
    ("blockTimestamp", "2020-01-01", "blockTimestamp must be a timestamp, not a string"),
    ("blockHash", b"short", "blockHash must have 32 bytes, not 5"),
    ("blockHash", Clob(b"x" * 32), "blockHash must be a blob, not a clob"),
    ("previousBlockHash", b"x" * 31, "previousBlockHash must have 32 bytes, not 31"),
    ("entriesHashList", {}, "entriesHashList must be a list, not a struct"),
    ("entriesHashList.1", b"", r"entriesHashList\[1\] must have 32 bytes, not 0"),
    ("extra", 1, "extra is not a field known here"),
    ("transactionInfo", [], "transactionInfo must be a struct, not a list"),
    ("transactionInfo.extra", 1, "transactionInfo.extra is not a field known here"),
    ("transactionInfo.statements.0.statement", 1, r"transactionInfo.statements\[0\].statement must be a string"),
    ("transactionInfo.statements.1.startTime", DROP, r"transactionInfo.statements\[1\].startTime is missing"),
    ("transactionInfo.documents.9doc.statements", [True], r"9doc.statements\[0\] must be an int from 0, not a bool"),
    ("transactionInfo.documents.9doc.statements", [-1], r"9doc.statements\[0\] must be an int from 0, not -1"),
    ("revisions.0.extra", 1, r"revisions\[0\].blockAddress is missing"),
    ("revisions.0.hash", b"", r"revisions\[0\].hash must have 32 bytes"),
    ("revisions.2.metadata", DROP, r"revisions\[2\].metadata is missing"),
    ("revisions.3.metadata.version", True, r"revisions\[3\].metadata.version must be an int from 0, not a bool"),
    ("revisions.3.data", [], r"revisions\[3\].data must be a struct, not a list"),
    ("revisions.3.dataHash", b"x" * 32, r"revisions\[3\].dataHash stands beside data"),
    ("revisions.3.metadata.extra", 1, r"revisions\[3\].metadata.extra is not a field known here"),
    ("redactionInfo", {}, "redactionInfo.revisions is missing"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD_BLOCKS, ids=[f"{row[0]}: {row[2]}" for row in BAD_BLOCKS])
def test_a_value_that_is_not_a_block_is_refused_naming_field_and_address(path, value, message):
    with pytest.raises(BlockFormatError, match=f"^block 1 of strand {STRAND}: .*{message}") as caught:
        block_from_ion(changed(path, value))
    assert caught.value.address == BLOCK.address


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(None, "a block: block must be a struct, not a null", id="null"),
        pytest.param([], "a block: block must be a struct, not a list", id="list"),
        pytest.param(Annotated(["x"], {}), "a block: block must be a struct", id="annotated"),
        pytest.param(object(), "a block: block must be a struct, not a object", id="no Ion value"),
        pytest.param(MultiStruct([("a", 1), ("a", 1)]), "a block: block has a field twice", id="repeated field"),
        pytest.param({}, "a block: blockAddress is missing", id="empty"),
        pytest.param(changed("blockAddress.sequenceNo", -1), "sequenceNo must be an int from 0, not -1", id="negative"),
        pytest.param(changed("blockAddress.strandId", 7), "strandId must be a string, not a int", id="strand a number"),
    ],
)
def test_a_value_without_an_address_is_refused_naming_the_field(value, message):
    with pytest.raises(BlockFormatError, match=message) as caught:
        block_from_ion(value)
    assert caught.value.address is None


LENIENT = [
    ("transactionInfo", DROP),
    ("transactionInfo", {}),
    ("revisions", DROP),
    ("revisions", []),
    ("previousBlockHash", b""),
    ("blockTimestamp", Timestamp("second", 2020, 1, 1, 0, 0, 0, "123456789", 0)),
    ("blockTimestamp", Timestamp("day", 2020, 1, 1)),
    ("revisions.3.data", MultiStruct([("a", 1), ("a", 2)])),
    ("entriesHashList", [b"x" * 32, b"y" * 32]),
]


@pytest.mark.parametrize(("path", "value"), LENIENT, ids=[f"{row[0]} {i}" for i, row in enumerate(LENIENT)])
def test_what_blocks_of_the_service_may_look_like_is_read_and_written_back_as_it_was(path, value):
    struct = changed(path, value)
    assert dumps(block_from_ion(struct).to_ion()) == dumps(struct)


def test_addresses_and_revisions_are_read_on_their_own():
    assert address_from_ion({"sequenceNo": 3, "strandId": "s"}) == BlockAddress("s", 3)
    with pytest.raises(BlockFormatError, match=r"block address\.sequenceNo is missing"):
        address_from_ion({"strandId": "s"})
    revision = (BLOCK.revisions or ())[3]
    assert revision_from_ion(revision) is revision
    with pytest.raises(BlockFormatError, match=r"revision\.hash is missing"):
        revision_from_ion({k: v for k, v in revision.items() if k != "hash"})
