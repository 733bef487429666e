"""The fold: it applies a block to tables, documents, history, indexes and the Merkle tree.

``apply_block`` is the only writer of derived state.  Commit, import and rebuild all call it, so it uses
nothing but the block and the state that earlier blocks left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from ...errors import QldbError
from ...ion.codec import dumps, loads
from ...ion.values import IonValue
from ...journal.block import RedactionError, redact
from ...journal.encode import encode_metadata
from ...journal.merkle import RightEdge
from ...journal.model import Block
from ...journal.parse import block_from_ion
from ...journal.stored import StoredBlock
from ...limits import UNLIMITED
from ...log.seam import Rewrite
from ...partiql.language.errors import PartiqlError
from ...partiql.planning.catalogue import Catalogue, IndexInfo, TableInfo, TableStatus
from ...partiql.syntax import ast
from ...partiql.syntax.parser import parse
from ...records import dataclass
from ...storage.rows import RevisionRow
from .conflicts import CATALOGUE, ReadMark, document_mark, key_mark, name_mark, revision_marks, table_mark
from .ddl import DDL_NODES, DdlEffect, ddl_effect, is_ddl_text, table_tags
from .facts import Tags, stored_table_tags, write_table_tags
from .keys import field_key, stored_key

if TYPE_CHECKING:
    from ...storage.reads import Reads
    from ...storage.writer import Writer

_TEXTS_KEPT = 256  # of statements


class ApplyError(ValueError):
    """A block cannot be applied: it is not the next one, or it contradicts the blocks before it."""


@dataclass(slots=True)
class Applied:
    """What a block changed.  catalogue: the one after it.  marks: everything it wrote.
    is_marked: whether that has the marks of revisions; an import has no readers, so it wants none.
    table_tags: tags that CREATE TABLE gave to tables, by table id.

    rewrites: earlier blocks from which a redaction erased data.
    problems: redactions that could not be applied, in sentences; a commit of ours has none.
    has_erased: whether the data of a revision was erased, so that copies of it must go, too.
    """

    catalogue: Catalogue
    marks: set[ReadMark] = field(default_factory=set)
    table_tags: dict[str, Tags] = field(default_factory=dict)
    rewrites: list[Rewrite] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    has_erased: bool = False
    is_marked: bool = True


def apply_block(
    writer: Writer,
    catalogue: Catalogue,
    block: Block | StoredBlock,
    ion: bytes | None,
    edge: RightEdge | None,
) -> Applied:
    """Store a block and everything that follows from it, within the writer's SQLite transaction.

    ion: the block's binary, if available.  edge: of the Merkle tree over all earlier blocks; this block is added to it.
    None if earlier blocks are missing, so that there is no tree.
    Raises ApplyError.
    """
    append_block(writer, block, ion or dumps(block.decoded().to_ion()), edge)
    return derive(writer, catalogue, block)


def append_block(writer: Writer, block: Block | StoredBlock, ion: bytes, edge: RightEdge | None) -> None:
    """Store a block and the nodes of the Merkle tree that it completes; see apply_block."""
    writer.insert_block(block.address.sequence_no, block.transaction_id, block.time_ms, block.block_hash, ion)
    if edge is not None:
        nodes = edge.append(block.block_hash)
        if len(nodes) > 1:
            writer.insert_nodes(nodes[1:])  # the leaf itself is stored in the block's row


def derive(writer: Writer, catalogue: Catalogue, block: Block | StoredBlock, is_marked: bool = True) -> Applied:
    """Derive everything that follows from a stored block; rebuilding calls only this.

    is_marked: whether marks of revisions are wanted.  Raises ApplyError.
    """
    applied = Applied(catalogue, is_marked=is_marked)
    for table_id, index in _apply_ddl(writer, applied, block):
        _build_index(writer, applied.catalogue, table_id, index, block.address.sequence_no)
    if block.revisions is not None:
        _apply_revisions(writer, applied, block)
    if isinstance(block, Block) and block.redaction_info is not None:
        _apply_redactions(writer, applied, block)
    return applied


def stored_catalogue(file: Reads, sequence_no: int) -> Catalogue:
    """Return the catalogue after a block, from the rows that folding wrote."""
    tables = []
    for row in file.catalogue_rows(sequence_no):
        indexes = tuple(IndexInfo(i.index_id, i.field_name, "ONLINE", i.number) for i in row.indexes)
        status: TableStatus = "ACTIVE" if row.status == "ACTIVE" else "INACTIVE"
        tables.append(TableInfo(row.table_id, row.name, status, indexes, row.number))
    return Catalogue(tuple(tables))


def stored_edge(file: Reads, sequence_no: int) -> RightEdge:
    """Return the edge of the Merkle tree up to a block, from the rows that folding wrote.

    Raises StorageError if a node is missing.
    """
    return RightEdge.read(sequence_no + 1, file.tree_nodes)


# --- DDL -----------------------------------------------------------------------------------------------------


def _apply_ddl(writer: Writer, applied: Applied, block: Block | StoredBlock) -> list[tuple[str, IndexInfo]]:
    new_indexes: list[tuple[str, IndexInfo]] = []
    for position, text in _ddl_texts_of(block):
        node = _parse_ddl(text)
        if node is None:
            continue
        try:
            effect = ddl_effect(applied.catalogue, node, block.transaction_id, position, UNLIMITED)
        except (QldbError, PartiqlError):
            # A journal of the service may hold statements that failed there; they have no effect here either.
            continue
        index = _store_ddl(writer, applied, effect, block.address.sequence_no)
        if index is not None:
            new_indexes.append((effect.table.table_id, index))
    return [(table_id, index) for table_id, index in new_indexes if _has_index(applied.catalogue, table_id, index)]


def _ddl_texts_of(block: Block | StoredBlock) -> list[tuple[int, str]]:
    """Return the statements that may be DDL, each with its place among all."""
    if isinstance(block, StoredBlock):
        stored = [(position, each.text) for position, each in enumerate(block.statements) if is_ddl_stored(each.text)]
        return [(position, text.decode()) for position, text in stored]
    statements = (block.transaction_info or {}).get("statements", ())
    texts = [(position, each["statement"]) for position, each in enumerate(statements)]
    return [(position, text) for position, text in texts if is_ddl_text(text)]


@lru_cache(_TEXTS_KEPT)
def is_ddl_stored(text: bytes) -> bool:
    """Return what is_ddl_text does; a program has few texts of statements, which recur."""
    return is_ddl_text(text.decode())


def _has_index(catalogue: Catalogue, table_id: str, index: IndexInfo) -> bool:
    table = catalogue.by_id(table_id)
    return table is not None and any(other.index_id == index.index_id for other in table.indexes)


def _parse_ddl(text: str) -> ast.CreateTable | ast.DropTable | ast.UndropTable | ast.CreateIndex | ast.DropIndex | None:
    try:
        node = parse(text)
    except PartiqlError:
        return None
    return node if isinstance(node, DDL_NODES) else None


def _store_ddl(writer: Writer, applied: Applied, effect: DdlEffect, sequence_no: int) -> IndexInfo | None:
    """Store one DDL effect; return a new index that must still be built."""
    applied.marks.update(effect.marks)
    table, index = effect.table, effect.index
    match effect.statement:
        case ast.CreateTable():
            number = writer.create_table(table.table_id, table.name, sequence_no)
            applied.catalogue = effect.catalogue.replace(replace(table, number=number))
            _put_first_tags(writer, applied, table.table_id, table_tags(effect.statement))
            return None
        case ast.DropTable() | ast.UndropTable():
            writer.change_table(table.number, sequence_no, status=table.status)
            applied.catalogue = effect.catalogue
            return None
        case ast.DropIndex():
            assert index is not None
            writer.drop_index(index.number, sequence_no)
            applied.catalogue = effect.catalogue
            return None
        case ast.CreateIndex():
            assert index is not None
            number = writer.create_index(index.index_id, table.number, index.field_name, sequence_no)
            online = IndexInfo(index.index_id, index.field_name, "ONLINE", number)
            indexes = tuple(online if other.index_id == online.index_id else other for other in table.indexes)
            applied.catalogue = effect.catalogue.replace(replace(table, indexes=indexes))
            return online


def _put_first_tags(writer: Writer, applied: Applied, table_id: str, tags: Tags | None) -> None:
    """Store the tags of a new table.  When blocks are applied again, keep what TagResource changed since."""
    if tags and stored_table_tags(writer, table_id) is None:
        write_table_tags(writer, table_id, tags)
        applied.table_tags[table_id] = tags


def _build_index(writer: Writer, catalogue: Catalogue, table_id: str, index: IndexInfo, sequence_no: int) -> None:
    """Add every document that is live before this block to a new index."""
    table = catalogue.by_id(table_id)
    assert table is not None
    for batch in writer.scan(table.number, sequence_no - 1):
        entries = []
        for row in batch:
            key = field_key(loads(row.data), index.field_name) if row.data is not None else None
            if key is not None:
                entries.append((index.number, key, row.doc_no))
        writer.put_index_entries(entries, sequence_no)


# --- Revisions ---------------------------------------------------------------------------------------------


class _Revision(NamedTuple):
    """A revision of a block, as it is stored.

    data: self-contained Ion binary, None without data.  document: the same decoded, as far as it was decoded.
    """

    document_id: str
    version: int
    tx_time_ms: int
    hash: bytes
    data: bytes | None
    data_hash: bytes | None
    metadata: bytes
    document: IonValue | None

    def key(self, field_name: str) -> bytes | None:
        """Return the key of its document in an index on this field; None if it is not found there."""
        if self.data is None:
            return None
        return stored_key(self.data, field_name) if self.document is None else field_key(self.document, field_name)


def _revisions_of(block: Block | StoredBlock) -> Iterator[_Revision]:
    if isinstance(block, StoredBlock):
        for position, found in enumerate(block.revisions or ()):
            data = block.data(found)
            if data is None and found.has_data:
                data = dumps((block.decoded().revisions or ())[position]["data"])
            data_hash = None if found.has_data else found.data_hash
            yield _Revision(
                *(found.document_id, found.version, found.time_ms, found.hash, data, data_hash, found.metadata, None)
            )
        return
    for revision in block.revisions or ():
        if "metadata" not in revision:
            continue
        metadata = revision["metadata"]
        document = revision.get("data")
        yield _Revision(
            document_id=metadata["id"],
            version=metadata["version"],
            tx_time_ms=metadata["txTime"].epoch_ms(),
            hash=revision["hash"],
            data=dumps(document) if "data" in revision else None,
            data_hash=revision.get("dataHash"),
            metadata=encode_metadata(metadata),
            document=document,
        )


def _tables_of(block: Block | StoredBlock) -> dict[str, tuple[str, str]]:
    """Return (id, name) of the table of each document, by the document's id, in the order of the statements."""
    if isinstance(block, StoredBlock):
        return {each: (table.table_id, table.table_name) for each, table in block.documents.items()}
    documents = (block.transaction_info or {}).get("documents", {})
    return {each: (entry["tableId"], entry["tableName"]) for each, entry in documents.items()}


