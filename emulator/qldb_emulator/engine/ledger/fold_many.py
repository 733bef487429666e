"""The fold for many blocks: what it does for one, for less.

Most blocks of a journal insert documents and do nothing else.  Their rows follow from the block and from the next
number of a document, so no question has to be asked between them.  Such blocks are collected, and their rows are
written together.  Every other block takes the way of ``fold.apply_block``, after those before it were written.
"""

from __future__ import annotations

from collections.abc import Callable

from ...journal.merkle import RightEdge
from ...journal.model import Block
from ...journal.stored import StoredBlock, StoredRevision
from ...partiql.planning.catalogue import Catalogue
from ...storage.batches import BatchWriter
from ...storage.rows import FirstRevision
from .fold import Applied, append_block, derive, is_ddl_stored
from .keys import key_reader

COLLECTED_BYTES = 32 * 1024  # of blocks: a processor's second-level cache holds them and their rows

_Table = tuple[int, list[tuple[int, Callable[[bytes], "bytes | None"]]]]
"""The number of a table; of its indexes the numbers, and what reads the key of a document."""


class ManyBlocks:
    """Applies the blocks of a journal in order.  Call ``settle`` after the last.

    The rows are those that ``apply_block`` writes for each block.  Nothing is marked, because there are no readers.
    """

    def __init__(self, writer: BatchWriter, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._writer = writer
        self._tables: dict[str, _Table] = {}  # of the catalogue, by id
        self._blocks: list[StoredBlock] = []  # whose documents are not written yet
        self._rows: list[FirstRevision] = []
        self._entries: list[tuple[int, bytes, int]] = []
        self._bytes = 0

    def apply(self, block: Block | StoredBlock, ion: bytes, edge: RightEdge | None) -> Applied | None:
        """Apply the next block, as apply_block does.  None: it changed nothing but documents.  Raises ApplyError."""
        append_block(self._writer, block, ion, edge)
        if type(block) is StoredBlock and self._collect(block):
            self._bytes += len(ion)
            if self._bytes >= COLLECTED_BYTES:
                self.settle()
            return None
        self.settle()
        applied = derive(self._writer, self.catalogue, block, is_marked=False)
        if applied.catalogue is not self.catalogue:
            self.catalogue = applied.catalogue
            self._tables.clear()
        return applied

    def settle(self) -> None:
        """Write the documents of the blocks that were collected."""
        if self._rows and not self._writer.insert_first_revisions(self._rows, self._entries):
            # A document's first revision came twice.  That is for the way of a single block.
            for block in self._blocks:
                derive(self._writer, self.catalogue, block, is_marked=False)
        self._blocks.clear()
        self._rows.clear()
        self._entries.clear()
        self._bytes = 0

    def _collect(self, block: StoredBlock) -> bool:
        """Collect a block that only inserts documents, or does nothing.  False for any other: it is not collected."""
        for statement in block.statements:
            if is_ddl_stored(statement.text):
                return False
        if not block.revisions:
            return True
        rows, entries = len(self._rows), len(self._entries)
        if self._collect_revisions(block, block.revisions):
            self._blocks.append(block)
            return True
        del self._rows[rows:], self._entries[entries:]
        return False

    def _collect_revisions(self, block: StoredBlock, revisions: list[StoredRevision]) -> bool:
        """Collect the rows of a block's revisions, in the order of the statements, as far as they are first ones."""
        if len(revisions) != len(block.documents):
            return False
        of_document = {revision.document_id: revision for revision in revisions}
        sequence_no = block.address.sequence_no
        for document_id, changed in block.documents.items():
            revision = of_document.get(document_id)
            table = self._tables.get(changed.table_id) or self._table(changed.table_id)
            if revision is None or revision.version or table is None:
                return False
            data = block.data(revision)
            if data is None:
                return False
            table_no, indexes = table
            for index_no, key_of in indexes:
                key = key_of(data)
                if key is not None:
                    self._entries.append((index_no, key, len(self._rows)))
            self._rows.append(
                (document_id, table_no, sequence_no, revision.time_ms, revision.hash, data, revision.metadata)
            )
        return True

    def _table(self, table_id: str) -> _Table | None:
        table = self.catalogue.by_id(table_id)
        if table is None:
            return None
        indexes = [(index.number, key_reader(index.field_name)) for index in table.indexes]
        self._tables[table_id] = found = table.number, indexes
        return found
