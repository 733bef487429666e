"""Every request of the JSON interface, in one table: its handler, and its OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable

from ...records import dataclass
from . import control, documents, journal, seeds, statements, uploads
from .call import Call, Lines, Members, Raw
from .schemas import (
    BLOCK,
    BLOCKS,
    COMMITTED,
    DESCRIPTION,
    DIGEST,
    DOCUMENTS,
    EVENTS,
    EXPLANATION,
    FILLED,
    IMPORT,
    ION,
    ION_TEXT,
    LINES,
    NEW_UPLOAD,
    OCTETS,
    OPEN_TRANSACTION,
    PAGE,
    PIECE,
    PROOF,
    QUERY,
    RECEIPT,
    REMOVED,
    RESULT,
    SEARCH,
    SEED,
    STATEMENT,
    STATEMENTS,
    UPLOAD,
    VERDICT,
    VERSIONS,
    WITH_DIGEST,
    Schema,
)
from .transactions import OpenTransactions
from .uploads import Uploads
from .values import NDJSON

Handler = Callable[[Call], Members | Raw | Lines]


@dataclass(frozen=True, slots=True)
class Operation:
    """A row.  path: as Flask writes rules, below ``/_qldb``.

    name: the operationId.  query: names of rows of ``schemas.QUERY``.  body: the schema of the request, None for none.
    answer: the schema of an answer in JSON.  forms: further media types of the answer.
    """

    method: str
    path: str
    name: str
    handler: Handler
    about: str
    answer: Schema
    query: tuple[str, ...] = ()
    body: Schema | None = None
    forms: tuple[str, ...] = ()


_LEDGER = "/ledgers/<ledger>"
_TRANSACTION = f"{_LEDGER}/transactions/<transaction>"
_ION = ("text/ion", "application/ion")


def operations(transactions: OpenTransactions, files: Uploads) -> tuple[Operation, ...]:
    """Return the table.  transactions, files: what the server keeps between requests."""

    def within(handler: Callable[[Call, OpenTransactions], Members]) -> Handler:
        return lambda call: handler(call, transactions)

    def with_files(handler: Callable[[Call, Uploads], Members | Lines]) -> Handler:
        return lambda call: handler(call, files)

    return (
        Operation(
            "POST",
            f"{_LEDGER}/statements",
            "runStatements",
            statements.run_statements,
            "Run a statement, or several in one transaction, and commit.  A conflict is status 409.  With Accept "
            "application/x-ndjson all rows come as lines: {row: ...} each, then one {end: ...} or {error: ...}.",
            RESULT,
            body=STATEMENTS,
            forms=(*_ION, "application/x-ndjson"),
        ),
        Operation(
            "POST",
            f"{_LEDGER}/explain",
            "explainStatement",
            statements.explain,
            "The plan of a statement, what it scans and what its transaction would conflict with, without running it.",
            EXPLANATION,
            body=STATEMENT,
        ),
        Operation(
            "POST",
            f"{_LEDGER}/transactions",
            "startTransaction",
            within(statements.start_transaction),
            "Start a transaction that stays open.",
            OPEN_TRANSACTION,
        ),
        Operation(
            "POST",
            f"{_TRANSACTION}/statements",
            "runWithin",
            within(statements.run_within),
            "Run a statement, or several, within an open transaction; a statement's rows come a page at a time.",
            PAGE,
            body=STATEMENTS,
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_TRANSACTION}/pages",
            "fetchPage",
            within(statements.fetch_page),
            "The next page of a statement's rows.",
            PAGE,
            query=("page", "values"),
            forms=_ION,
        ),
        Operation(
            "POST",
            f"{_TRANSACTION}/commit",
            "commitTransaction",
            within(statements.commit),
            "Commit a transaction.  A conflict is status 409; the transaction is over in any case.",
            COMMITTED,
        ),
        Operation(
            "DELETE",
            _TRANSACTION,
            "abortTransaction",
            within(statements.abort),
            "Abort a transaction.",
            COMMITTED,
        ),
        Operation(
            "GET",
            _LEDGER,
            "describe",
            documents.describe,
            "A ledger: its journal's length, its tables with their indexes, and the fields of their first documents.",
            DESCRIPTION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/tables/<table>/documents",
            "listDocuments",
            documents.table_rows,
            "A table's documents as of a block or a time.",
            DOCUMENTS,
            query=("at", "time", "after", "limit", "values"),
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/documents/<document>",
            "listVersions",
            documents.document_versions,
            "A document's versions, newest first, each with its block, transaction and statements.",
            VERSIONS,
            query=("before", "limit", "values"),
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/blocks",
            "listBlocks",
            journal.list_blocks,
            "Blocks in short, newest first.",
            BLOCKS,
            query=("before", "limit"),
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/blocks/<block>",
            "getBlock",
            journal.get_block,
            "A block, whole.  In Ion binary these are the bytes that are stored.",
            BLOCK,
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/blocks/<block>/proof",
            "getProof",
            documents.proof,
            "The proof of a block, or of a document's revision in it, under the digest at a tip.",
            PROOF,
            query=("document", "tip"),
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/search",
            "search",
            journal.search,
            "Blocks that hold everything that is asked for, newest first.  One request looks for about a second and "
            "says in next where to go on.",
            SEARCH,
            query=("text", "document", "transaction", "table", "from", "to", "before", "limit"),
            forms=_ION,
        ),
        Operation(
            "GET",
            f"{_LEDGER}/tail",
            "tail",
            journal.tail,
            "Blocks in short, as they are committed: server-sent events named block.",
            EVENTS,
            query=("tailAfter",),
            forms=("text/event-stream",),
        ),
        Operation(
            "POST", f"{_LEDGER}/digest", "getDigest", documents.digest, "The ledger's digest.", DIGEST, forms=_ION
        ),
        Operation(
            "POST",
            f"{_LEDGER}/seed",
            "fillLedger",
            seeds.fill,
            "Make and fill tables: a sample that comes with the package, or those of a file's text.",
            FILLED,
            body=SEED,
        ),
        *_file_operations(with_files),
        Operation(
            "POST",
            "/ion",
            "convertIon",
            documents.convert,
            "Ion text (a member text) as Ion binary in base64, for what has no reader of Ion text.",
            ION,
            body=ION_TEXT,
        ),
    )


def _file_operations(
    with_files: Callable[[Callable[[Call, Uploads], Members | Lines]], Handler],
) -> tuple[Operation, ...]:
    return (
        Operation(
            "POST",
            "/uploads",
            "startUpload",
            with_files(uploads.start_upload),
            "Begin to upload a file, for verify or import; it comes in pieces.  With the name of the ledger to be, an "
            "import that will be refused is refused now.",
            UPLOAD,
            body=NEW_UPLOAD,
        ),
        Operation(
            "GET",
            "/uploads/<upload>",
            "describeUpload",
            with_files(uploads.describe_upload),
            "How much of a file has arrived: where the next piece begins.",
            PIECE,
        ),
        Operation(
            "PUT",
            "/uploads/<upload>",
            "addPiece",
            with_files(uploads.add_piece),
            "The next piece of a file, as the body.",
            PIECE,
            query=("offset",),
            body=OCTETS,
        ),
        Operation(
            "DELETE", "/uploads/<upload>", "removeUpload", with_files(uploads.remove_upload), "Forget a file.", REMOVED
        ),
        Operation(
            "POST",
            "/uploads/<upload>/verify",
            "verifyUpload",
            with_files(uploads.verify_upload),
            "Verify an exported journal: lines of progress, then one with the report, or with an error.",
            LINES,
            body=WITH_DIGEST,
            forms=(NDJSON,),
        ),
        Operation(
            "POST",
            "/uploads/<upload>/import",
            "importUpload",
            with_files(uploads.import_upload),
            "Verify an exported journal and make it a ledger: lines as of verify.",
            LINES,
            body=IMPORT,
            forms=(NDJSON,),
        ),
        Operation(
            "POST",
            "/verify",
            "verifyAnswer",
            uploads.verify_answer,
            "Verify a saved answer of GetRevision or GetBlock with its proof, against a digest.",
            VERDICT,
            body=RECEIPT,
        ),
    )


RUN_OPERATION = Operation(
    "POST",
    "/operations/<operation>",
    "runOperation",
    control.run_operation,
    "An operation of the control plane, with all its members in one object.",
    {},
)

assert all(name in QUERY for row in operations(OpenTransactions(), Uploads()) for name in row.query)
