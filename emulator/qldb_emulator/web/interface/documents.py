"""Tables, documents and their past: the catalogue, a table as of a block, the versions of a document."""

from __future__ import annotations

import base64
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import ADMIN_NOT_FOUND, ADMIN_REQUEST
from ...ion.codec import dumps, dumps_text, loads
from ...ion.values import IonValue, ion_type, struct_items
from ...journal import merkle
from ...journal.model import Block
from ...journal.parse import block_from_ion
from ...journal.proofs import revision_position
from ...partiql.planning.catalogue import TableInfo
from ...storage.rows import DocumentInfo, RevisionRow
from .call import MAX_SEQUENCE_NO, Call, Members
from .journal import block_value, sequence_number, time_of
from .values import Form, base64_text, encode_row, parse_texts

if TYPE_CHECKING:
    from ...engine.ledger.ledger import Ledger

SAMPLE_DOCUMENTS = 50
"""Documents whose fields are sampled, to describe a table (ours)."""

DEFAULT_ROWS = 50
MAX_ROWS = 500
"""Documents or versions of one answer (ours)."""


def describe(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}``: state, size of the journal, tables with their indexes and sampled fields."""
    ledger = call.ledger("DescribeLedger")
    sequence_no, catalogue = ledger.snapshot()
    return {
        "name": ledger.name,
        "region": ledger.region,
        "state": ledger.state,
        "permissionsMode": ledger.permissions_mode,
        "readOnly": ledger.is_read_only,
        "strandId": ledger.strand_id,
        "blocks": sequence_no + 1,
        "tables": [_table(call, ledger, table, sequence_no) for table in catalogue.tables],
    }


def _table(call: Call, ledger: Ledger, table: TableInfo, at_seq: int) -> Members:
    members: Members = {
        "name": table.name,
        "tableId": table.table_id,
        "status": table.status,
        "indexes": [{"field": i.field_name, "indexId": i.index_id, "status": i.status} for i in table.indexes],
    }
    resource = f"ledger/{ledger.name}/table/{table.table_id}"
    if ledger.permissions_mode != "STANDARD" or call.may("PartiQLSelect", resource):
        members["fields"] = sampled_fields(ledger, table, at_seq)
    return members


def sampled_fields(ledger: Ledger, table: TableInfo, at_seq: int) -> list[Members]:
    """Return the fields of a table's first documents, with the types they have there, most frequent first."""
    seen: dict[str, dict[str, int]] = {}
    for row in islice(_rows(ledger, table, at_seq, 0, SAMPLE_DOCUMENTS), SAMPLE_DOCUMENTS):
        value = loads(row.data) if row.data is not None else None
        if isinstance(value, dict):
            for name, each in struct_items(value):
                types = seen.setdefault(str(name), {})
                types[ion_type(each)] = types.get(ion_type(each), 0) + 1
    order = sorted(seen.items(), key=lambda item: -sum(item[1].values()))
    return [{"name": name, "types": sorted(types), "documents": sum(types.values())} for name, types in order]


def find_table(ledger: Ledger, name: str) -> TableInfo:
    """Return the table with a name or an id: the active one if several have had the name.

    Raises ADMIN_NOT_FOUND.
    """
    _, catalogue = ledger.snapshot()
    found = catalogue.active(name) or catalogue.by_id(name)
    if found is None:
        found = next((table for table in catalogue.tables if table.name == name), None)
    if found is None:
        raise ADMIN_NOT_FOUND(text=f"The ledger {ledger.name} has no table {name[:130]}")
    return found


