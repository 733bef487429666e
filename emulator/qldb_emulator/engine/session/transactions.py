"""One transaction: its snapshot, its reads, its writes, and the proposal for its block."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...budget import UNBOUNDED, Budget
from ...errors import (
    DIGESTS_DO_NOT_MATCH,
    DOCUMENT_NOT_STRUCT,
    DOCUMENT_TOO_DEEP,
    DOCUMENT_TOO_LARGE,
    TRANSACTION_DOCUMENTS,
    TRANSACTION_TOO_LARGE,
    QldbError,
)
from ...ion.codec import DOCUMENT_DEPTH, IonError, dumps
from ...ion.values import Document, IonValue, Timestamp, strip_annotations
from ...journal.block import ChangedDocument, ExecutedStatement, NewRevision, Redaction, TransactionResult
from ...journal.hashing import CommitDigest
from ...journal.model import BlockAddress
from ...partiql.planning.data import Change
from ..ledger.committer import Proposal
from ..ledger.conflicts import ReadMark, document_mark
from .overlay import Overlay, PendingDocument
from .sent_statement import SentStatement

if TYPE_CHECKING:
    from ..ledger.ddl import DdlEffect
    from ..ledger.ledger import Ledger
    from .cursors import Cursor


logger = logging.getLogger(__name__)

STATEMENT_HASHES_IN_HEADER = 40
"""A header must not exceed what clients accept; the log line has all of them."""


class Transaction:
    """An open transaction.  Used under its session's lock; ended by commit, abort, conflict or expiry.

    now: of the ledger's clock, monotonic.
    """

    def __init__(self, ledger: Ledger, transaction_id: str, now: float) -> None:
        self.id = transaction_id
        self.ledger = ledger
        self.started = now
        # Registered before the snapshot is taken, so that no later write is forgotten in between.
        ledger.writes.open(transaction_id, -1)
        self.snapshot, self.catalogue = ledger.snapshot()
        ledger.writes.set_snapshot(transaction_id, self.snapshot)
        self.sent: list[SentStatement] = []  # all statements, failed ones included
        self.reads: set[ReadMark] = set()
        self.overlay = Overlay()
        self.statements: list[tuple[SentStatement, Timestamp]] = []
        self.system_revisions: list[bytes] = []
        self.redactions: list[Redaction] = []
        self.cursors: dict[str, Cursor] = {}
        self.statement_bytes = 0
        self.budget: Budget = UNBOUNDED  # until a session, which knows when a statement has to end, gives it one
        self.running_since = 0.0  # time.perf_counter() when its last statement, or page of one, was begun
        self.is_over = False  # its place was given away: no clock can bring it back
        self._utc_now: Timestamp | None = None

    def utc_now(self) -> Timestamp:
        """Return the transaction's time: fixed when it is first needed (inferred: partiql.md 4.3)."""
        if self._utc_now is None:
            self._utc_now = Timestamp.from_epoch_ms(self.ledger.now_ms())
        return self._utc_now

    def has_expired(self, now: float) -> bool:
        """Whether the transaction's time is over, counted from StartTransaction, idle time included."""
        return self.is_over or now - self.started > self.ledger.limits.transaction_seconds

    @property
    def is_writing(self) -> bool:
        """Whether the block will hold more than statements."""
        return bool(self.overlay.count or self.system_revisions or self.redactions)

    def table_names(self) -> set[str]:
        """Return the tables that the transaction's statements have named so far."""
        # A copy first: another request of the session may be adding marks.
        return {str(mark[1]) for mark in tuple(self.reads) if mark[0] == "name"}

    def commit_digest(self) -> bytes:
        """Return the digest that the driver sends with the commit: over every statement sent, failed ones included."""
        digest = CommitDigest(self.id)
        for sent in self.sent:
            digest.add(sent.digest)
        return digest.value

    def record(self, sent: SentStatement, start_time: Timestamp) -> None:
        """Give a statement that took effect its place in the block."""
        self.statements.append((sent, start_time))
        self.statement_bytes += len(sent.text)

    def define(self, effect: DdlEffect) -> None:
        """Apply the effect of DDL: later statements of this transaction see it."""
        self.catalogue = effect.catalogue
        self.system_revisions.append(effect.system_revision())

    def redact(self, sequence_no: int, table_id: str, document_id: str, version: int) -> dict[str, IonValue]:
        """Note a revision for redaction at commit; the struct that says which, as row and as redactionInfo has it."""
        redaction = Redaction(BlockAddress(self.ledger.strand_id, sequence_no), table_id, document_id, version)
        self.redactions.append(redaction)
        return redaction.to_ion()

    # --- writes ------------------------------------------------------------------------------------------

    def apply(self, changes: list[Change], sent: SentStatement) -> list[str]:
        """Apply the changes of one DML statement, all or none; return the document id of each row, in order.

        Raises the BadRequests of the limits on documents and transactions, with nothing changed.
        """
        overlay = self.overlay
        if (
            len({change.document_id for change in changes if change.document_id})
            > self.ledger.limits.transaction_documents
        ):
            raise TRANSACTION_DOCUMENTS(limit=self.ledger.limits.transaction_documents)  # before any is written out
        pending = [self._pending(change, overlay, sent) for change in changes]
        self._check_transaction_limits(pending, overlay)
        writable = overlay.writable()
        for document in pending:
            writable.put(document)
            self.reads.add(document_mark(document.document_id))
        self.overlay = writable
        return [
            document.document_id for document, change in zip(pending, changes, strict=True) for _ in range(change.rows)
        ]

    def _pending(self, change: Change, overlay: Overlay, sent: SentStatement) -> PendingDocument:
        value, size_bytes, parameter = None, 0, None
        if self.budget.is_due:
            self.budget.look()
        if change.kind != "delete":
            value, size_bytes = self._checked_document(change.value)
            place = sent.place_of(change.value)
            parameter = None if place is None else (sent, place)
        writes = (len(self.statements),) * change.writes
        if change.document_id is None:
            return PendingDocument(self.ledger.ids.new_id(), change.table, value, size_bytes, -1, writes, parameter)
        before = overlay.find(change.table.table_id, change.document_id)
        if before is not None:
            base_version, writes = before.base_version, before.writes + writes
        else:
            base_version = self.ledger.live_version(change.document_id, self.snapshot)
        return PendingDocument(change.document_id, change.table, value, size_bytes, base_version, writes, parameter)

    def _checked_document(self, value: IonValue) -> tuple[IonValue, int]:
        """Return a value as a document, and its size.  A plain struct keeps its measured binary, to be stored."""
        if not isinstance(strip_annotations(value), dict):
            raise DOCUMENT_NOT_STRUCT()
        try:
            data = dumps(value, DOCUMENT_DEPTH)
        except IonError as error:
            raise DOCUMENT_TOO_DEEP(limit=DOCUMENT_DEPTH) from error
        if len(data) > self.ledger.limits.document_bytes:
            raise DOCUMENT_TOO_LARGE(size=len(data), limit=self.ledger.limits.document_bytes)
        return Document(value, data) if type(value) is dict else value, len(data)

    def _check_transaction_limits(self, pending: list[PendingDocument], overlay: Overlay) -> None:
        limits = self.ledger.limits
        known = [overlay.find(document.table.table_id, document.document_id) for document in pending]
        count = overlay.count + sum(before is None for before in known)
        if count > limits.transaction_documents:
            raise TRANSACTION_DOCUMENTS(limit=limits.transaction_documents)
        grown = sum(document.size_bytes for document in pending)
        shrunk = sum(before.size_bytes for before in known if before is not None)
        if self.statement_bytes + overlay.size_bytes + grown - shrunk > limits.transaction_bytes:
            raise TRANSACTION_TOO_LARGE(limit=limits.transaction_bytes)

    # --- commit ------------------------------------------------------------------------------------------

    def check_digest(self, received: bytes) -> None:
        """Raise DIGESTS_DO_NOT_MATCH, with the data for finding the first difference: see ``digest_problem``."""
        if received != self.commit_digest():
            raise digest_problem(self, received)

    def proposal(self) -> Proposal | None:
        """Return what to commit; None if there is nothing to validate and nothing to write.

        A transaction without a statement leaves no block, nor does one on a read-only ledger.
        """
        if self.ledger.is_read_only or not (self.reads or self.statements):
            return None
        return Proposal(self.reads, self.snapshot, self.result(), self.is_writing)

    def result(self) -> TransactionResult:
        """Return the result for the block.  A document created and deleted by the same transaction leaves no trace."""
        documents: dict[str, ChangedDocument] = {}
        revisions: list[NewRevision] = []
        for document in self.overlay.pending():
            if document.is_new and document.value is None:
                continue
            table = document.table
            documents[document.document_id] = ChangedDocument(table.name, table.table_id, document.writes)
            version = document.base_version + 1
            revisions.append(NewRevision(document.document_id, version, document.value, document.data_hash()))
        return TransactionResult(
            transaction_id=self.id,
            statements=tuple([ExecutedStatement(sent.text, time, sent.digest) for sent, time in self.statements]),
            documents=documents,
            revisions=tuple(revisions),
            system_revisions=tuple(self.system_revisions),
            redactions=tuple(self.redactions),
        )


def digest_problem(transaction: Transaction, received: bytes) -> QldbError:
    """Return ``Digests don't match`` with the data for finding the first difference: both digests, statement hashes."""
    error = DIGESTS_DO_NOT_MATCH()
    expected = transaction.commit_digest().hex()
    hashes = [sent.digest.hex() for sent in transaction.sent]
    error.debug = {
        "digest-expected": expected,
        "digest-received": received.hex(),
        "statement-hashes": ",".join(hashes[:STATEMENT_HASHES_IN_HEADER]),
    }
    logger.warning(
        "Digests don't match: transaction %s expected %s, received %s, statements in order: %s",
        transaction.id,
        expected,
        received.hex(),
        "; ".join(f"{sent.digest.hex()} {sent.text[:120]!r}" for sent in transaction.sent) or "none",
    )
    return error
