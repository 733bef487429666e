"""What a statement may name: tables and indexes, as plain data.

The engine makes a Catalogue for each snapshot.  A catalogue never changes, so a plan may keep its tables and indexes.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from ...records import dataclass

TableStatus = Literal["ACTIVE", "INACTIVE"]
IndexStatus = Literal["BUILDING", "FINALIZING", "ONLINE", "FAILED", "DELETING"]

COMMITTED_PREFIX = "_ql_committed_"
RESERVED_PREFIX = "_ql_"


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index on one top-level field.  number: storage's key for it; 0 while it exists only in a transaction."""

    index_id: str
    field_name: str
    status: IndexStatus = "ONLINE"
    number: int = 0

    @property
    def expr(self) -> str:
        """As the catalogue shows it: ``[VIN]``."""
        return f"[{self.field_name}]"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table, active or dropped.  number: storage's key for it; 0 while it exists only in a transaction."""

    table_id: str
    name: str
    status: TableStatus = "ACTIVE"
    indexes: tuple[IndexInfo, ...] = ()
    number: int = 0

    def index_on(self, field_name: str) -> IndexInfo | None:
        """The index that may be used for a field (only ONLINE ones may)."""
        for index in self.indexes:
            if index.field_name == field_name and index.status == "ONLINE":
                return index
        return None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables of a ledger at one moment, in creation order."""

    tables: tuple[TableInfo, ...] = ()
    _by_name: dict[str, TableInfo] = field(init=False, repr=False, compare=False, default_factory=dict)
    _by_id: dict[str, TableInfo] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for table in self.tables:
            self._by_id[table.table_id] = table
            if table.status == "ACTIVE":
                self._by_name[table.name] = table

    def active(self, name: str) -> TableInfo | None:
        """The active table of exactly this name (names are case-sensitive)."""
        return self._by_name.get(name)

    def by_id(self, table_id: str) -> TableInfo | None:
        """The table with this id, active or dropped."""
        return self._by_id.get(table_id)

    def replace(self, table: TableInfo) -> Catalogue:
        """This catalogue with one table changed or added."""
        if table.table_id in self._by_id:
            return Catalogue(tuple(table if t.table_id == table.table_id else t for t in self.tables))
        return Catalogue((*self.tables, table))