def table_rows(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}/tables/{table}/documents``: a table as of a block or a time, by pages."""
    ledger = call.ledger("SendCommand")
    table = find_table(ledger, call.path["table"])
    call.check_table(ledger, "PartiQLHistoryFunction", table.table_id)
    return rows_as_of(
        ledger,
        table,
        as_of(call, ledger),
        call.number("after", 0, 2**52),
        call.number("limit", DEFAULT_ROWS, MAX_ROWS),
        values_form(call),
    )


def values_form(call: Call) -> Form:
    """Return ``?values=``: the form of documents in a JSON answer.  Raises ADMIN_REQUEST."""
    form = call.query.get("values", "json")
    if form not in ("json", "ion-text", "ion-binary"):
        raise ADMIN_REQUEST(text="values must be one of json, ion-text, ion-binary")
    return form  # type: ignore[return-value]


def as_of(call: Call, ledger: Ledger) -> int:
    """Return the block of ``?at=`` (a sequence number) or ``?time=``; by default the last one.

    Raises ADMIN_REQUEST.
    """
    tip = ledger.tip().sequence_no
    moment = time_of(call, "time")
    if moment is not None:
        found = ledger.file.last_block_before(moment + 1)
        return -1 if found is None else found
    return min(call.number("at", tip), tip)


def rows_as_of(ledger: Ledger, table: TableInfo, at_seq: int, after: int, limit: int, form: Form) -> Members:
    """Return the documents of a table as of a block.  next: pass it as ``after`` for more."""
    rows = list(islice(_rows(ledger, table, at_seq, after, limit + 1), limit + 1)) if at_seq >= 0 else []
    shown = rows[:limit]
    return {
        "table": table.name,
        "at": at_seq,
        "documents": [
            {
                "documentId": row.document_id,
                "version": row.version,
                "sequenceNo": row.seq,
                "data": None if row.data is None else encode_row(row.data, form),
                "redacted": row.data_hash is not None,
            }
            for row in shown
        ],
        "next": shown[-1].doc_no if len(rows) > limit else None,
    }


def _rows(ledger: Ledger, table: TableInfo, at_seq: int, after: int, batch: int) -> Any:
    for rows in ledger.file.scan(table.number, at_seq, batch, after):
        yield from rows


# --- one document -----------------------------------------------------------------------------------------------


def document_versions(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}/documents/{document}``: its versions, newest first, with their transactions."""
    ledger = call.ledger("SendCommand")
    before = call.number("before", MAX_SEQUENCE_NO)
    limit = call.number("limit", DEFAULT_ROWS, MAX_ROWS)
    info, table = find_document(call, ledger)
    rows, more = versions_before(ledger, info.doc_no, before, limit)
    return {
        "documentId": info.document_id,
        "table": table.name,
        "tableId": table.table_id,
        "isLive": info.until_seq > ledger.tip().sequence_no,
        "versions": [version(ledger, row, values_form(call)) for row in rows],
        "next": rows[-1].seq if more else None,
    }


def find_document(call: Call, ledger: Ledger) -> tuple[DocumentInfo, TableInfo]:
    """Return the document of the path, and its table.

    Raises ACCESS_DENIED, ADMIN_NOT_FOUND.  A document that is not there could be in any table.  So only a caller who
    may read all of them is told that it is not there: the others cannot find out which ids a table has.
    """
    _, catalogue = ledger.snapshot()
    info = ledger.file.document_info(call.path["document"])
    table = None if info is None else next((each for each in catalogue.tables if each.number == info.table_no), None)
    for each in catalogue.tables if table is None else (table,):
        call.check_table(ledger, "PartiQLHistoryFunction", each.table_id)
    if info is None or table is None:
        raise ADMIN_NOT_FOUND(text=f"The ledger {ledger.name} has no document {call.path['document'][:60]!r}")
    return info, table


def versions_before(ledger: Ledger, doc_no: int, before: int, limit: int) -> tuple[list[RevisionRow], bool]:
    """Return the last versions of a document in blocks below one, newest first, and whether there are older ones."""
    rows: list[RevisionRow] = []
    while len(rows) <= limit:
        row = ledger.file.revision_at(doc_no, min(before, MAX_SEQUENCE_NO) - 1)
        if row is None:
            break
        rows.append(row)
        before = row.seq
    return rows[:limit], len(rows) > limit