def _apply_revisions(writer: Writer, applied: Applied, block: Block | StoredBlock) -> None:
    tables = _tables_of(block)
    revisions = {revision.document_id: revision for revision in _revisions_of(block)}
    # The order of the statements: scans show documents in this order.
    for document_id in [*[d for d in tables if d in revisions], *[d for d in revisions if d not in tables]]:
        table = _table_of(writer, applied, block, tables.get(document_id), document_id)
        _apply_revision(writer, applied, block.address.sequence_no, table, revisions[document_id])


def _table_of(
    writer: Writer, applied: Applied, block: Block | StoredBlock, named: tuple[str, str] | None, document_id: str
) -> TableInfo:
    """Return the table of a document.  named: its id and name as the block says them.

    A block of the service names ids that this emulator did not make.  A table of an earlier CREATE TABLE takes the id
    at its first document.  A table that was created before the journal begins is created when it is first named.
    """
    if named is None:
        info = writer.document_info(document_id)
        table = None if info is None else next((t for t in applied.catalogue.tables if t.number == info.table_no), None)
        if table is None:
            raise ApplyError(f"block {block.address.sequence_no} does not say which table document {document_id} is in")
        return table
    table = applied.catalogue.by_id(named[0])
    if table is not None:
        return table
    return _adopt_table(writer, applied, *named, block.address.sequence_no)


