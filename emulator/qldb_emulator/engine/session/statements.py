"""One statement: from its text and parameters to the cursor over its rows."""

from __future__ import annotations

import threading
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
from ...limits import KIB, MIB
from ...partiql.execution.compiler import Program, compile_plan
from ...partiql.language.errors import PartiqlError
from ...partiql.planning.catalogue import Catalogue
from ...partiql.planning.planner import plan
from ...partiql.syntax import ast
from ...partiql.syntax.parser import parse
from ...records import dataclass
from ..ledger.conflicts import CATALOGUE, name_mark
from ..ledger.ddl import DDL_NODES, ddl_effect, table_tags
from .cursors import Cursor
from .reader import StatementReader
from .redactions import redact_revision
from .sent_statement import Asked

if TYPE_CHECKING:
    from .transactions import Transaction

TAG_KEY_CHARACTERS = 128
TAG_VALUE_CHARACTERS = 256
RESERVED_TAG_PREFIX = "aws:"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement text made ready against one catalogue."""

    catalogue: Catalogue
    program: Program


class StatementCache:
    """Prepared statements by text.  One per ledger; bounded in bytes; shared by all sessions.

    An application has tens of texts, not thousands, unless it writes values into them; those must not fill the memory.
    The oldest texts make way for new ones.
    """

    MAX_BYTES = 16 * MIB
    MAX_TEXT_CHARACTERS = 4_000
    # A program keeps its tree, plan and closures.  Measured on Python 3.11: 140 to 420 bytes a character of its text.
    PROGRAM_BYTES = 4 * KIB
    CHARACTER_BYTES = 420

    def __init__(self) -> None:
        self._prepared: dict[str, Prepared] = {}
        self._bytes = 0
        self._lock = threading.Lock()  # only to remember: looking up needs none

    def prepare(self, text: str, catalogue: Catalogue, max_depth: int) -> Program:
        """The program of a text under a catalogue.  Raises PartiqlError."""
        prepared = self._prepared.get(text)
        if prepared is not None and prepared.catalogue is catalogue:
            return prepared.program
        program = compile_plan(plan(parse(text, max_depth), catalogue))
        self._remember(text, Prepared(catalogue, program))
        return program

    def _remember(self, text: str, prepared: Prepared) -> None:
        if len(text) > self.MAX_TEXT_CHARACTERS:
            return
        with self._lock:
            if text not in self._prepared:
                self._bytes += self.size_of(text)
            self._prepared[text] = prepared
            while self._bytes > self.MAX_BYTES:
                oldest = next(iter(self._prepared))
                del self._prepared[oldest]
                self._bytes -= self.size_of(oldest)

    @classmethod
    def size_of(cls, text: str) -> int:
        """About how many bytes the program of a text takes, at most."""
        return cls.PROGRAM_BYTES + cls.CHARACTER_BYTES * len(text)


def execute_statement(transaction: Transaction, text: str, holders: Sequence[dict[str, Any]]) -> Cursor:
    """Run a statement in an open transaction; the first page of the cursor is already evaluated.

    holders: value holders, ``{"IonBinary": bytes}`` or ``{"IonText": str}``.  A statement that fails leaves the
    transaction as it was, but for the commit digest: drivers add a statement before they know its fate (wire.md 2.4).
    Raises QldbError.
    """
    ledger = transaction.ledger
    transaction.program = None
    if len(text) > ledger.limits.statement_characters:
        raise STATEMENT_TOO_LONG(length=len(text), limit=ledger.limits.statement_characters)
    parameters = [_parameter(number, holder) for number, holder in enumerate(holders, 1)]
    asked = Asked(text, parameters)
    transaction.asked.append(asked)
    start_time = Timestamp.from_epoch_ms(ledger.now_ms())
    try:
        program = ledger.statements.prepare(text, transaction.catalogue, ledger.limits.expression_depth)
        transaction.program = program
        if transaction.permit is not None:
            transaction.permit.check_program(program)
        if program.kind != "query" and ledger.is_read_only:
            raise LEDGER_READ_ONLY(name=ledger.name)
        if program.parameter_count != len(parameters):
            raise PARAMETER_COUNT(expected=program.parameter_count, given=len(parameters))
        transaction.reads.update(name_mark(table.name) for _, table in program.actions if table is not None)
        cursor = _run(transaction, program, parameters, asked)
        cursor.page(None)
    except (PartiqlError, QldbError) as error:
        # That a table is not there, or there already, was seen: who commits with that must not have missed any DDL.
        transaction.reads.add(CATALOGUE)
        raise (partiql_problem(error) if isinstance(error, PartiqlError) else error) from error
    except RecursionError as error:  # values that statements nest in each other have no bound of their own
        raise RESULT_TOO_DEEP(reason=TOO_DEEP) from error
    transaction.record(asked, start_time)
    return cursor


def statement_tables(transaction: Transaction, text: str) -> set[str]:
    """The names of the tables that a statement uses; none for a text that is no statement."""
    try:
        program = transaction.ledger.statements.prepare(
            text, transaction.catalogue, transaction.ledger.limits.expression_depth
        )
    except PartiqlError:
        return set()
    return {table.name for _, table in program.actions if table is not None}


def partiql_problem(error: PartiqlError) -> Exception:
    """The BadRequest that carries a PartiQL error."""
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


def _run(transaction: Transaction, program: Program, parameters: list[IonValue], asked: Asked) -> Cursor:
    reader = StatementReader(transaction)
    rows: Iterator[IonValue]
    if program.kind == "query":
        transaction.overlay.shared = True  # the cursor may outlive later statements that write
        rows = program.rows(parameters, reader)
    elif program.kind == "dml":
        ids = transaction.apply(program.changes(parameters, reader), asked)
        rows = iter([{"documentId": document_id} for document_id in ids])
    elif program.kind == "ddl":
        rows = iter([_define(transaction, program.statement)])
    else:
        rows = iter([redact_revision(transaction, program.name, program.arguments(parameters, reader))])
    return Cursor(rows, reader, transaction.ledger.limits, transaction.ledger.ids.new_token)


def _define(transaction: Transaction, statement: ast.Statement) -> dict[str, IonValue]:
    """Run a DDL statement.  Its row is the table's id, also for indexes (recalled: partiql.md 2.1)."""
    assert isinstance(statement, DDL_NODES)
    if isinstance(statement, ast.CreateTable) and statement.tags is not None:
        if transaction.ledger.permissions_mode != "STANDARD":
            raise TABLE_TAGS_ALLOW_ALL()
        if transaction.permit is not None:
            transaction.permit.check_tags()
        _check_tags(table_tags(statement), transaction.ledger.limits.tags_per_resource)
    effect = ddl_effect(
        transaction.catalogue, statement, transaction.id, len(transaction.statements), transaction.ledger.limits
    )
    transaction.define(effect)
    # Whether a name is free and how many tables there are was read, too.
    transaction.reads.update((CATALOGUE, name_mark(effect.table.name)))
    return {"tableId": effect.table.table_id}


def _check_tags(tags: dict[str, str] | None, limit: int) -> None:
    """Raises TABLE_TAGS_NOT_VALID for what TagResource would refuse (its model; documented: tagging)."""
    if tags is None:
        raise TABLE_TAGS_NOT_VALID(reason="it must be a struct of strings")
    if len(tags) > limit:
        raise TABLE_TAGS_NOT_VALID(reason=f"it has more than {limit} tags")
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY_CHARACTERS or len(value) > TAG_VALUE_CHARACTERS:
            reason = f"a key has 1 to {TAG_KEY_CHARACTERS} characters, a value at most {TAG_VALUE_CHARACTERS}"
            raise TABLE_TAGS_NOT_VALID(reason=reason)
        if key.lower().startswith(RESERVED_TAG_PREFIX):
            raise TABLE_TAGS_NOT_VALID(reason=f"keys that begin with {RESERVED_TAG_PREFIX} are reserved")
