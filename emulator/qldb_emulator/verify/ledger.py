"""Compares the rows that queries read with the blocks: row by row, column by column.

``engine/ledger/fold.py`` writes the rows of a ledger file.  This module derives the same rows from the blocks by code
of its own, with PartiQL's parser for DDL, and only reads the file.  Because the two share no code, a mistake in one of
them shows as a difference, and so does a row that was changed (docs/design/010-what-verify-compares.md).

A block in the usual form is not decoded (docs/design/019-blocks-over-octets.md).  What a row holds is compared with the
block's own octets; only where these differ, values are compared.

Memory: some 500 bytes for each document, and the keys under which indexes find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple, Protocol

from ..ids import derive_id
from ..ion.binary_reader import VERSION_MARKER
from ..ion.codec import IonError, loads
from ..ion.compare import index_key, ion_equal
from ..ion.stream import value_behind
from ..ion.values import IonValue, strip_annotations
from ..journal.merkle import NodeID
from ..journal.model import Block, BlockAddress
from ..journal.read_stored import read_block
from ..journal.stored import StoredBlock, StoredRevision
from ..partiql.language.errors import PartiqlError
from ..partiql.syntax import ast
from ..partiql.syntax.parser import parse
from ..records import dataclass
from .audit import Audit, JournalReport, TreeCheck
from .checks import Finding
from .inputs import SavedDigest
from .sources import Journal, Part, Reading
from .verdict import SegmentVerdict

LIVE = (1 << 31) - 1
"""The until_seq of a row that still holds."""

Row = tuple[Any, ...]
Key = tuple[int, bytes]
"""(index number, key)."""

_DDL = re.compile(r"\s*(?:--|/\*|CREATE|DROP|UNDROP)", re.IGNORECASE)
_TABLE_NAME = re.compile(r"(?!_ql_)[A-Za-z_][A-Za-z0-9_]*\Z")  # documented: names; _ql_ is reserved

REQUIRED_FACTS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "strand_id": str,
    "permissions_mode": str,
    "deletion_protection": bool,
    "creation_ms": int,
    "tags": dict,
}
"""Control-plane facts that a ledger needs, and their types.  No block has them, so their values are not proved.  The
strand's id is an exception: each block names it."""

UNPROVED: Mapping[str, str] = {
    "meta": "Names, tags, modes and the state of streams and exports do not follow from the journal.",
    "index_entry of dropped indexes": "No query reads them; they are deleted when the ledger is opened next.",
}
"""What is in a ledger file but in no block, and why it is not compared."""


class Stored(Protocol):
    """The rows of a ledger file.  ``storage.stored_rows.StoredRows`` describes each method."""

    def problems(self) -> list[str]: ...
    def facts(self) -> tuple[dict[str, Any], list[str]]: ...
    def blocks(self) -> Iterator[tuple[Row, bool]]: ...
    def revisions(self, seq: int) -> list[tuple[Row, bool]]: ...
    def data(self, doc_no: int, seq: int) -> bytes | None: ...
    def rows(self, table: str) -> Iterator[Row]: ...
    def entry_seq(self, index_no: int, key: bytes, until_seq: int, doc_no: int) -> Any: ...
    def entry_counts(self) -> dict[Any, int]: ...
    def count(self, table: str) -> int: ...
    def merkle_nodes(self, ids: Iterable[NodeID]) -> dict[NodeID, bytes]: ...


# --- What follows from the blocks ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Versions:
    """The versions of a table or an index, oldest first: (seq, until_seq, values)."""

    rows: list[tuple[int, int, Row]] = field(default_factory=list)

    def change(self, seq: int, values: Row | None) -> None:
        """End the last version at a block, and begin one with these values unless they are None.

        A version that began in the same block is removed: no row is stored for it.
        """
        if self.rows:
            since, _, before = self.rows.pop()
            if since != seq:
                self.rows.append((since, seq, before))
        if values is not None:
            self.rows.append((seq, LIVE, values))


@dataclass(slots=True)
class _Index:
    number: int
    index_id: str
    field_name: str
    seq: int
    table_no: int
    versions: _Versions = field(default_factory=_Versions)


