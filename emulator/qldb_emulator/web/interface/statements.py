"""Statements over plain HTTP: one, several in one transaction, or within a transaction that stays open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ...errors import ADMIN_REQUEST, STATEMENT_TIME, QldbError
from ...ion.json import to_json
from ...ion.values import IonValue, struct_of
from ...partiql.language.errors import PartiqlError
from ...partiql.planning.explain import explain as plan_text
from ...partiql.planning.explain import reads
from .call import Call, Lines, Members
from .errors import error_members
from .transactions import (
    HttpTransaction,
    OpenTransactions,
    Page,
    one_transaction,
    statement_and_parameters,
)
from .values import NDJSON, encode_row

DEFAULT_ROWS = 1_000
"""Rows of one statement's answer if the request has no ``maxRows`` (ours: an answer is held in memory as a whole)."""

MAX_ROWS = 20_000
"""Rows of one statement's answer at most; more come page by page, or as lines (ours)."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Rows of one answer at most, in bytes of Ion (ours: 20,000 rows of long texts would exhaust the memory)."""

MAX_STATEMENTS = 100
"""Statements of one request (ours: a transaction changes at most 40 documents)."""

MAX_SECONDS = 30
"""The longest ``seconds`` of a request: a transaction's own time (documented: quotas)."""

FORMS = ("json", "ion-text", "ion-binary")


class Run:
    """How a request wants its statements run: how many rows, for how long, and in which form."""

    def __init__(self, call: Call) -> None:
        members = call.members
        self.max_rows = _whole(members, "maxRows", DEFAULT_ROWS, MAX_ROWS)
        self.seconds = _whole(members, "seconds", MAX_SECONDS, MAX_SECONDS)
        self.values = members.get("values", "json")
        if self.values not in FORMS:
            raise ADMIN_REQUEST(text=f"values must be one of {', '.join(FORMS)}")
        self._deadline = time.monotonic() + self.seconds
        self._bytes = 0

    def take(self, page: list[bytes], rows: list[bytes]) -> bool:
        """Add a page's rows to a statement's, as far as the request allows; whether all were added."""
        for row in page:
            if len(rows) >= self.max_rows or (self._bytes and self._bytes + len(row) > MAX_ANSWER_BYTES):
                return False
            self._bytes += len(row)
            rows.append(row)
        return True

    def check_time(self) -> None:
        """Raise STATEMENT_TIME if the request's own time is over."""
        if time.monotonic() > self._deadline:
            raise STATEMENT_TIME(seconds=self.seconds)


def run_statements(call: Call) -> Members | Lines:
    """Answer ``POST /ledgers/{ledger}/statements``: all or nothing, in a transaction of their own."""
    run, work = Run(call), _work(call)
    if call.wants_lines:
        if len(work) != 1:
            raise ADMIN_REQUEST(text=f"{NDJSON} is for one statement")
        return Lines(_lines(call, run, *work[0]), NDJSON)
    started = time.perf_counter()
    with one_transaction(call) as transaction:
        results = [_result(call, run, transaction, *each) for each in work]
        transaction.commit(call)
    about = {"transactionId": transaction.id, "milliseconds": round((time.perf_counter() - started) * 1000, 3)}
    return {**results[0], **about} if "statements" not in call.members else {"results": results, **about}


def start_transaction(call: Call, transactions: OpenTransactions) -> Members:
    """Answer ``POST /ledgers/{ledger}/transactions``."""
    transaction = transactions.start(call)
    return {"transactionId": transaction.id, "seconds": call.emulator.settings.limits.transaction_seconds}


def run_within(call: Call, transactions: OpenTransactions) -> Members:
    """Answer ``POST .../transactions/{transaction}/statements``: the rows so far, and a token for more."""
    transaction, run = transactions.find(call), Run(call)
    started = time.perf_counter()
    try:
        if "statements" in call.members:
            return {"results": [_result(call, run, transaction, *each) for each in _work(call)]}
        statement, parameters = statement_and_parameters(call.members)
        page = transaction.execute(call, statement, parameters)
    except QldbError as error:
        _forget_if_gone(error, transactions, transaction)
        raise
    return {**_page(page, run), "milliseconds": round((time.perf_counter() - started) * 1000, 3)}


def fetch_page(call: Call, transactions: OpenTransactions) -> Members:
    """Answer ``GET .../transactions/{transaction}/pages?page=``."""
    transaction = transactions.find(call)
    values = call.query.get("values", "json")
    if values not in FORMS:
        raise ADMIN_REQUEST(text=f"values must be one of {', '.join(FORMS)}")
    page = transaction.fetch(call, call.query.get("page", ""))
    return {**_counted(page), "rows": [encode_row(row, values) for row in page.rows]}  # type: ignore[arg-type]


