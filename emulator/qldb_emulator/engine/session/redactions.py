"""EXEC REDACT_REVISION: the rules of a redaction (documented: ql-stored-procedures.redact_revision)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import (
    NO_SUCH_PROCEDURE,
    REDACTION_ACTIVE,
    REDACTION_ARGUMENTS,
    REDACTION_LIMIT,
    REDACTION_NOT_FOUND,
    REDACTION_TWICE,
    REDACTION_UNPROVED,
)
from ...ion.codec import loads
from ...ion.hash import hash_value
from ...ion.values import IonValue, strip_annotations
from ...journal.hashing import revision_hash_of
from ..ledger.conflicts import document_mark

if TYPE_CHECKING:
    from .permissions import Permit
    from .transactions import Transaction

PROCEDURE = "redact_revision"


def redact_revision(
    transaction: Transaction, name: str, arguments: Sequence[IonValue], permit: Permit | None
) -> dict[str, IonValue]:
    """Note a revision for redaction at commit, and return the row that says which.

    Raises the BadRequests of a wrong call, of a revision that does not exist, is still active or is redacted already,
    and of more redactions than a transaction may have.
    """
    if name != PROCEDURE:
        raise NO_SUCH_PROCEDURE(name=name)
    sequence_no, table_id, document_id = _arguments(transaction, arguments)
    if permit is not None:
        permit.check_redaction(table_id)
    limit = transaction.ledger.limits.transaction_redactions
    if len(transaction.redactions) >= limit:
        raise REDACTION_LIMIT(limit=limit)
    file = transaction.ledger.documents
    table = transaction.catalogue.by_id(table_id)
    rows = file.block_revisions(sequence_no) if sequence_no <= transaction.snapshot else []
    row = next(
        (r for r in rows if r.document_id == document_id and table is not None and r.table_no == table.number), None
    )
    if row is None:
        raise REDACTION_NOT_FOUND(document_id=document_id, table_id=table_id, sequence_no=sequence_no)
    transaction.reads.add(document_mark(document_id))
    if row.data_hash is not None:
        raise REDACTION_TWICE(document_id=document_id, sequence_no=sequence_no)
    live = file.revision_at(row.doc_no, transaction.snapshot)
    if row.data is None or (live is not None and live.seq == row.seq):
        # A deletion's own revision has nothing to redact, and is the document's last.
        raise REDACTION_ACTIVE(document_id=document_id, sequence_no=sequence_no)
    if revision_hash_of(loads(row.metadata), hash_value(loads(row.data))) != row.hash:
        raise REDACTION_UNPROVED(document_id=document_id, sequence_no=sequence_no)
    return transaction.redact(sequence_no, table_id, document_id, row.version)


def _arguments(transaction: Transaction, arguments: Sequence[IonValue]) -> tuple[int, str, str]:
    if len(arguments) != 3:
        raise REDACTION_ARGUMENTS(reason=f"{len(arguments)} arguments were given")
    address, table_id, document_id = (strip_annotations(argument) for argument in arguments)
    if not isinstance(address, dict):
        raise REDACTION_ARGUMENTS(reason="the block address is not a struct")
    strand_id, sequence_no = (strip_annotations(address.get(name)) for name in ("strandId", "sequenceNo"))
    if not isinstance(strand_id, str) or type(sequence_no) is not int or sequence_no < 0:
        raise REDACTION_ARGUMENTS(reason="the block address has no strandId and sequenceNo")
    if strand_id != transaction.ledger.strand_id:
        raise REDACTION_ARGUMENTS(reason="the strand id is not this ledger's")
    if not isinstance(table_id, str) or not isinstance(document_id, str):
        raise REDACTION_ARGUMENTS(reason="the table id and the document id must be strings")
    return sequence_no, str(table_id), str(document_id)
