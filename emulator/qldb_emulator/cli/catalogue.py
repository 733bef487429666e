"""The catalogue of a ledger as a client sees it, and the plans that follow from it."""

from __future__ import annotations

from ..driver import LedgerSession
from ..ion.values import IonValue
from ..partiql.language.errors import PartiqlError
from ..partiql.planning import explain
from ..partiql.planning.catalogue import Catalogue, IndexInfo, TableInfo
from ..partiql.prepare import prepare
from .failure import Failure
from .shell.carets import with_caret

_QUERY = "SELECT tableId, name, indexes, status FROM information_schema.user_tables"


def read_catalogue(session: LedgerSession) -> Catalogue:
    """The ledger's tables and indexes.  Raises QldbError, UnreachableError."""
    return Catalogue(tuple(_table(row) for row in session.run(_QUERY).rows))


def _table(row: IonValue) -> TableInfo:
    assert isinstance(row, dict)
    indexes = tuple(
        IndexInfo(str(index["indexId"]), str(index["expr"])[1:-1], str(index["status"]))  # type: ignore[arg-type]
        for index in row["indexes"]
    )
    return TableInfo(str(row["tableId"]), str(row["name"]), str(row["status"]), indexes)  # type: ignore[arg-type]


def plan_text(statement: str, catalogue: Catalogue) -> str:
    """How a statement would run: the access path of every table, and what the transaction would conflict with.

    Raises Failure with the statement's mistake and its place.
    """
    try:
        found = prepare(statement, catalogue).plan
    except PartiqlError as error:
        raise Failure(with_caret(str(error), statement)) from error
    reads = [f"{'     ' if number else 'reads'} {line}" for number, line in enumerate(explain.reads(found))]
    return "\n".join([explain.explain(found), *reads])


def tables_text(catalogue: Catalogue) -> str:
    """The active tables with their indexes, a line each."""
    lines = [_line(table) for table in catalogue.tables if table.status == "ACTIVE"]
    dropped = sum(table.status != "ACTIVE" for table in catalogue.tables)
    if dropped:
        lines.append(f"({dropped} dropped)")
    return "\n".join(lines) or "no tables"


def _line(table: TableInfo) -> str:
    fields = ", ".join(index.field_name for index in table.indexes)
    return f"{table.name}  indexes: {fields}" if fields else f"{table.name}  no indexes"


def table_text(catalogue: Catalogue, name: str) -> str:
    """One table in full.  Raises Failure if there is no table of this name."""
    found = [table for table in catalogue.tables if table.name == name]
    if not found:
        names = ", ".join(table.name for table in catalogue.tables) or "no tables"
        raise Failure(f"Table {name} is not found; the ledger has {names}")
    return "\n".join(
        "\n".join(
            [
                f"{table.name}  {table.status}  {table.table_id}",
                *(f"  index on {i.field_name}  {i.status}  {i.index_id}" for i in table.indexes),
            ]
        )
        for table in found
    )