def _adopt_table(writer: Writer, applied: Applied, table_id: str, name: str, sequence_no: int) -> TableInfo:
    applied.marks.update((CATALOGUE, name_mark(name)))
    existing = applied.catalogue.active(name)
    if existing is not None and next(writer.history(existing.number, sequence_no), None) is None:
        writer.adopt_table_id(existing.number, table_id)
        _put_first_tags(writer, applied, table_id, stored_table_tags(writer, existing.table_id))
        table = replace(existing, table_id=table_id)
        others = tuple(table if t.number == existing.number else t for t in applied.catalogue.tables)
        applied.catalogue = Catalogue(others)
        return table
    number = writer.create_table(table_id, name, sequence_no)
    table = TableInfo(table_id, name, number=number)
    applied.catalogue = applied.catalogue.replace(table)
    return table


def _apply_revision(writer: Writer, applied: Applied, sequence_no: int, table: TableInfo, revision: _Revision) -> None:
    document_id, version, tx_time_ms, hash_, data, data_hash, metadata, _ = revision
    doc_no = writer.insert_new_document(document_id, table.number, sequence_no) if version == 0 else None
    if doc_no is None:
        known = writer.document_info(document_id)
        if known is None:  # its first revisions are in blocks before the first block of the journal
            doc_no = writer.insert_document(document_id, table.number, sequence_no)
        else:
            doc_no = known.doc_no
            _close_entries(writer, applied.marks, table, doc_no, known.last_seq, sequence_no)
    writer.insert_revision(
        RevisionRow(
            *(doc_no, document_id, table.number, version, sequence_no),
            *(tx_time_ms, hash_, data, data_hash, metadata),
        )
    )
    keys = _keys(table, revision.key)
    if keys:
        writer.put_index_entries([(index.number, key, doc_no) for index, key in keys], sequence_no)
    if applied.is_marked:
        ids_and_keys = [(index.index_id, key) for index, key in keys]
        applied.marks.update(revision_marks(table.table_id, document_id, ids_and_keys))