@dataclass(slots=True)
class _Table:
    number: int
    table_id: str
    name: str
    seq: int
    is_active: bool = True
    has_revisions: bool = False
    indexes: list[_Index] = field(default_factory=list)
    versions: _Versions = field(default_factory=_Versions)

    def set_status(self, is_active: bool, seq: int) -> None:
        self.is_active = is_active
        self.versions.change(seq, (self.name, "ACTIVE" if is_active else "INACTIVE"))


@dataclass(slots=True)
class _Document:
    """A document.

    seq, until_seq: the blocks in which it exists.  last_seq: of its last revision.
    keys: the index keys under which its last revision is found, each with the block from which on.
    """

    table: _Table
    doc_no: int
    document_id: str
    seq: int
    until_seq: int
    last_seq: int
    keys: dict[Key, int] = field(default_factory=dict)


class _Refold:
    """Derives the rows of a ledger file from its blocks.

    ended: index entries that ended since the last ``take_ended``, as (index, key, until_seq, doc_no, seq).
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.tables: list[_Table] = []
        self.indexes: list[_Index] = []
        self.documents: dict[str, _Document] = {}
        self.ended: list[tuple[int, bytes, int, int, int]] = []

    def take(self, block: Block | StoredBlock) -> list[Row]:
        """Take in the next block.  Return the rows of its revisions, in the form and order of StoredRows.revisions."""
        made = self._apply_statements(block)
        for index in made:
            self._fill(index, block.address.sequence_no)
        revisions = _revisions_of(block)
        entries = _tables_of(block)
        order = dict.fromkeys((*(d for d in entries if d in revisions), *revisions))
        rows = []
        for document_id in order:
            table = self._table_of(document_id, entries.get(document_id), block.address.sequence_no)
            if table is not None:
                rows.append(self._revise(table, revisions[document_id], block.address.sequence_no))
        return sorted(rows, key=lambda row: row[0])

    # --- DDL -------------------------------------------------------------------------------------------------

    def _apply_statements(self, block: Block | StoredBlock) -> list[_Index]:
        made = []
        for position, text in enumerate(_texts_of(block)):
            if not _DDL.match(text):
                continue
            try:
                node = parse(text)
            except PartiqlError:
                continue
            index = self._apply(node, block.transaction_id, position, block.address.sequence_no)
            if index is not None:
                made.append((index, node))
        return [index for index, _ in made if index.versions.rows]

    def _apply(self, node: object, transaction_id: str, position: int, seq: int) -> _Index | None:
        """Apply a DDL statement; one that failed in the service has no effect.  Return a new index, which is empty."""
        match node:
            case ast.CreateTable() if _TABLE_NAME.match(node.name) and self._active(node.name) is None:
                self._add_table(derive_id(transaction_id, position, "table"), node.name, seq)
            case ast.DropTable():
                table = self._active(node.name)
                if table is not None:
                    table.set_status(False, seq)
            case ast.UndropTable():
                table = self._by_id(node.table_id)
                if table is not None and not table.is_active and self._active(table.name) is None:
                    table.set_status(True, seq)
            case ast.CreateIndex():
                table = self._active(node.table)
                if table is not None and all(index.field_name != node.field_name for index in table.indexes):
                    return self._add_index(table, derive_id(transaction_id, position, "index"), node.field_name, seq)
            case ast.DropIndex():
                table = self._active(node.table)
                for index in [] if table is None else list(table.indexes):
                    if table is not None and index.index_id == node.index_id:
                        table.indexes.remove(index)
                        index.versions.change(seq, None)
        return None

    def _active(self, name: str) -> _Table | None:
        return next((table for table in self.tables if table.is_active and table.name == name), None)

    def _by_id(self, table_id: str) -> _Table | None:
        return next((table for table in self.tables if table.table_id == table_id), None)

    def _add_table(self, table_id: str, name: str, seq: int) -> _Table:
        table = _Table(len(self.tables) + 1, table_id, name, seq)
        table.set_status(True, seq)
        self.tables.append(table)
        return table

    def _add_index(self, table: _Table, index_id: str, field_name: str, seq: int) -> _Index:
        index = _Index(len(self.indexes) + 1, index_id, field_name, seq, table.number)
        index.versions.change(seq, ("ONLINE",))
        self.indexes.append(index)
        table.indexes.append(index)
        return index

    def _fill(self, index: _Index, seq: int) -> None:
        """Give a new index an entry for every document that was live before the index's block.

        The data comes from the stored rows, because it is not kept in memory.  Each of these rows was compared with its
        block when that block was taken in.
        """
        for document in self.documents.values():
            if document.table.number == index.table_no and document.until_seq == LIVE:
                key = _stored_key(self._stored.data(document.doc_no, document.last_seq), index.field_name)
                if key is not None:
                    document.keys[index.number, key] = seq

    # --- revisions -------------------------------------------------------------------------------------------

    def _table_of(self, document_id: str, named: tuple[str, str] | None, seq: int) -> _Table | None:
        """The table of a document.  named: its id and name as the block says them."""
        if named is None:
            known = self.documents.get(document_id)
            return None if known is None else known.table
        table = self._by_id(named[0])
        if table is not None:
            return table
        # Table ids in a journal of the service cannot be derived.  The first document of an empty table tells the id.
        table = self._active(named[1])
        if table is None or table.has_revisions:
            return self._add_table(*named, seq)
        table.table_id = named[0]
        return table

    def _revise(self, table: _Table, revision: _Revision, seq: int) -> Row:
        document_id, version, time_ms, hash_, data, data_hash, metadata = revision
        table.has_revisions = True
        document = self.documents.get(document_id)
        if document is None:
            document = _Document(table, len(self.documents) + 1, document_id, seq, LIVE, seq)
            self.documents[document_id] = document
        else:
            self._end_keys(table, document, seq)
            if version:
                document.last_seq = max(document.last_seq, seq)
        if data is _NO_DATA:
            if data_hash is None:  # a deletion
                document.until_seq = document.last_seq = seq
        elif table.indexes:
            # Decoded, where the fold reads one field: a mistake in that reading must not be on both sides.
            value = data.value() if type(data) is _Octets else data
            for index in table.indexes:
                key = _key(value, index.field_name)
                if key is not None:
                    document.keys[index.number, key] = seq
        row = (document.doc_no, document_id, table.number, version, seq, time_ms, hash_, data, data_hash, metadata)
        return row

    def _end_keys(self, table: _Table, document: _Document, seq: int) -> None:
        used = {index.number for index in table.indexes}
        for (number, key), since in document.keys.items():
            if number in used:
                self.ended.append((number, key, seq, document.doc_no, since))
        document.keys = {}

    def take_ended(self) -> list[tuple[int, bytes, int, int, int]]:
        """Return the index entries that ended since the last call."""
        ended, self.ended = self.ended, []
        return ended


class _NoData:
    def __repr__(self) -> str:
        return "no data"


_NO_DATA: Any = _NoData()


class _Octets:
    """A value as self-contained binary: cheap to compare with a row that was written from the same octets."""

    __slots__ = ("ion", "value")

    def __init__(self, ion: bytes, value: Callable[[], IonValue]) -> None:
        self.ion = ion
        self.value = value


class _Revision(NamedTuple):
    """A revision as its block has it.  data: a value, its _Octets or _NO_DATA.  metadata: a value or its _Octets."""

    document_id: str
    version: int
    time_ms: int
    hash: bytes
    data: Any
    data_hash: bytes | None
    metadata: Any


def _revisions_of(block: Block | StoredBlock) -> dict[str, _Revision]:
    """The revisions of documents in a block, by the document's id."""
    if isinstance(block, StoredBlock):
        return {each.document_id: _stored_revision(block, each) for each in block.revisions or ()}
    found = {}
    for revision in block.revisions or ():
        if "metadata" in revision:
            metadata = revision["metadata"]
            data = revision.get("data", _NO_DATA)
            found[metadata["id"]] = _Revision(
                *(metadata["id"], metadata["version"], metadata["txTime"].epoch_ms()),
                *(revision["hash"], data, revision.get("dataHash"), metadata),
            )
    return found


