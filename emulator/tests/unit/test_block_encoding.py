"""The fast encoder of blocks and of their parts writes the same values as the general one."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_emulator.ion.binary_writer import listed, opening_of
from qldb_emulator.ion.codec import Document, dumps, loads, loads_document
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.values import Annotated, MultiStruct, Symbol, Timestamp
from qldb_emulator.journal.block import (
    ChangedDocument,
    ExecutedStatement,
    NewRevision,
    Redaction,
    TransactionResult,
    build_block,
)
from qldb_emulator.journal.encode import encode_block, encode_metadata, encode_revision, encode_transaction_info
from qldb_emulator.journal.model import BlockAddress

ID = "5PLf9SXwndd63lPaSIa0O6"
NOW = Timestamp.from_epoch_ms(1_600_000_000_456)
STATEMENT = ExecutedStatement("SELECT 'ä' FROM cars", Timestamp.from_epoch_ms(1_600_000_000_000), bytes(range(32)))


def stored(value: dict[str, Any]) -> Document:
    document = loads_document(dumps(value))
    assert type(document) is Document
    return document


def forgotten(data: Any) -> Any:
    """A document whose symbol table was not written lately, so that its binary cannot be copied."""
    return Document(data, opening_of(listed(["not seen"])) + b"\xd0") if type(data) is Document else data


MANY_NAMES = {f"name {number}": number for number in range(150)}
DOCUMENTS: dict[str, list[Any]] = {
    "none": [],
    "one": [stored({"VIN": "a", "owners": [{"id": 1}]})],
    "of one shape": [stored({"VIN": text}) for text in "abc"],
    "of two shapes": [stored({"VIN": "a"}), stored({"plate": Symbol("b"), "VIN": Symbol("plate")})],
    "with a block's own names": [stored({"statements": [Symbol("data")], "txId": {"hash": b"1"}})],
    "without names of its own": [stored({"name": "x"}), stored({})],
    "with so many names that ids take two octets": [stored(MANY_NAMES)],
    "with symbols longer than a length octet": [stored({"x" * 9000: 1}), stored({"x" * 9000: 2})],
    "not encoded yet": [{"VIN": "a"}, {"VIN": "b"}],
    "with repeated names": [MultiStruct([("a", 1), ("a", 2)])],
    "annotated": [Annotated(["x"], {"VIN": "a"})],
    "deleted, then one": [None, stored({"VIN": "a"})],
}


@pytest.mark.parametrize("documents", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize(
    "changes", [{}, {"statements": ()}, {"system_revisions": [bytes(32)]}], ids=["full", "no statements", "DDL"]
)
@pytest.mark.parametrize("first", [True, False], ids=["genesis", "later"])
def test_a_block_reads_back_as_it_is(documents: list[Any], changes: dict[str, Any], first: bool) -> None:
    ids = [f"{number:022d}" for number in range(len(documents))]
    parts: dict[str, Any] = {
        "statements": (STATEMENT, STATEMENT),
        "documents": {id_: ChangedDocument("cars", ID, (0, 1, 1)) for id_ in ids},
        "revisions": [NewRevision(id_, 3, data) for id_, data in zip(ids, documents, strict=True)],
    }
    previous = (None, b"") if first else (BlockAddress(ID, 2**31), bytes(range(32)))
    block = build_block(previous, ID, TransactionResult(ID, **{**parts, **changes}), NOW)
    assert ion_equal(loads(encode_block(block)), loads(dumps(block.to_ion())))
    for revision in block.revisions or ():
        if "metadata" in revision:
            assert encode_metadata(revision["metadata"]) == dumps(revision["metadata"])
            for each in (
                revision,
                {**revision, **({"data": forgotten(revision["data"])} if "data" in revision else {})},
            ):
                assert ion_equal(loads(encode_revision(each)), loads(dumps(revision)))
    assert block.transaction_info is not None
    assert ion_equal(loads(encode_transaction_info(block.transaction_info)), block.transaction_info)


def test_a_block_that_redacts_reads_back_as_it_is() -> None:
    redaction = Redaction(BlockAddress(ID, 1), ID, ID, 0)
    result = TransactionResult(ID, [STATEMENT], redactions=[redaction])
    block = build_block((BlockAddress(ID, 2), bytes(32)), ID, result, NOW)
    assert ion_equal(loads(encode_block(block)), block.to_ion())


@pytest.mark.parametrize(
    "metadata",
    [
        {"version": 0, "id": ID, "txTime": NOW, "txId": ID},
        {"id": Symbol(ID), "version": 0, "txTime": NOW, "txId": ID},
        {"id": ID, "version": 0, "txTime": NOW, "txId": ID, "more": 1},
    ],
    ids=["in another order", "with a symbol", "with more"],
)
def test_metadata_of_another_making_is_kept_as_it_is(metadata: dict[str, Any]) -> None:
    assert encode_metadata(metadata) == dumps(metadata)
