"""The three records of a journal stream, as Ion values.  Pure.

===============  =====================================================================  ==================
recordType       payload                                                                source
===============  =====================================================================  ==================
CONTROL          controlRecordType: CREATED first of all, COMPLETED last of all         documented
BLOCK_SUMMARY    the block without its revisions; revisionSummaries in Merkle order,    captured
                 each hash and then documentId, system items only the hash              (Java sample)
REVISION_DETAILS tableInfo {tableName, tableId}, revision as in the block; none for     captured
                 system items                                                           (Java sample)
===============  =====================================================================  ==================

The genesis block is not streamed (sample).  A block without revisions has no revisionSummaries, as it has no
revisions (inferred).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from ..ion.codec import dumps
from .model import Block, Struct

GENESIS = 0  # the sequence number of the block that a ledger begins with

ControlRecordType = Literal["CREATED", "COMPLETED"]


def control_record(stream_arn: str, kind: ControlRecordType) -> Struct:
    """Return the first or last record of a stream."""
    return _record(stream_arn, "CONTROL", {"controlRecordType": kind})


def block_records(stream_arn: str, block: Block) -> list[Struct]:
    """Return the records of one block: its summary, then the details of each revision of a document.

    The genesis block has no records, whatever the stream's start time (sample: the Java tutorial's stream program).
    """
    if block.address.sequence_no == GENESIS:
        return []
    payload = block.to_ion()
    if block.revisions is not None:
        del payload["revisions"]
        payload["revisionSummaries"] = [_summary(revision) for revision in block.revisions]
    records = [_record(stream_arn, "BLOCK_SUMMARY", payload)]
    documents = (block.transaction_info or {}).get("documents", {})
    for revision in block.revisions or ():
        if "metadata" in revision:
            records.append(_revision_details(stream_arn, documents.get(revision["metadata"]["id"]), revision))
    return records


def partition_key(record: Struct) -> str:
    """Return the partition key of a record in Kinesis: its own hash in lower-case hexadecimal.

    So the documents of a table spread over shards.  Captured (2021): a summary's is its blockHash, a revision's the
    revision's hash.  That of a control record is not known; it gets the SHA-256 of its binary, which looks the same
    (inferred).
    """
    payload = record["payload"]
    if record["recordType"] == "BLOCK_SUMMARY":
        own: bytes = payload["blockHash"]
    elif record["recordType"] == "REVISION_DETAILS":
        own = payload["revision"]["hash"]
    else:
        own = sha256(dumps(record)).digest()
    return own.hex()


def _summary(revision: Struct) -> Struct:
    summary: Struct = {"hash": revision["hash"]}
    if "metadata" in revision:
        summary["documentId"] = revision["metadata"]["id"]
    return summary


def _revision_details(stream_arn: str, document: Struct | None, revision: Struct) -> Struct:
    payload: Struct = {}
    if document is not None:  # a journal that begins after the table was created may lack its name
        payload["tableInfo"] = {"tableName": document["tableName"], "tableId": document["tableId"]}
    payload["revision"] = revision
    return _record(stream_arn, "REVISION_DETAILS", payload)


def _record(stream_arn: str, record_type: str, payload: Struct) -> Struct:
    return {"qldbStreamArn": stream_arn, "recordType": record_type, "payload": payload}
