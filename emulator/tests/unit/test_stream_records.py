"""The three records of a journal stream, and that a consumer can rebuild and verify blocks from them."""

from __future__ import annotations

import pytest
from helpers.control_support import close_emulators  # noqa: F401
from helpers.local_driver import LocalSession, new_emulator, new_ledger

from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.journal.block import redact
from qldb_emulator.journal.model import Block
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.journal.stream_records import block_records, control_record

ARN = "arn:aws:qldb:us-east-1:123456789012:stream/cars/7ISCkqwe4y25YyHLzYUFAf"
SUMMARY_FIELDS = [
    "blockAddress",
    "transactionId",
    "blockTimestamp",
    "blockHash",
    "entriesHash",
    "previousBlockHash",
    "entriesHashList",
    "transactionInfo",
    "revisionSummaries",
]


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    with new_emulator() as emulator:
        session: LocalSession = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car << {'vin': 'a', 'n': 1.50}, {'vin': 'b'} >>")
        session.run("SELECT * FROM Car")
        session.run("DELETE FROM Car WHERE vin = 'a'")
        file = emulator.ledgers.find("us-east-1", "cars").file
        return [block_from_ion(loads(ion)) for _, ion in file.blocks()]


def test_control_records_say_which():
    assert (
        dumps_text(control_record("a", "CREATED"))
        == '{qldbStreamArn:"a",recordType:"CONTROL",payload:{controlRecordType:"CREATED"}}'
    )


def test_a_block_is_its_summary_and_then_the_details_of_each_document(blocks):
    kinds = [[record["recordType"] for record in block_records(ARN, block)] for block in blocks]
    assert kinds == [
        [],  # genesis: the Java tutorial's stream program counts 23 records and breaks on another (journal.md 1.5)
        ["BLOCK_SUMMARY"],
        ["BLOCK_SUMMARY", "REVISION_DETAILS", "REVISION_DETAILS"],
        ["BLOCK_SUMMARY"],
        ["BLOCK_SUMMARY", "REVISION_DETAILS"],
    ]
    assert all(
        list(record) == ["qldbStreamArn", "recordType", "payload"] and record["qldbStreamArn"] == ARN
        for block in blocks
        for record in block_records(ARN, block)
    )


def test_a_summary_has_the_fields_of_a_block_with_summaries_in_place_of_revisions(blocks):
    [summary, *_] = block_records(ARN, blocks[2])
    assert list(summary["payload"]) == SUMMARY_FIELDS
    revisions = blocks[2].revisions
    assert summary["payload"]["revisionSummaries"] == [
        {"hash": revision["hash"], "documentId": revision["metadata"]["id"]} for revision in revisions
    ]
    assert all(list(item) == ["hash", "documentId"] for item in summary["payload"]["revisionSummaries"])


def test_system_items_have_a_hash_and_no_details(blocks):
    [summary] = block_records(ARN, blocks[1])
    assert [list(item) for item in summary["payload"]["revisionSummaries"]] == [["hash"]]


def test_a_block_without_revisions_has_no_summaries(blocks):
    [summary] = block_records(ARN, blocks[3])
    assert list(summary["payload"]) == SUMMARY_FIELDS[:-1]


def test_details_name_the_table_and_hold_the_revision_as_the_block_has_it(blocks):
    [_, first, second] = block_records(ARN, blocks[2])
    documents = blocks[2].transaction_info["documents"]
    for record, revision in zip((first, second), blocks[2].revisions, strict=True):
        entry = documents[revision["metadata"]["id"]]
        assert list(record["payload"]) == ["tableInfo", "revision"]
        assert record["payload"]["tableInfo"] == {"tableName": "Car", "tableId": entry["tableId"]}
        assert dumps(record["payload"]["revision"]) == dumps(revision)
    [_, deletion] = block_records(ARN, blocks[4])
    assert list(deletion["payload"]["revision"]) == ["blockAddress", "hash", "metadata"]


def test_a_redacted_revision_is_streamed_without_its_data(blocks):
    target = blocks[2].revisions[0]
    redacted = redact(blocks[2], target["metadata"]["id"], 0)
    details = block_records(ARN, redacted)[1]["payload"]["revision"]
    assert list(details) == ["blockAddress", "hash", "dataHash", "metadata"]


def test_blocks_are_rebuilt_from_summaries_and_details_by_hash(blocks):
    for block in blocks[1:]:
        summary, *details = block_records(ARN, block)
        by_hash = {record["payload"]["revision"]["hash"]: record["payload"]["revision"] for record in details}
        payload = dict(summary["payload"])
        if "revisionSummaries" in payload:
            payload["revisions"] = [by_hash.get(item["hash"], item) for item in payload.pop("revisionSummaries")]
        assert dumps(block.to_ion()) == dumps(payload)