def commit(call: Call, transactions: OpenTransactions) -> Members:
    """Answer ``POST .../transactions/{transaction}/commit``; the transaction ends in any case."""
    transaction = transactions.find(call)
    transactions.forget(transaction)
    transaction.commit(call)
    return {"transactionId": transaction.id, "committed": True}


def abort(call: Call, transactions: OpenTransactions) -> Members:
    """Answer ``DELETE .../transactions/{transaction}``."""
    transaction = transactions.find(call)
    transactions.forget(transaction)
    transaction.end(call)
    return {"transactionId": transaction.id, "committed": False}


def explain(call: Call) -> Members:
    """Answer ``POST /ledgers/{ledger}/explain``: how a statement would run, and what it would read."""
    ledger = call.ledger("SendCommand")
    _, catalogue = ledger.snapshot()
    try:
        program = ledger.statements.prepare(call.text("statement"), catalogue, ledger.limits.expression_depth)
    except PartiqlError as error:
        from ...engine.session.statements import partiql_problem

        raise partiql_problem(error) from error
    marks = reads(program.plan)
    return {
        "kind": program.kind,
        "plan": plan_text(program.plan),
        "reads": marks,
        "scans": [line for line in marks if ": a scan" in line],
        "parameters": program.parameter_count,
        "tables": sorted({table.name for _, table in program.actions if table is not None}),
    }


# --- parts ------------------------------------------------------------------------------------------------------


def _whole(members: Members, name: str, default: int, maximum: int) -> int:
    value = members.get(name, default)
    if type(value) is not int or not 1 <= value <= maximum:
        raise ADMIN_REQUEST(text=f"{name} must be a whole number from 1 to {maximum}")
    return value


def _work(call: Call) -> list[tuple[str, list[IonValue]]]:
    """Return the statements of a request, in order.  Raises ADMIN_REQUEST."""
    items = call.members.get("statements")
    if items is None:
        return [statement_and_parameters(call.members)]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_STATEMENTS:
        raise ADMIN_REQUEST(text=f"statements must be a list of 1 to {MAX_STATEMENTS} objects")
    return [statement_and_parameters(item) for item in items]


def _result(call: Call, run: Run, transaction: HttpTransaction, text: str, parameters: list[IonValue]) -> Members:
    """Return one statement's rows, up to the limits."""
    run.check_time()
    page = transaction.execute(call, text, parameters)
    rows: list[bytes] = []
    read_ios, is_whole = page.read_ios, run.take(page.rows, rows)
    while is_whole and page.next_token is not None and len(rows) < run.max_rows:
        run.check_time()
        page = transaction.fetch(call, page.next_token)
        read_ios, is_whole = read_ios + page.read_ios, run.take(page.rows, rows)
    is_truncated = page.next_token is not None or not is_whole
    return {"rows": [encode_row(row, run.values) for row in rows], "readIOs": read_ios, "truncated": is_truncated}


def _counted(page: Page) -> Members:
    return {"readIOs": page.read_ios, "nextPage": page.next_token}


def _page(page: Page, run: Run) -> Members:
    return {"rows": [encode_row(row, run.values) for row in page.rows], **_counted(page)}


def _lines(call: Call, run: Run, text: str, parameters: list[IonValue]) -> Iterator[bytes]:
    """Yield all rows of a statement, ``{"row": ...}`` each; then one line with the outcome, even if it is an error."""
    # Start before the first piece, so that an error of the statement itself is an answer with a status.
    transaction = HttpTransaction(call)
    try:
        page = transaction.execute(call, text, parameters)
    except QldbError:
        transaction.end(call)
        raise
    return _rest_of_lines(call, run, transaction, page)


def _rest_of_lines(call: Call, run: Run, transaction: HttpTransaction, page: Page) -> Iterator[bytes]:
    count = 0
    try:
        while True:
            count += len(page.rows)
            yield b"".join(_line("row", encode_row(row, run.values)) for row in page.rows)
            if page.next_token is None:
                break
            run.check_time()
            page = transaction.fetch(call, page.next_token)
        transaction.commit(call)
        yield _line("end", {"rows": count, "transactionId": transaction.id})
    except QldbError as error:
        yield _line("error", error_members(error))
    finally:
        transaction.end(call)


def _line(name: str, value: Any) -> bytes:
    return to_json(struct_of([(name, value)])).encode() + b"\n"


def _forget_if_gone(error: QldbError, transactions: OpenTransactions, transaction: HttpTransaction) -> None:
    if error.shape == "InvalidSessionException":
        transactions.forget(transaction)
