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

A block without revisions has no revisionSummaries, as it has no revisions (inferred).
"""

from __future__ import annotations

from typing import Literal

from .model import Block, Struct

ControlRecordType = Literal["CREATED", "COMPLETED"]


def control_record(stream_arn: str, kind: ControlRecordType) -> Struct:
    """The first or last record of a stream."""
    return _record(stream_arn, "CONTROL", {"controlRecordType": kind})


def block_records(stream_arn: str, block: Block) -> list[Struct]:
    """The records of one block: its summary, then the details of each revision of a document."""
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


def _summary(revision: Struct) -> Struct:
    summary: Struct = {"hash": revision["hash"]}
    if "metadata" in revision:
        summary["documentId"] = revision["metadata"]["id"]
    return summary


def _revision_details(stream_arn: str, document: Struct | None, revision: Struct) -> Struct:
    payload: Struct = {}
    if document is not None:  # a journal that begins after the table was made may not say
        payload["tableInfo"] = {"tableName": document["tableName"], "tableId": document["tableId"]}
    payload["revision"] = revision
    return _record(stream_arn, "REVISION_DETAILS", payload)


def _record(stream_arn: str, record_type: str, payload: Struct) -> Struct:
    return {"qldbStreamArn": stream_arn, "recordType": record_type, "payload": payload}