def _stored_revision(block: StoredBlock, found: StoredRevision) -> _Revision:
    data: Any = _NO_DATA
    if found.has_data:
        ion = block.data(found)
        data = block.data_value(found) if ion is None else _Octets(ion, lambda: block.data_value(found))
    ion = found.metadata
    return _Revision(
        *(found.document_id, found.version, found.time_ms, found.hash, data),
        *(None if found.has_data else found.data_hash, _Octets(ion, lambda: loads(ion))),
    )


def _tables_of(block: Block | StoredBlock) -> dict[str, tuple[str, str]]:
    """Id and name of the table of each document that the block names, by the document's id."""
    if isinstance(block, StoredBlock):
        return {each: (table.table_id, table.table_name) for each, table in block.documents.items()}
    documents = (block.transaction_info or {}).get("documents", {})
    return {each: (entry["tableId"], entry["tableName"]) for each, entry in documents.items()}


def _texts_of(block: Block | StoredBlock) -> list[str]:
    if isinstance(block, StoredBlock):
        return [each.text.decode() for each in block.statements]
    return [each["statement"] for each in (block.transaction_info or {}).get("statements", ())]


def _key(document: IonValue, field_name: str) -> bytes | None:
    value = strip_annotations(document)
    return index_key(value[field_name]) if isinstance(value, dict) and field_name in value else None


