"""The effect of CREATE, DROP and UNDROP on a catalogue.

One function serves both the statement that a client sends and the statement text that a block carries: a block has no
other trace of DDL, so its effect must follow from the text, the transaction id and the statement's place alone.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ...errors import (
    ACTIVE_TABLES_LIMIT,
    INDEX_EXISTS,
    INDEX_FIELD_TOO_LONG,
    INDEX_LIMIT,
    INDEX_NOT_FOUND,
    TABLE_EXISTS,
    TABLE_NAME_NOT_VALID,
    TABLE_NAME_RESERVED,
    TABLE_NOT_INACTIVE,
    TOTAL_TABLES_LIMIT,
)
from ...ids import derive_id
from ...ion.hash import hash_value
from ...limits import Limits
from ...partiql.language.errors import PartiqlError
from ...partiql.planning.catalogue import RESERVED_PREFIX, Catalogue, IndexInfo, TableInfo
from ...partiql.syntax import ast
from ...records import dataclass
from .conflicts import CATALOGUE, ReadMark, name_mark, table_mark

DDL_KEYWORDS = ("CREATE", "DROP", "UNDROP")
Ddl = ast.CreateTable | ast.DropTable | ast.UndropTable | ast.CreateIndex | ast.DropIndex
DDL_NODES = (ast.CreateTable, ast.DropTable, ast.UndropTable, ast.CreateIndex, ast.DropIndex)

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class DdlEffect:
    """What one DDL statement does.

    table: the table after the statement.  index: the index created or dropped, if any.  marks: what was written.
    """

    catalogue: Catalogue
    statement: Ddl
    table: TableInfo
    index: IndexInfo | None
    marks: tuple[ReadMark, ...]

    def system_revision(self) -> bytes:
        """Return the hash-only item that represents this change among a block's revisions (journal.md 1.3)."""
        index = self.index
        return hash_value(
            {
                "tableId": self.table.table_id,
                "name": self.table.name,
                "status": self.table.status,
                "indexId": None if index is None else index.index_id,
                "expr": None if index is None else index.expr,
            }
        )


def ddl_effect(
    catalogue: Catalogue, statement: Ddl, transaction_id: str, statement_index: int, limits: Limits
) -> DdlEffect:
    """Return the effect of a DDL statement on a catalogue.  Pure.

    Raises the BadRequests for tables and indexes that exist already or do not exist, for bad names, and for limits.
    """
    match statement:
        case ast.CreateTable():
            return _create_table(catalogue, statement, derive_id(transaction_id, statement_index, "table"), limits)
        case ast.DropTable():
            table = _active_table(catalogue, statement.name, statement.pos)
            return _effect(catalogue, statement, replace(table, status="INACTIVE"), None, table_mark(table.table_id))
        case ast.UndropTable():
            return _undrop_table(catalogue, statement, limits)
        case ast.CreateIndex():
            return _create_index(catalogue, statement, derive_id(transaction_id, statement_index, "index"), limits)
        case ast.DropIndex():
            return _drop_index(catalogue, statement)


def _effect(
    catalogue: Catalogue, statement: Ddl, table: TableInfo, index: IndexInfo | None, *marks: ReadMark
) -> DdlEffect:
    written = (CATALOGUE, name_mark(table.name), *marks)
    return DdlEffect(catalogue.replace(table), statement, table, index, written)


def _active_table(catalogue: Catalogue, name: str, pos: ast.Pos) -> TableInfo:
    table = catalogue.active(name)
    if table is None:
        text = f"No such variable named '{name}'"
        raise PartiqlError("Semantic", pos, text, text)
    return table


def check_table_name(name: str, limits: Limits) -> None:
    """Raise a BadRequest if no table may have this name."""
    if not _TABLE_NAME.match(name) or len(name) > limits.table_name_characters:
        raise TABLE_NAME_NOT_VALID(name=name)
    if name.startswith(RESERVED_PREFIX):
        raise TABLE_NAME_RESERVED(name=name)


def _check_active_tables(catalogue: Catalogue, limits: Limits) -> None:
    if sum(table.status == "ACTIVE" for table in catalogue.tables) >= limits.active_tables:
        raise ACTIVE_TABLES_LIMIT(limit=limits.active_tables)


def _create_table(catalogue: Catalogue, statement: ast.CreateTable, table_id: str, limits: Limits) -> DdlEffect:
    check_table_name(statement.name, limits)
    if catalogue.active(statement.name) is not None:
        raise TABLE_EXISTS(name=statement.name)
    if len(catalogue.tables) >= limits.total_tables:
        raise TOTAL_TABLES_LIMIT(limit=limits.total_tables)
    _check_active_tables(catalogue, limits)
    return _effect(catalogue, statement, TableInfo(table_id, statement.name), None)


def _undrop_table(catalogue: Catalogue, statement: ast.UndropTable, limits: Limits) -> DdlEffect:
    table = catalogue.by_id(statement.table_id)
    if table is None or table.status == "ACTIVE":
        raise TABLE_NOT_INACTIVE(table_id=statement.table_id)
    if catalogue.active(table.name) is not None:
        raise TABLE_EXISTS(name=table.name)
    _check_active_tables(catalogue, limits)
    return _effect(catalogue, statement, replace(table, status="ACTIVE"), None, table_mark(table.table_id))


def _create_index(catalogue: Catalogue, statement: ast.CreateIndex, index_id: str, limits: Limits) -> DdlEffect:
    table = _active_table(catalogue, statement.table, statement.pos)
    if len(statement.field_name) > limits.field_name_characters:
        raise INDEX_FIELD_TOO_LONG(limit=limits.field_name_characters)
    if any(index.field_name == statement.field_name for index in table.indexes):
        raise INDEX_EXISTS(field=statement.field_name, name=table.name)
    if len(table.indexes) >= limits.indexes_per_table:
        raise INDEX_LIMIT(name=table.name, limit=limits.indexes_per_table)
    # Within its own transaction a new index cannot be used yet: BUILDING ones never are (working.catalog).
    index = IndexInfo(index_id, statement.field_name, "BUILDING")
    return _effect(catalogue, statement, replace(table, indexes=(*table.indexes, index)), index)


def _drop_index(catalogue: Catalogue, statement: ast.DropIndex) -> DdlEffect:
    table = _active_table(catalogue, statement.table, statement.pos)
    for index in table.indexes:
        if index.index_id == statement.index_id:
            rest = tuple(other for other in table.indexes if other is not index)
            return _effect(catalogue, statement, replace(table, indexes=rest), index)
    raise INDEX_NOT_FOUND(index_id=statement.index_id, name=table.name)


def is_ddl_text(text: str) -> bool:
    """Whether a statement text may be DDL: a cheap test that may say yes for other statements, but never no for DDL."""
    head = text.lstrip()
    return head[:6].upper().startswith(DDL_KEYWORDS) or head[:1] in "-/"  # a comment may precede it


def table_tags(statement: ast.CreateTable) -> dict[str, str] | None:
    """Return the tags of ``WITH (aws_tags = ...)``; None if they are not a struct of texts."""
    tags = statement.tags
    value = tags.value if isinstance(tags, ast.Literal) else None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return None
    return {str(key): str(text) for key, text in value.items()}
