"""Inserts documents into a table, in transactions that fit QLDB's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from ..driver import LedgerSession, OpenTransaction
from ..errors import QldbError
from ..ion.codec import dumps
from ..ion.values import IonValue
from ..limits import STRICT
from .records import Record, RecordsError

# Bytes of Ion binary.  Documents of one statement are one list, and a list has its own header and symbol table: each
# document was measured with both, so their sum is more than the list takes.
STATEMENT_BYTES = STRICT.parameter_binary_bytes
# The service counted more than the documents (statements, revisions), so a quarter of its limit stays free.
TRANSACTION_BYTES = STRICT.transaction_bytes * 3 // 4


class Loaded(NamedTuple):
    """What has been committed.  done: bytes of the file that were read."""

    documents: int
    done: int


class LoadError(Exception):
    """A document was refused.  The text names its place.  documents: how many are in the table already."""

    def __init__(self, text: str, documents: int) -> None:
        super().__init__(text)
        self.documents = documents


def batches(records: Iterable[Record]) -> Iterator[list[list[Record]]]:
    """Yield transactions, each a list of statements, each a list of documents.  Raises RecordsError for a large one."""
    transaction: list[list[Record]] = []
    documents = transaction_bytes = statement_bytes = 0
    for record in records:
        size = len(dumps(record.value))
        if size > STRICT.document_bytes:
            text = f"{size:,} bytes of Ion; a document has at most {STRICT.document_bytes:,}"
            raise RecordsError(f"{record.place}: {text}")
        is_full = documents == STRICT.transaction_documents or transaction_bytes + size > TRANSACTION_BYTES
        if transaction and is_full:
            yield transaction
            transaction, documents, transaction_bytes = [], 0, 0
        if not transaction or statement_bytes + size > STATEMENT_BYTES:
            transaction.append([])
            statement_bytes = 0
        transaction[-1].append(record)
        documents += 1
        transaction_bytes += size
        statement_bytes += size
    if transaction:
        yield transaction


def load_records(
    session: LedgerSession, table: str, records: Iterable[Record], told: Callable[[Loaded], None] | None = None
) -> int:
    """Insert records; return how many.  told: called after each transaction.

    Raises LoadError, which says what is in the table already; OSError.
    """
    statement = f'INSERT INTO "{_escaped(table)}" ?'
    count = 0
    try:
        for transaction in batches(records):
            session.execute(partial(_insert, statement, transaction))
            count += sum(map(len, transaction))
            if told is not None:
                told(Loaded(count, transaction[-1][-1].done))
    except RecordsError as error:
        raise LoadError(str(error), count) from error
    except QldbError as error:
        first, last = transaction[0][0].place, transaction[-1][-1].place
        raise LoadError(f"{first} to {last}: {error.message}", count) from error
    return count


def _insert(statement: str, parts: list[list[Record]], transaction: OpenTransaction) -> None:
    for part in parts:
        documents: IonValue = [record.value for record in part]
        transaction.execute(statement, documents)


def _escaped(table: str) -> str:
    return table.replace('"', '""')


def create_missing_table(session: LedgerSession, table: str) -> bool:
    """Create the table unless it exists; return whether it was created.  Raises QldbError."""
    query = "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'"
    if table in map(str, session.run(query).rows):
        return False
    session.run(f'CREATE TABLE "{_escaped(table)}"')
    return True