def _stored_key(data: bytes | None, field_name: str) -> bytes | None:
    try:
        return None if data is None else _key(loads(data), field_name)
    except (IonError, TypeError):
        return None  # the comparison of the row with its block has reported it


# --- The comparison ------------------------------------------------------------------------------------------

_REVISION = (
    *("doc_no", "document_id", "table_no", "version", "seq", "tx_time_ms", "hash", "data", "data_hash", "metadata"),
)
_BLOCK = ("seq", "transaction_id", "timestamp_ms", "block_hash")


class LedgerAudit:
    """Audits a ledger file: its journal, its Merkle tree, and every row that queries read.

    The audit is made while ``blocks`` is read to its end; then ``report`` has the result.
    """

    def __init__(
        self,
        stored: Stored,
        source: str,
        part: Part,
        facts: Mapping[str, Any],
        digest: SavedDigest | None,
        progress: Any,
    ) -> None:
        """part: the file, as findings name it.  facts: of ``stored``.  progress: called with a number of blocks."""
        about = facts.get("import") or {}
        forms = about.get("forms", ()) if isinstance(about, dict) else ()
        name = facts.get("name")
        journal = Journal(part.strand_id, (part,), (), ledger=name if isinstance(name, str) else "")
        self.audit = Audit(source, journal, digest, types_lost="JSON" in forms)
        self._check = LedgerCheck(self.audit, stored, part)
        self._digest = digest
        self._progress = progress

    def blocks(self) -> Iterator[Block | StoredBlock]:
        """Yield every block after its checks.  Raises what ``stored`` raises."""
        self._check.file()
        for block, _ in self.audit.blocks(self._check.values()):
            self._check.block(block)
            yield block
            self._progress(1)
        self._check.finish(self._digest)

    def report(self) -> JournalReport:
        """Return the verdict.  Call it when all blocks were read."""
        return self.audit.report()

    def judged(self) -> tuple[JournalReport, SegmentVerdict]:
        """Return the report, and the verdict on the blocks, from which a follower continues."""
        return self.audit.report(), self.audit.verifier.verdict()


def audit_ledger(
    stored: Stored, source: str, part: Part, facts: Mapping[str, Any], digest: SavedDigest | None, progress: Any
) -> JournalReport:
    """Return the report on a ledger file.  The parameters: of LedgerAudit.  Raises what ``stored`` raises."""
    audit = LedgerAudit(stored, source, part, facts, digest, progress)
    for _ in audit.blocks():
        pass
    return audit.report()


_Subject = tuple[str, str, int | None]
"""Table, document and version that a finding is about."""

_NO_SUBJECT: _Subject = ("", "", None)


