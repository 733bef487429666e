"""Spans of statements, plans and commits, for OpenTelemetry.

==========  ==============================  =====================================================================
span        around                          attributes
==========  ==============================  =====================================================================
statement   ExecuteStatement                ``db.system.name``, ``db.namespace`` (the ledger), ``db.query.text`` (with
                                            the question marks, never the parameters), ``qldb.transaction_id``,
                                            ``qldb.read_ios``
plan        parsing, planning, compiling    ``qldb.statement_cache``: hit or miss; a child of statement
commit      CommitTransaction               ``db.namespace``, ``qldb.transaction_id``
==========  ==============================  =====================================================================

What fails has the status ERROR, the error's name as ``error.type``, and the exception as an event.

Without traces nothing here is imported: the spans are laid around commands and caches of one emulator by ``trace``, so
a server without them pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...errors import QldbError
from ...partiql.prepare import StatementCache

if TYPE_CHECKING:
    from ...context import CommandResult
    from ...partiql.execution.compiler import Program
    from ...partiql.planning.catalogue import Catalogue
    from ..emulator import Emulator
    from ..ledger.ledger import Ledger
    from ..session.sessions import Command, Members, Session

SYSTEM = "amazon.qldb"


def trace(emulator: Emulator, tracer: Any) -> None:
    """Make spans of what an emulator does from now on.  tracer: OpenTelemetry's.  Call it before requests come."""
    emulator.sessions.wrap("ExecuteStatement", lambda command: _statement(command, tracer))
    emulator.sessions.wrap("CommitTransaction", lambda command: _commit(command, tracer))
    opened = emulator.ledgers.on_open

    def on_open(ledger: Ledger) -> None:
        ledger.statements = TracedStatements(tracer)
        opened(ledger)

    emulator.ledgers.on_open = on_open


class TracedStatements(StatementCache):
    """A cache that makes a span of each text that is made ready."""

    def __init__(self, tracer: Any) -> None:
        super().__init__()
        self._tracer = tracer

    def emptied(self) -> TracedStatements:
        """As StatementCache has it."""
        return TracedStatements(self._tracer)

    def prepare(self, text: str, catalogue: Catalogue, max_depth: int) -> Program:
        """As StatementCache has it."""
        with self._tracer.start_as_current_span("plan") as span:
            is_known = self.has(text, catalogue)
            span.set_attribute("qldb.statement_cache", "hit" if is_known else "miss")
            return super().prepare(text, catalogue, max_depth)


def _statement(command: Command, tracer: Any) -> Command:
    def traced(session: Session, now: float, members: Members) -> CommandResult:
        attributes = {"db.query.text": members["Statement"], "qldb.transaction_id": members["TransactionId"]}
        with _span(tracer, "statement", session, attributes) as span:
            result = command(session, now, members)
            span.set_attribute("qldb.read_ios", result.members["ConsumedIOs"]["ReadIOs"])
            return result

    return traced


def _commit(command: Command, tracer: Any) -> Command:
    def traced(session: Session, now: float, members: Members) -> CommandResult:
        session.can_hold_answer = False  # the wait for the disk belongs to the span
        with _span(tracer, "commit", session, {"qldb.transaction_id": members["TransactionId"]}):
            return command(session, now, members)

    return traced


@contextmanager
def _span(tracer: Any, name: str, session: Session, attributes: dict[str, str]) -> Iterator[Any]:
    system = {"db.system.name": SYSTEM, "db.namespace": session.ledger.name}
    with tracer.start_as_current_span(name, attributes=system | attributes) as span:
        try:
            yield span
        except QldbError as error:
            span.set_attribute("error.type", error.shape)
            raise
