"""Builds the block of a committed transaction.  Pure: the time is passed in.

Layout of ``entriesHashList`` in a block of ours, in the order the service used (journal.md 1.4)::

    header, [revisions], statements, transactionInfo, [redactionInfo]

``revisions`` is the Merkle root over the revision hashes, present only if the block has revisions.  ``hashing`` has the
header and statements entries, which are opaque in blocks of the service and provable in ours.

Every block has a transactionInfo, ``{}`` if it would be empty: the official Java verifier fails without one
(source: sample).  ``documents``, ``statements``, ``redactionInfo`` and ``revisions`` are left out when empty.

Order of ``revisions``: hash-only system items first (by hash), then by document id, as in the guide's example.  It is
fixed because ``dot`` commutes: the root of two revisions is the same in both orders, so only a rule lets a verifier
see that they were exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from ..ion.hash import hash_value
from ..ion.values import Timestamp
from ..records import dataclass
from . import hashing, merkle
from .model import Block, BlockAddress, Struct


class RedactionError(ValueError):
    """The revision cannot be redacted: it is not in the block, has no data, or does not match its hash."""


@dataclass(frozen=True, slots=True)
class ExecutedStatement:
    """A statement of the transaction, SELECTs included.

    text: verbatim, ``?`` for parameters.  start_time: when it began.  digest: ``hashing.statement_digest``.
    """

    text: str
    start_time: Timestamp
    digest: bytes


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """What a block says about a document that the transaction changed.

    statements: indexes into the transaction's statements, of every one that changed the document, ascending.
    """

    table_name: str
    table_id: str
    statements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision to write.

    data: the document, or None for a deletion.  data_hash: its Ion Hash if already known.
    """

    document_id: str
    version: int
    data: Struct | None
    data_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Redaction:
    """A revision whose data the transaction removes: in an earlier block, at *address*."""

    address: BlockAddress
    table_id: str
    document_id: str
    version: int

    def to_ion(self) -> Struct:
        return {
            "blockAddress": self.address.to_ion(),
            "tableId": self.table_id,
            "documentId": self.document_id,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """All that a transaction leaves behind.

    documents: by document id; exactly one for each revision.
    revisions: at most one for a document, however often it was changed.
    system_revisions: hashes of items that the catalogue's own tables would have (DDL), 32 bytes each.
    """

    transaction_id: str
    statements: Sequence[ExecutedStatement] = ()
    documents: Mapping[str, ChangedDocument] = field(default_factory=dict)
    revisions: Sequence[NewRevision] = ()
    system_revisions: Sequence[bytes] = ()
    redactions: Sequence[Redaction] = ()


def build_block(
    previous: tuple[BlockAddress | None, bytes], strand_id: str, transaction: TransactionResult, now: Timestamp
) -> Block:
    """Return the block that commits a transaction.

    previous: address and hash of the journal's last block; ``(None, b"")`` before the first.
    now: the commit time; txTime and blockTimestamp are this moment, or the latest startTime if that is later.
    """
    previous_address, previous_hash = previous
    address = BlockAddress(strand_id, 0 if previous_address is None else previous_address.sequence_no + 1)
    time = _commit_time(now, transaction.statements)
    revisions = _system_items(transaction.system_revisions) + [
        _revision(revision, address, transaction.transaction_id, time)
        for revision in sorted(transaction.revisions, key=lambda revision: revision.document_id)
    ]
    transaction_info = _transaction_info(transaction)
    redaction_info = _redaction_info(transaction.redactions)

    entries = [hashing.header_hash(address, transaction.transaction_id, time)]
    if revisions:
        entries.append(merkle.root([revision["hash"] for revision in revisions]))
    entries.append(hashing.statements_hash([statement.digest for statement in transaction.statements]))
    entries.append(hashing.transaction_info_hash(transaction_info))
    if redaction_info is not None:
        entries.append(hash_value(redaction_info))
    entries_hash = merkle.root(entries)

    return Block(
        address=address,
        transaction_id=transaction.transaction_id,
        timestamp=time,
        block_hash=hashing.block_hash(entries_hash, previous_hash),
        entries_hash=entries_hash,
        previous_block_hash=previous_hash,
        entries_hash_list=tuple(entries),
        transaction_info=transaction_info,
        redaction_info=redaction_info,
        revisions=tuple(revisions) if revisions else None,
    )


def redact(block: Block, document_id: str, version: int) -> Block:
    """Return the block with one revision's data replaced by its hash; no other byte changes, every hash still holds.

    A revision that was redacted earlier stays as it is.  Raises RedactionError.
    """
    revisions = list(block.revisions or ())
    for position, revision in enumerate(revisions):
        metadata = revision.get("metadata")
        if metadata is not None and metadata["id"] == document_id and metadata["version"] == version:
            revisions[position] = _redacted(revision, metadata)
            return replace(block, revisions=tuple(revisions))
    raise RedactionError(
        f"block {block.address.sequence_no} has no revision of document {document_id} with version {version}"
    )


def _redacted(revision: Struct, metadata: Struct) -> Struct:
    if "dataHash" in revision:
        return revision
    name = f"version {metadata['version']} of document {metadata['id']}"
    if "data" not in revision:
        raise RedactionError(f"{name} is a deletion and has no data")
    data_hash = hash_value(revision["data"])
    if hashing.revision_hash_of(metadata, data_hash) != revision["hash"]:
        raise RedactionError(f"the data of {name} is not what its hash says")
    return {
        "blockAddress": revision["blockAddress"],
        "hash": revision["hash"],
        "dataHash": data_hash,
        "metadata": metadata,
    }


def _revision(revision: NewRevision, address: BlockAddress, transaction_id: str, time: Timestamp) -> Struct:
    metadata: Struct = {
        "id": revision.document_id,
        "version": revision.version,
        "txTime": time,
        "txId": transaction_id,
    }
    struct: dict[str, Any] = {"blockAddress": address.to_ion()}
    if revision.data is None:
        struct["hash"] = hashing.deletion_hash(metadata)
    else:
        data_hash = hash_value(revision.data) if revision.data_hash is None else revision.data_hash
        struct["hash"] = hashing.revision_hash_of(metadata, data_hash)
        struct["data"] = revision.data
    struct["metadata"] = metadata
    return struct


def _system_items(hashes: Iterable[bytes]) -> list[Struct]:
    return [{"hash": hash_} for hash_ in sorted(hashes)]


def _transaction_info(transaction: TransactionResult) -> Struct:
    info: dict[str, Any] = {}
    if transaction.statements:
        info["statements"] = [
            {"statement": s.text, "startTime": journal_time(s.start_time), "statementDigest": s.digest}
            for s in transaction.statements
        ]
    if transaction.documents:
        info["documents"] = {
            document_id: {
                "tableName": document.table_name,
                "tableId": document.table_id,
                "statements": list(document.statements),
            }
            for document_id, document in transaction.documents.items()
        }
    return info


def _redaction_info(redactions: Sequence[Redaction]) -> Struct | None:
    return {"revisions": [redaction.to_ion() for redaction in redactions]} if redactions else None


def _commit_time(now: Timestamp, statements: Sequence[ExecutedStatement]) -> Timestamp:
    # A statement begins before its transaction commits, even if the clock was set back in between.
    times = [now, *(statement.start_time for statement in statements)]
    return journal_time(max(times, key=Timestamp.epoch_ms))


def journal_time(time: Timestamp) -> Timestamp:
    """Return the time as a journal writes it: UTC, exactly three fraction digits.

    The Java sample re-serialises and hashes these structs and can hold no other form (source: sample).
    """
    if time.precision == "second" and time.offset == 0 and len(time.fraction) == 3:
        return time
    return Timestamp.from_epoch_ms(time.epoch_ms())