class LedgerCheck:
    """Reports where the rows of a ledger file differ from its blocks, as findings of an audit."""

    def __init__(self, audit: Audit, stored: Stored, part: Part) -> None:
        self._audit = audit
        self._stored = stored
        self._part = part
        self._refold = _Refold(stored)
        self._tree = TreeCheck(audit, stored.merkle_nodes)
        self._row: Row = ()
        self._address: BlockAddress | None = None
        self._revisions = 0
        self._entries: dict[int, int] = {}
        # Entries of an index that was dropped may be deleted already, so only those of other indexes are compared.
        self._used = {row[0] for row in stored.rows("index_version") if row[2] == LIVE}

    def _note(
        self,
        check: str,
        expected: object,
        found: object,
        detail: str,
        address: BlockAddress | None = None,
        subject: _Subject = _NO_SUBJECT,
    ) -> None:
        finding = Finding(check, address or self._address, _text(expected), _text(found), detail, *subject)
        self._audit.verifier.note(finding)

    def file(self) -> None:
        """Check what needs no block: SQLite's structures, and the facts."""
        for problem in self._stored.problems():
            self._note("storage", "a sound database", problem, self._part.name)
        facts, damaged = self._stored.facts()
        for key in damaged:
            self._note("storage", "JSON", "something else", f"meta, {key}")
        for key, kind in REQUIRED_FACTS.items():
            if key not in damaged and not isinstance(facts.get(key), kind):
                self._note("storage", "a value of its type", facts.get(key, "none"), f"meta, {key}")

    def values(self) -> Iterator[Reading]:
        """Yield the blocks in the form that an audit reads."""
        for row, is_sound in self._stored.blocks():
            self._row = row
            address = BlockAddress(self._part.strand_id, row[0])
            if not is_sound:
                self._note("storage", "a row that matches its checksum", "another", "block", address)
            value: Any
            try:
                value = _read(row[4])
            except (IonError, TypeError, ValueError) as error:
                value = Finding("file", address, "a block", str(error), self._part.name)
            yield self._part, value, None

    def block(self, block: Block | StoredBlock) -> None:
        """Compare a block's row, the rows of its revisions, and the index entries that it ended."""
        self._address = block.address
        seq = block.address.sequence_no
        self._tree.add(block)
        if block.address.strand_id != self._part.strand_id:
            self._note("strand", block.address.strand_id, self._part.strand_id, "meta, strand_id")
        expected = (seq, block.transaction_id, block.time_ms, block.block_hash)
        self._columns("block", _BLOCK, expected, self._row[:4], f"block {seq}")
        rows = self._refold.take(block)
        stored = self._stored.revisions(seq)
        self._revisions += len(rows)
        found = {row[0]: (row, is_sound) for row, is_sound in stored}
        for row in rows:
            self._compare_revision(row, found.pop(row[0], None))
        for row, _ in found.values():
            self._note("tables", "no revision", f"one of document {row[1]}", "revision", subject=self._subject_of(row))
        for entry in self._refold.take_ended():
            self._compare_entry(*entry)

    def _compare_revision(self, expected: Row, found: tuple[Row, bool] | None) -> None:
        name, subject = f"revision of document {expected[1]}", self._subject_of(expected)
        if found is None:
            self._note("tables", "a revision", "none", name, subject=subject)
            return
        row, is_sound = found
        if not is_sound:
            self._note("storage", "a row that matches its checksums", "another", name, subject=subject)
        self._columns("revision", _REVISION, expected, row, name, subject)

    def _subject_of(self, revision: Row) -> _Subject:
        """Return what a row of ``revision`` is about.  A stored row may name a table that is not in the journal."""
        _, document_id, table_no, version, *_ = revision
        name = next((table.name for table in self._refold.tables if table.number == table_no), "")
        return name, str(document_id), version if isinstance(version, int) else None

    def _columns(
        self,
        table: str,
        columns: Sequence[str],
        expected: Row,
        found: Row,
        name: str,
        subject: _Subject = _NO_SUBJECT,
    ) -> None:
        for column, wanted, stored in zip(columns, expected, found, strict=True):
            if column in ("data", "metadata"):
                is_same = _same_value(wanted, stored)
            else:
                is_same = wanted == stored and type(wanted) is type(stored)
            if not is_same:
                wanted = wanted.value() if type(wanted) is _Octets else wanted
                self._note("tables", wanted, stored, f"{table}.{column}, {name}", subject=subject)

    def _compare_entry(self, index_no: int, key: bytes, until_seq: int, doc_no: int, seq: int) -> None:
        if index_no not in self._used:
            return
        self._entries[index_no] = self._entries.get(index_no, 0) + 1
        found = self._stored.entry_seq(index_no, key, until_seq, doc_no)
        if found != seq:
            detail = f"index_entry, index number {index_no}, document number {doc_no}, until block {until_seq}"
            stored = "none" if found is None else found
            subject = self._subject_numbered(doc_no) if self._audit.verifier.keeps_findings else _NO_SUBJECT
            self._note("tables", f"an entry from block {seq}", stored, detail, subject=subject)

    def _subject_numbered(self, doc_no: int) -> _Subject:
        """Return what a document's number stands for.  It is looked for one by one, so ask for few."""
        documents = self._refold.documents.values()
        document = next((each for each in documents if each.doc_no == doc_no), None)
        return _NO_SUBJECT if document is None else (document.table.name, document.document_id, None)

    def finish(self, digest: SavedDigest | None) -> None:
        """Compare what is known only after the last block."""
        self._tree.finish()
        refold = self._refold
        for document in refold.documents.values():
            for (index_no, key), seq in document.keys.items():
                self._compare_entry(index_no, key, LIVE, document.doc_no, seq)
        self._compare_table(
            "document",
            ("table_no", "doc_no", "document_id", "seq", "until_seq", "last_seq"),
            [
                (d.table.number, d.doc_no, d.document_id, d.seq, d.until_seq, d.last_seq)
                for d in refold.documents.values()
            ],
        )
        self._compare_catalogue()
        self._compare_counts()
        tip = None if digest is None else digest.tip
        if tip is not None and tip.strand_id == self._part.strand_id:
            end = -1 if self._address is None else self._address.sequence_no
            if tip.sequence_no > end:
                found = "no block" if end < 0 else f"block {end} is the last"
                self._note("digest", f"block {tip.sequence_no}", found, "the digest kept is of a longer journal")

    def _compare_catalogue(self) -> None:
        tables, indexes = self._refold.tables, self._refold.indexes
        self._compare_table(
            "ledger_table", ("number", "table_id", "seq"), [(t.number, t.table_id, t.seq) for t in tables]
        )
        self._compare_table(
            "table_version",
            ("table_no", "seq", "until_seq", "name", "status"),
            [(t.number, *version[:2], *version[2]) for t in tables for version in t.versions.rows],
        )
        self._compare_table(
            "ledger_index",
            ("number", "index_id", "table_no", "field_name", "seq"),
            [(i.number, i.index_id, i.table_no, i.field_name, i.seq) for i in indexes],
        )
        self._compare_table(
            "index_version",
            ("index_no", "seq", "until_seq", "status"),
            [(i.number, *version[:2], *version[2]) for i in indexes for version in i.versions.rows],
        )

    def _compare_table(self, table: str, columns: Sequence[str], expected: list[Row]) -> None:
        """Compare all rows of a table.  Both sides are in the same order, so each row is compared with the next one."""
        stored = self._stored.rows(table)
        for number, row in enumerate(expected, 1):
            found = next(stored, None)
            if found is None:
                self._note("tables", row, "no row", table)
                return
            if found != row:
                self._columns(table, columns, row, found, f"row {number}")
        for row in stored:
            self._note("tables", "no row", row, table)

    def _compare_counts(self) -> None:
        found = self._stored.count("revision")
        if found != self._revisions:
            self._note("tables", f"{self._revisions} rows", f"{found} rows", "revision")
        known = {index.number for index in self._refold.indexes}
        for index_no, count in self._stored.entry_counts().items():
            wanted = self._entries.get(index_no, 0)
            if count != wanted and (index_no in self._used or index_no not in known):
                self._note("tables", f"{wanted} rows", f"{count} rows", f"index_entry, index number {index_no}")
        nodes = self._tree.nodes_above_leaves
        found = self._stored.count("merkle_node")
        if found != nodes:
            self._note("nodes", f"{nodes} rows", f"{found} rows", "merkle_node")


def _read(ion: Any) -> IonValue | StoredBlock:
    """The one value of a block's row.  Raises IonError, and TypeError or ValueError for what is not binary."""
    if type(ion) is bytes and ion.startswith(VERSION_MARKER):
        start, stop = value_behind(ion, 0)
        if start and stop == len(ion) and (block := read_block(ion, start)) is not None:
            return block
    return loads(ion)


def _same_value(wanted: Any, stored: Any) -> bool:
    """Whether stored binary has this value.  Values are compared, because one value has many encodings."""
    if wanted is _NO_DATA or stored is None:
        return wanted is _NO_DATA and stored is None
    if type(wanted) is _Octets:
        if stored == wanted.ion:
            return True
        wanted = wanted.value()
    try:
        return ion_equal(wanted, loads(stored))
    except (IonError, TypeError, ValueError):
        return False


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 32 else f"{len(value)} bytes"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