def version(ledger: Ledger, row: RevisionRow, form: Form) -> Members:
    """Return a version, with its transaction, block and statements."""
    value, _ = block_value(ledger, row.seq)
    block = block_from_ion(value)
    return {
        "version": row.version,
        "kind": kind_of(row),
        "sequenceNo": row.seq,
        "transactionId": block.transaction_id,
        "timestamp": str(block.timestamp),
        "hash": base64_text(row.hash),
        "statements": statements_of(block, row.document_id),
        "data": None if row.data is None else encode_row(row.data, form),
    }


def kind_of(row: RevisionRow) -> str:
    """Return what a revision did: insert, update or delete; "redacted" if its data is gone."""
    if row.data_hash is not None:
        return "redacted"
    if row.data is None:
        return "delete"
    return "insert" if row.version == 0 else "update"


def statements_of(block: Block, document_id: str) -> list[str]:
    """Return the texts of the statements that wrote a document in a block."""
    info: Any = block.transaction_info or {}
    about = (info.get("documents") or {}).get(document_id)
    texts = [str(each["statement"]) for each in info.get("statements") or ()]
    return [] if about is None else [texts[number] for number in about["statements"] if number < len(texts)]


# --- proofs -----------------------------------------------------------------------------------------------------


def digest(call: Call) -> Members:
    """Answer ``POST /ledgers/{ledger}/digest``."""
    ledger = call.ledger("GetDigest")
    answer = call.emulator.call("GetDigest", {"Name": ledger.name}, call.context())
    tip = loads(answer["DigestTipAddress"]["IonText"])
    return {"digest": base64_text(answer["Digest"]), "digestTipAddress": tip, "ledger": ledger.name}


def proof(call: Call) -> Members:
    """Answer ``GET /ledgers/{ledger}/blocks/{block}/proof``: of a ``?document=``'s revision, or of the block itself.

    ``?tip=`` is the sequence number of the digest's tip; the last block by default.
    """
    document_id = call.query.get("document", "")
    ledger = call.ledger("GetRevision" if document_id else "GetBlock")
    number = sequence_number(call)
    tip = call.number("tip", ledger.tip().sequence_no)
    address: dict[str, IonValue] = {"strandId": ledger.strand_id, "sequenceNo": number}
    members: Members = {
        "Name": ledger.name,
        "BlockAddress": _ion({"strandId": ledger.strand_id, "sequenceNo": number}),
        "DigestTipAddress": _ion({"strandId": ledger.strand_id, "sequenceNo": tip}),
    }
    if not document_id:
        answer = call.emulator.call("GetBlock", members, call.context())
        value, steps = loads(answer["Block"]["IonText"]), []
    else:
        members["DocumentId"] = document_id[:22].ljust(22)
        answer = call.emulator.call("GetRevision", members, call.context())
        value = loads(answer["Revision"]["IonText"])
        steps = _steps_in_block(block_from_ion(block_value(ledger, number)[0]), document_id)
    hashes = loads(answer["Proof"]["IonText"])
    steps += ["tree"] * (len(hashes) - len(steps))
    return {
        "blockAddress": address,
        "tip": tip,
        "ion": base64.b64encode(dumps(value)).decode("ascii"),
        "proof": [{"hash": base64_text(each), "in": step} for each, step in zip(hashes, steps, strict=True)],
    }


def convert(call: Call) -> Members:
    """Answer ``POST /ion``.  Raises ADMIN_REQUEST."""
    [value] = parse_texts([call.text("text")])
    return {"ion": base64_text(dumps(value))}


def _ion(value: IonValue) -> Members:
    return {"IonText": dumps_text(value)}


def _steps_in_block(block: Block, document_id: str) -> list[str]:
    """Return the origin of a revision's first proof hashes: the block's revisions, its entries, the previous block."""
    hashes = [revision["hash"] for revision in block.revisions or ()]
    entries = list(block.entries_hash_list)
    steps = ["revisions"] * len(merkle.path(hashes, revision_position(block, document_id)))
    steps += ["entries"] * len(merkle.path(entries, entries.index(merkle.root(hashes))))
    return steps + (["previous block"] if block.previous_block_hash else [])
