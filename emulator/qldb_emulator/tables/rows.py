"""What a row is made of: a block becomes a row of ``blocks`` and a row of a history table for each of its revisions.

A revision's row::

    id, version, block, transaction_id, valid_from, valid_to, operation, hash, data_hash, data, ion, and typed columns

==============  ==================================================================================================
column          meaning
==============  ==================================================================================================
block           sequence number: the order of everything; two revisions can have one time
valid_from      the revision's txTime
valid_to        valid_from of the document's next revision; null while there is none
operation       I insert, U update, D deletion, R redacted (its data is gone)
hash            the revision's
data_hash       the Ion Hash of the document; null for a deletion
data            the document as JSON; null when deleted or redacted
ion             the whole revision as Ion binary, as GetRevision gives it: what the hash is computed of
==============  ==================================================================================================

``valid_to`` and redactions show in later blocks only, so they are settled when all blocks are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple

from ..ion.hash import hash_value
from ..ion.json import to_json
from ..ion.values import IonValue
from ..journal.encode import encode_revision, encode_transaction_info
from ..journal.model import Block, Struct
from ..journal.stored import StoredBlock
from .document import json_and_fields
from .fields import NO_FIELDS, Fields, fields_of, microseconds
from .forms import Form, form_of

_KEPT = 256  # arrays of statement texts, and tables
_KEPT_OCTETS = 1024  # a longer one is written each time, so that the cache stays small


class TableMapError(Exception):
    """A journal cannot become tables; a sentence for people."""


class TableKey(NamedTuple):
    """A table of the ledger: its id, and its name as the block tells it."""

    table_id: str
    name: str


Leaves = tuple[Form, list[bytes]]
"""What a document is made of: what those of its form become, and its scalars."""


class RevisionRow(NamedTuple):
    """A revision, before it is known what follows it.  Times are microseconds since 1970.

    noted: if it is given, a spool makes data and fields of it, for many revisions at once; here they have nothing.
    """

    id: str
    version: int
    block: int
    transaction_id: str
    valid_from: int
    operation: str
    hash: bytes
    data_hash: bytes | None
    data: str | None
    ion: bytes
    fields: Fields
    noted: Leaves | None = None


class BlockRow(NamedTuple):
    """A block without its revisions: all that leads from their hashes to the digest.

    entries, revision_hashes: 32 bytes each, one behind the other.  transaction_info: Ion.  statements: JSON.
    """

    block: int
    time: int
    transaction_id: str
    hash: bytes
    previous_hash: bytes
    entries_hash: bytes
    entries: bytes
    revision_hashes: bytes
    transaction_info: bytes | None
    statements: str


class Redacted(NamedTuple):
    """A revision that a later block redacts."""

    id: str
    version: int


class BlockRows(NamedTuple):
    """Everything that one block adds."""

    block: BlockRow
    revisions: list[tuple[TableKey, RevisionRow]]
    redacted: list[Redacted]


# tuple.__new__ takes half of the time of the class, which takes each value by its name.
_new_row = partial(tuple.__new__, RevisionRow)
_new_block_row = partial(tuple.__new__, BlockRow)
_kept_key = lru_cache(_KEPT)(TableKey)


def rows_of(
    block: Block | StoredBlock, flatten: bool, data_hashes: Mapping[int, bytes] = MappingProxyType({})
) -> BlockRows:
    """The rows of a block.  Raises TableMapError when it does not say which table a document is in.

    data_hashes: of its revisions by their id(), as far as a verifier has computed them.
    """
    if type(block) is StoredBlock:
        return rows_of_stored(block, flatten)
    block = block.decoded()
    documents = (block.transaction_info or {}).get("documents", {})
    tables = {id_: TableKey(entry["tableId"], entry["tableName"]) for id_, entry in documents.items()}
    revisions = [
        (_table_of(tables, revision["metadata"]["id"], block), revision_row(revision, flatten, data_hashes))
        for revision in block.revisions or ()
        if "metadata" in revision
    ]
    redacted = [
        Redacted(each["documentId"], each["version"]) for each in (block.redaction_info or {}).get("revisions", ())
    ]
    return BlockRows(block_row(block), revisions, redacted)


def rows_of_stored(block: StoredBlock, flatten: bool) -> BlockRows:
    """The rows of a block of which nothing is decoded but its documents.  Raises TableMapError."""
    number, revisions, hashes, documents = block.address.sequence_no, [], [], block.documents
    for revision in block.revisions or ():
        document_id, has_data = revision.document_id, revision.has_data
        changed = documents.get(document_id)
        if changed is None:
            raise _without_table(block, document_id)
        data, fields, noted = None, NO_FIELDS, None
        if has_data:
            if revision.noted is not None and not flatten and (form := form_of(revision.noted[0])) is not None:
                noted = form, revision.noted[1]
            else:
                data, fields = json_and_fields(block.ion, *revision.span, block.symbols, flatten)
        values = (
            document_id,
            revision.version,
            number,
            revision.transaction_id,
            revision.time_ms * 1000,
            _operation(revision.version, has_data, revision.data_hash),
            revision.hash,
            revision.data_hash,
            data,
            block.revision(revision),
            fields,
            noted,
        )
        hashes.append(revision.hash)
        revisions.append((_kept_key(changed.table_id, changed.table_name), _new_row(values)))
    made = (
        number,
        block.time_ms * 1000,
        block.transaction_id,
        block.block_hash,
        block.previous_block_hash,
        block.entries_hash,
        b"".join(block.entries_hash_list),
        b"".join(hashes),
        block.transaction_info(),
        _statements(tuple([statement.text for statement in block.statements])),
    )
    return BlockRows(_new_block_row(made), revisions, [])


def _statements(texts: tuple[bytes, ...]) -> str:
    """Statement texts in UTF-8 as a JSON array."""
    return _kept_statements(texts) if sum(map(len, texts)) <= _KEPT_OCTETS else _statements_text(texts)


def _statements_text(texts: tuple[bytes, ...]) -> str:
    return to_json([text.decode() for text in texts])


_kept_statements = lru_cache(_KEPT)(_statements_text)  # programs send few texts, with parameters


def _table_of(tables: Mapping[str, TableKey], document_id: str, block: Block) -> TableKey:
    table = tables.get(document_id)
    if table is None:
        raise _without_table(block, document_id)
    return table


def _without_table(block: Block | StoredBlock, document_id: str) -> TableMapError:
    return TableMapError(f"Block {block.address.sequence_no} does not say which table document {document_id} is in.")


def _operation(version: int, has_data: bool, data_hash: bytes | None) -> str:
    if has_data:
        return "U" if version else "I"
    return "D" if data_hash is None else "R"


def block_row(block: Block) -> BlockRow:
    """The row of a block itself."""
    info = block.transaction_info
    return BlockRow(
        block=block.address.sequence_no,
        time=microseconds(block.timestamp),
        transaction_id=block.transaction_id,
        hash=block.block_hash,
        previous_hash=block.previous_block_hash,
        entries_hash=block.entries_hash,
        entries=b"".join(block.entries_hash_list),
        revision_hashes=b"".join([revision["hash"] for revision in block.revisions or ()]),
        transaction_info=None if info is None else encode_transaction_info(info),
        statements=to_json([each["statement"] for each in (info or {}).get("statements", ())]),
    )


def revision_row(
    revision: Struct, flatten: bool, data_hashes: Mapping[int, bytes] = MappingProxyType({})
) -> RevisionRow:
    """The row of a revision that has metadata."""
    metadata = revision["metadata"]
    data: IonValue = revision.get("data")
    has_data = "data" in revision
    if has_data:
        data_hash: bytes | None = data_hashes.get(id(revision)) or hash_value(data)
    else:
        data_hash = revision.get("dataHash")
    return RevisionRow(
        id=metadata["id"],
        version=metadata["version"],
        block=revision["blockAddress"]["sequenceNo"],
        transaction_id=metadata["txId"],
        valid_from=microseconds(metadata["txTime"]),
        operation=_operation(metadata["version"], has_data, data_hash),
        hash=revision["hash"],
        data_hash=data_hash,
        data=to_json(data) if has_data else None,
        ion=encode_revision(revision),
        fields=fields_of(data, flatten) if has_data else NO_FIELDS,
    )


def redacted_revision(revision: Struct, data_hash: bytes | None) -> Struct:
    """A revision with its data replaced by the hash of it."""
    return {
        "blockAddress": revision["blockAddress"],
        "hash": revision["hash"],
        "dataHash": data_hash,
        "metadata": revision["metadata"],
    }


def in_order(tables: Iterable[TableKey]) -> dict[str, str]:
    """Table id -> the last name it had, in the order in which the tables are first seen."""
    names: dict[str, str] = {}
    for table in tables:
        names[table.table_id] = table.name
    return names
