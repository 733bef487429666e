"""A transaction's own writes, held in memory until its block is built.

An :class:`Overlay` never changes while a cursor reads it: a statement that writes copies one that is in use
(``shared``), so an open cursor still sees the state in which its statement ran.
"""

from __future__ import annotations

from dataclasses import field

from ...ion.values import IonValue
from ...partiql.planning.catalogue import TableInfo
from ...records import dataclass
from .sent_statement import Place, SentStatement


@dataclass(slots=True)
class PendingDocument:
    """What a transaction will do to one document.

    value: the new document; None when it is deleted.  base_version: version of the revision it replaces, -1 for a new
    document.  writes: indexes of the statements that wrote it, one per write operation (recorded: ``[1,2,2]`` for an
    insert and an update with two assignments).  parameter: which parameter of its statement the value is, or is an
    element of.
    """

    document_id: str
    table: TableInfo
    value: IonValue | None
    size_bytes: int
    base_version: int
    writes: tuple[int, ...] = ()
    parameter: tuple[SentStatement, Place] | None = None

    def data_hash(self) -> bytes | None:
        """Return the value's Ion hash, if the statement's digest needs it as well."""
        if self.parameter is None:
            return None
        sent, place = self.parameter
        return sent.hash_at(place)

    @property
    def is_new(self) -> bool:
        """Whether no committed revision of the document exists."""
        return self.base_version < 0


@dataclass(slots=True)
class Overlay:
    """Pending documents, by table id, then by document id, in the order of their first write."""

    tables: dict[str, dict[str, PendingDocument]] = field(default_factory=dict)
    count: int = 0
    size_bytes: int = 0
    shared: bool = False

    def of_table(self, table_id: str) -> dict[str, PendingDocument]:
        """Return the pending documents of a table; empty if it has no pending document."""
        return self.tables.get(table_id, _NOTHING)

    def find(self, table_id: str, document_id: str) -> PendingDocument | None:
        """Return one pending document."""
        return self.of_table(table_id).get(document_id)

    def writable(self) -> Overlay:
        """Return an overlay that may be changed: this one, or a copy if a cursor reads this one."""
        if not self.shared:
            return self
        return Overlay({table: dict(rows) for table, rows in self.tables.items()}, self.count, self.size_bytes)

    def put(self, pending: PendingDocument) -> None:
        """Record the new state of a document."""
        rows = self.tables.setdefault(pending.table.table_id, {})
        before = rows.get(pending.document_id)
        self.count += before is None
        self.size_bytes += pending.size_bytes - (before.size_bytes if before is not None else 0)
        rows[pending.document_id] = pending

    def pending(self) -> list[PendingDocument]:
        """Return every pending document."""
        return [document for rows in self.tables.values() for document in rows.values()]


_NOTHING: dict[str, PendingDocument] = {}