def _keys(table: TableInfo, key_of: Callable[[str], bytes | None]) -> list[tuple[IndexInfo, bytes]]:
    """Return the keys under which a document is found in its table's indexes.  key_of: the key by a field's name."""
    found = [(index, key_of(index.field_name)) for index in table.indexes]
    return [(index, key) for index, key in found if key is not None]


def _close_entries(
    writer: Writer, marks: set[ReadMark], table: TableInfo, doc_no: int, last_seq: int, sequence_no: int
) -> None:
    """End the index entries of a document's last revision, even those that the next revision will have again.

    So each entry belongs to one revision, and a redaction can delete it together with the data.
    """
    before = writer.revision_at(doc_no, last_seq) if table.indexes else None
    if before is None or before.data is None:
        return
    keys = _keys(table, partial(stored_key, before.data))
    marks.update(key_mark(index.index_id, key) for index, key in keys)
    writer.close_index_entries([(index.number, key, doc_no) for index, key in keys], sequence_no)


# --- Redactions --------------------------------------------------------------------------------------------


def _apply_redactions(writer: Writer, applied: Applied, block: Block) -> None:
    for redaction in (block.redaction_info or {}).get("revisions", ()):
        sequence_no = redaction["blockAddress"]["sequenceNo"]
        document_id = redaction["documentId"]
        data = writer.block_bytes(sequence_no)
        if data is None:
            continue  # the journal begins after the block: there is nothing to redact
        # The data vanishes from every snapshot at once, so a transaction that has read it must not commit afterwards.
        applied.marks.update((document_mark(document_id), table_mark(redaction["tableId"])))
        try:
            target = redact(block_from_ion(loads(data)), document_id, redaction["version"])
        except RedactionError as error:
            applied.problems.append(f"block {block.address.sequence_no} redacts what cannot be redacted: {error}")
            continue
        ion = dumps(target.to_ion())
        writer.replace_block(sequence_no, ion)
        applied.rewrites.append(Rewrite(sequence_no, ion))
        _redact_row(writer, applied, document_id, sequence_no, target)


def _redact_row(writer: Writer, applied: Applied, document_id: str, sequence_no: int, target: Block) -> None:
    row = next((row for row in writer.block_revisions(sequence_no) if row.document_id == document_id), None)
    if row is None or row.data is None:
        return  # rebuilt or imported from a block that was redacted already
    # Short index keys hold the values themselves, so they must go with the data, even those of dropped indexes whose
    # entries wait to be purged.
    following = writer.next_revision_seq(row.doc_no, sequence_no)
    if following is not None:
        document = loads(row.data)
        keys = [(number, field_key(document, name)) for number, name in writer.indexes_ever(row.table_no)]
        entries = [(number, key, row.doc_no) for number, key in keys if key is not None]
        writer.erase_index_entries(entries, following)
    data_hash = next(r["dataHash"] for r in target.revisions or () if r.get("metadata", {}).get("id") == document_id)
    writer.redact_revision(row, data_hash)
    applied.has_erased = True
