"""A statement, from top to bottom: from its text and parameters to the first page of its rows.

::

    text ─► sent (counts for the digest) ─► prepared ─► checked ─► run over a reader ─► cursor ─► page

The reader (``session.reader``) records marks for everything that is read; the commit validates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import (
    LEDGER_READ_ONLY,
    PARAMETER_COUNT,
    PARAMETER_NOT_ION,
    PARTIQL_ERROR,
    RESULT_TOO_DEEP,
    STATEMENT_TOO_LONG,
    TABLE_TAGS_ALLOW_ALL,
    TABLE_TAGS_NOT_VALID,
    QldbError,
)
from ...ion.codec import DOCUMENT_DEPTH, TOO_DEEP, IonError, loads
from ...ion.values import IonValue, Timestamp
from ...partiql.execution.compiler import Program
from ...partiql.language.errors import PartiqlError
from ...partiql.syntax import ast
from ..ledger.conflicts import CATALOGUE, name_mark
from ..ledger.ddl import DDL_NODES, ddl_effect, table_tags
from ..ledger.tags import tags_problem
from .cursors import Cursor, Page
from .reader import StatementReader
from .redactions import redact_revision
from .sent_statement import SentStatement

if TYPE_CHECKING:
    from .permissions import Permit
    from .transactions import Transaction


class Execution:
    """One statement of a transaction, from its text to the first page of its rows.

    permit: what the transaction may do; None for everything.  sent: the statement, once its parameters are read.
    program: once it is prepared.
    """

    __slots__ = ("_permit", "_transaction", "program", "sent")

    def __init__(self, transaction: Transaction, permit: Permit | None) -> None:
        self._transaction = transaction
        self._permit = permit
        self.sent: SentStatement | None = None
        self.program: Program | None = None

    def run(self, text: str, holders: Sequence[dict[str, Any]]) -> tuple[Cursor, Page]:
        """Run a statement; return its cursor, and the cursor's first page.

        holders: value holders, ``{"IonBinary": bytes}`` or ``{"IonText": str}``.  A statement that fails leaves the
        transaction as it was, except for the commit digest: drivers add a statement before they know whether it fails
        (wire.md 2.4).  Raises QldbError.
        """
        transaction, limits = self._transaction, self._transaction.ledger.limits
        if len(text) > limits.statement_characters:
            raise STATEMENT_TOO_LONG(length=len(text), limit=limits.statement_characters)
        parameters = [_parameter(number, holder) for number, holder in enumerate(holders, 1)]
        # From here on the statement counts for the commit digest, even if it fails.
        sent = self.sent = SentStatement(text, parameters)
        transaction.sent.append(sent)
        start_time = Timestamp.from_epoch_ms(transaction.ledger.now_ms())
        try:
            # Parsed, planned and compiled; or found in the cache, if the catalogue is still the same.
            program = self.program = transaction.ledger.statements.prepare(
                text, transaction.catalogue, limits.expression_depth
            )
            self._check(program, parameters)
            # The meaning of its names was read: DDL that changes it is a conflict.
            transaction.reads.update([name_mark(table.name) for _, table in program.actions if table is not None])
            cursor = self._cursor(program, parameters, sent)
            # Rows are pulled from the reader a page at a time; an error in the first page is the statement's.
            page = cursor.page(None)
        except (PartiqlError, QldbError) as error:
            # The error shows that a table exists or does not: a commit that depends on it conflicts with any DDL.
            transaction.reads.add(CATALOGUE)
            raise (partiql_problem(error) if isinstance(error, PartiqlError) else error) from error
        except RecursionError as error:  # statements can nest values in each other without a depth limit
            raise RESULT_TOO_DEEP(reason=TOO_DEEP) from error
        transaction.record(sent, start_time)
        return cursor, page

    def _check(self, program: Program, parameters: list[IonValue]) -> None:
        """Raise the error of a statement that may not run: permissions, read-only ledgers, parameters."""
        if self._permit is not None:
            self._permit.check_program(program)
        ledger = self._transaction.ledger
        if program.kind != "query" and ledger.is_read_only:
            raise LEDGER_READ_ONLY(name=ledger.name)
        if program.parameter_count != len(parameters):
            raise PARAMETER_COUNT(expected=program.parameter_count, given=len(parameters))

    def _cursor(self, program: Program, parameters: list[IonValue], sent: SentStatement) -> Cursor:
        """Run the statement, but do not read the rows of a query; return a cursor over its rows."""
        transaction = self._transaction
        ledger, budget = transaction.ledger, transaction.budget
        reader = StatementReader(transaction)
        rows: Iterator[IonValue]
        if program.kind == "query":
            transaction.overlay.shared = True  # the cursor may outlive later statements that write
            rows = program.rows(parameters, reader, budget)
        elif program.kind == "dml":
            ids = transaction.apply(program.changes(parameters, reader, budget), sent)
            rows = iter([{"documentId": document_id} for document_id in ids])
        elif program.kind == "ddl":
            rows = iter([define(transaction, program.statement, self._permit)])
        else:
            arguments = program.arguments(parameters, reader, budget)
            rows = iter([redact_revision(transaction, program.name, arguments, self._permit)])
        return Cursor(rows, reader, ledger.limits, ledger.ids.new_token, budget)


def statement_tables(transaction: Transaction, text: str) -> set[str]:
    """Return the names of the tables that a statement uses; none if the text is not a statement."""
    try:
        program = transaction.ledger.statements.prepare(
            text, transaction.catalogue, transaction.ledger.limits.expression_depth
        )
    except PartiqlError:
        return set()
    return {table.name for _, table in program.actions if table is not None}


def partiql_problem(error: PartiqlError) -> Exception:
    """Return the BadRequest that carries a PartiQL error."""
    return PARTIQL_ERROR(text=str(error), code=error.code)


def _parameter(number: int, holder: dict[str, Any]) -> IonValue:
    data = holder.get("IonBinary")
    if data is None:
        data = holder.get("IonText")
    if data is None:
        raise PARAMETER_NOT_ION(number=number, reason="neither IonBinary nor IonText is given")
    try:
        return loads(data, DOCUMENT_DEPTH)
    except IonError as error:
        raise PARAMETER_NOT_ION(number=number, reason=error) from error


def define(transaction: Transaction, statement: ast.Statement, permit: Permit | None) -> dict[str, IonValue]:
    """Run a DDL statement.  Its row is the table's id, also for indexes (recalled: partiql.md 2.1)."""
    assert isinstance(statement, DDL_NODES)
    ledger = transaction.ledger
    if isinstance(statement, ast.CreateTable) and statement.tags is not None:
        if ledger.permissions_mode != "STANDARD":
            raise TABLE_TAGS_ALLOW_ALL()
        if permit is not None:
            permit.check_tags()
        tags = table_tags(statement)
        limit = ledger.limits.tags_per_resource
        problem = "it must be a struct of strings" if tags is None else tags_problem(tags, limit)
        if problem is not None:
            raise TABLE_TAGS_NOT_VALID(reason=problem)
    effect = ddl_effect(transaction.catalogue, statement, transaction.id, len(transaction.statements), ledger.limits)
    transaction.define(effect)
    # The statement also read which names are free and how many tables there are.
    transaction.reads.update((CATALOGUE, name_mark(effect.table.name)))
    return {"tableId": effect.table.table_id}
