"""Every error the emulator answers with, as data.

A row of the tables below is a :class:`Problem`; calling it makes the exception to raise::

    raise NO_OPEN_TRANSACTION()
    raise LEDGER_NOT_FOUND(name="cars")

Nothing here knows HTTP: the status comes from the service model, the encoding from ``wire``.

Exceptions::

    QldbError               one error of the service, ready for the wire
      partiql.errors.PartiqlError is turned into a BadRequest by the engine
    ConnectionDropped       no answer at all, because a fault rule says so
      ClientGone              or because the client is gone
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from .records import dataclass

Source = Literal["recorded", "documented", "driver test", "sample", "inferred", "ours"]


class ConnectionDropped(Exception):
    """The client gets no answer: the connection closes.  A fault rule asks for this."""


class ClientGone(ConnectionDropped):
    """The client closed its connection while its statement was running, so no answer can reach it."""


class QldbError(Exception):
    """One error of the service.

    shape: name of the error shape in the service model.
    message: the text a client sees.
    members: further members of the shape (``Code``, ``ResourceName`` ...).
    debug: name to text, explains the error to a developer; sent as ``x-qldb-emulator-NAME`` headers and logged.
    """

    def __init__(self, shape: str, message: str, members: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.shape = shape
        self.message = message
        self.members: dict[str, Any] = members or {}
        self.debug: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of the error table.

    text: a ``str.format`` template.  members: templates of further members, filled from the same values.
    source: how the text is known; ``evidence`` says where.
    """

    shape: str
    text: str
    source: Source
    evidence: str = ""
    members: dict[str, str] = field(default_factory=dict)

    def __call__(self, **values: object) -> QldbError:
        return QldbError(
            self.shape,
            self.text.format(**values),
            {name: template.format(**values) for name, template in self.members.items()},
        )


_LEDGER = {"ResourceType": "Ledger", "ResourceName": "{name}"}

# --- Session API -------------------------------------------------------------------------------------------
BAD_REQUEST = Problem("BadRequestException", "{text}", "ours", "carries a text made elsewhere")
PARTIQL_ERROR = Problem(
    "BadRequestException", "{text}", "recorded", "driver-go tests; qldb-shell #174", {"Code": "{code}"}
)
COMMAND_COUNT = Problem(
    "BadRequestException", "Exactly one command must be given, but the request has {count}", "inferred", "wire.md 2.2"
)
SESSION_LEDGER_NOT_FOUND = Problem(
    "BadRequestException",
    "The Ledger with name {name} is not found{elsewhere}",
    "inferred",
    "class: driver tests; wire.md 7 #1",
)
SESSION_LEDGER_NOT_ACTIVE = Problem(
    "BadRequestException", "The Ledger with name {name} is not active: its state is {state}", "inferred", "wire.md 2.5"
)
SESSION_TOKEN_MISSING = Problem(
    "BadRequestException", "The parameter SessionToken is required", "inferred", "wire.md 2.2"
)
SESSION_TOKEN_NOT_VALID = Problem(
    "BadRequestException", "The parameter SessionToken is not valid", "recorded", "driver-nodejs #51"
)
NO_SUCH_SESSION = Problem("InvalidSessionException", "No such session", "documented", "driver-errors")
SESSION_EXPIRED = Problem("InvalidSessionException", "Session {id} has expired", "documented", "driver-errors")
TRANSACTION_EXPIRED = Problem("InvalidSessionException", "Transaction {id} has expired", "documented", "driver-errors")
NO_OPEN_TRANSACTION = Problem("BadRequestException", "No open transaction", "recorded", "driver-nodejs #40")
TRANSACTION_ALREADY_OPEN = Problem("BadRequestException", "Transaction already open", "recorded", "qldb-shell #73")
DIGESTS_DO_NOT_MATCH = Problem(
    "BadRequestException", "Digests don't match", "recorded", "driver-nodejs #30; Code: ion-go #173", {"Code": "412"}
)
OCC_CONFLICT = Problem(
    "OccConflictException",
    "Optimistic concurrency control (OCC) failure encountered while committing the transaction",
    "recorded",
    "qldb-guide",
)
PAGE_TOKEN_NOT_VALID = Problem(
    "BadRequestException", "The parameter NextPageToken is not valid", "inferred", "wire.md 2.7"
)
PARAMETER_COUNT = Problem(
    "BadRequestException",
    "Query expects {expected} parameters, but statement has {given}",
    "recorded",
    "driver-python #13",
)
PARAMETER_NOT_ION = Problem(
    "BadRequestException", "Parameter {number} is not a valid Ion value: {reason}", "inferred", "wire.md 2.2"
)
STATEMENT_TOO_LONG = Problem(
    "BadRequestException",
    "The statement has {length} characters, more than the maximum of {limit}",
    "inferred",
    "partiql.md 6",
)
STATEMENT_TOO_LARGE = Problem(
    "BadRequestException",
    "The statement needs more than {limit} bytes of memory for its intermediate results",
    "ours",
    "limits.statement_memory_bytes",
)
TABLE_EXISTS = Problem(
    "BadRequestException", "Table with name: USER.{name} already exists", "recorded", "driver-go tests", {"Code": "412"}
)
TOTAL_TABLES_LIMIT = Problem(
    "BadRequestException",
    "Exceeded tables limit: Ledger has {limit} total tables, and cannot create another.",
    "recorded",
    "wire.md 2.6",
)
ACTIVE_TABLES_LIMIT = Problem(
    "BadRequestException",
    "Exceeded tables limit: Ledger has {limit} active tables, and cannot create another.",
    "inferred",
    "after the total-tables text",
)
DOCUMENT_NOT_STRUCT = Problem("BadRequestException", "A document must be an Ion struct", "inferred", "partiql.md 1.2")
DOCUMENT_TOO_DEEP = Problem(
    "BadRequestException",
    "The document nests containers more than {limit} levels deep",
    "ours",
    "limits.ion_depth: what is stored must be readable",
)
RESULT_TOO_DEEP = Problem(
    "BadRequestException", "The result cannot be written: {reason}", "ours", "limits.ion_depth, for rows"
)
DOCUMENT_TOO_LARGE = Problem(
    "BadRequestException",
    "The document has {size} bytes of Ion, more than the maximum of {limit}",
    "inferred",
    "partiql.md 9 Q14",
)
TRANSACTION_DOCUMENTS = Problem(
    "BadRequestException", "A transaction must not change more than {limit} documents", "inferred", "partiql.md 9 Q14"
)
TRANSACTION_TOO_LARGE = Problem(
    "BadRequestException", "The transaction is larger than the maximum of {limit} bytes", "inferred", "partiql.md 6"
)
HISTORY_END_IN_FUTURE = Problem(
    "BadRequestException",
    "The end time of a history must not be in the future: {end} is after the server's time {now}",
    "inferred",
    "class and rule: working.history, dmv-nodejs #190",
)
HISTORY_RANGE = Problem(
    "BadRequestException",
    "The start time of a history must not be after its end time: {start} is after {end}",
    "inferred",
    "working.history",
)
TABLE_NAME_NOT_VALID = Problem(
    "BadRequestException",
    "The table name {name!r} is not valid: it must have 1 to 128 letters, digits or underscores, the first no digit",
    "inferred",
    "rule: amazon-qldb-kvs-nodejs Util.ts",
)
TABLE_NAME_RESERVED = Problem(
    "BadRequestException",
    "The table name {name!r} is not valid: names that begin with _ql_ are reserved",
    "inferred",
    "partiql.md 3.1",
)
TABLE_NOT_INACTIVE = Problem(
    "BadRequestException", "No inactive table with id: {table_id}", "inferred", "partiql.md 1.1"
)
INDEX_EXISTS = Problem(
    "BadRequestException",
    "Index on field {field} of table {name} already exists",
    "inferred",
    "partiql.md 5",
    {"Code": "412"},
)
INDEX_NOT_FOUND = Problem(
    "BadRequestException", "No index with id {index_id} on table {name}", "inferred", "partiql.md 9 Q14"
)
INDEX_LIMIT = Problem(
    "BadRequestException",
    "Exceeded indexes limit: Table {name} has {limit} indexes, and cannot have another.",
    "inferred",
    "after the tables text",
)
INDEX_FIELD_TOO_LONG = Problem(
    "BadRequestException", "The indexed field's name has more than {limit} characters", "inferred", "partiql.md 6"
)
TABLE_TAGS_ALLOW_ALL = Problem(
    "BadRequestException",
    "Tags on tables need a ledger in the STANDARD permissions mode",
    "inferred",
    "working.manage-tables",
)
TABLE_TAGS_NOT_VALID = Problem(
    "BadRequestException", "aws_tags is not valid: {reason}", "inferred", "working.manage-tables"
)
NO_SUCH_PROCEDURE = Problem(
    "BadRequestException", "No such stored procedure: {name} ", "inferred", "partiql-lang-kotlin"
)
REDACTION_ARGUMENTS = Problem(
    "BadRequestException",
    "REDACT_REVISION expects a block address, a table id and a document id: {reason}",
    "inferred",
    "ql-stored-procedures.redact_revision",
)
REDACTION_NOT_FOUND = Problem(
    "BadRequestException",
    "No revision of document {document_id} of table {table_id} in the block with sequence number {sequence_no}",
    "inferred",
    "partiql.md 9 Q14",
)
REDACTION_ACTIVE = Problem(
    "BadRequestException",
    "The revision of document {document_id} in the block with sequence number {sequence_no} is active "
    "and cannot be redacted",
    "inferred",
    "rule: redact_revision; text: partiql.md 9 Q14",
)
REDACTION_TWICE = Problem(
    "BadRequestException",
    "The revision of document {document_id} in the block with sequence number {sequence_no} is already redacted",
    "inferred",
    "partiql.md 9 Q14",
)
REDACTION_UNPROVED = Problem(
    "BadRequestException",
    "The revision of document {document_id} in the block with sequence number {sequence_no} cannot be redacted: "
    "its data was imported from JSON and is not what its hash says",
    "ours",
)
REDACTION_LIMIT = Problem(
    "BadRequestException",
    "A transaction must not redact more than {limit} revisions",
    "inferred",
    "rule: redact_revision",
)
CAPACITY_EXCEEDED = Problem("CapacityExceededException", "Capacity exceeded", "recorded", "wire.md 2.6")
RATE_EXCEEDED = Problem("RateExceededException", "The rate was exceeded", "inferred", "wire.md 7 #4")
LEDGER_READ_ONLY = Problem(
    "BadRequestException",
    "Ledger {name} was imported to be read only: it takes no statement that writes (import it with --writable)",
    "ours",
)
SESSION_LIMIT = Problem("LimitExceededException", "Exceeded the session limit of {limit}", "inferred", "wire.md 2.6")
SERVICE_FAILURE = Problem("InternalFailure", "", "recorded", "driver-nodejs: UnknownError")
SERVICE_UNAVAILABLE = Problem(
    "ServiceUnavailable", "The service is unavailable", "inferred", "name and status: driver-go retries it"
)

# --- Control plane -----------------------------------------------------------------------------------------
LEDGER_NOT_FOUND = Problem(
    "ResourceNotFoundException",
    "The Ledger with name {name} is not found{elsewhere}",
    "inferred",
    "wire.md 1.3",
    _LEDGER,
)
LEDGER_EXISTS = Problem(
    "ResourceAlreadyExistsException", "Ledger name already exists", "recorded", "Terraform PR 10394", _LEDGER
)
LEDGER_BEING_CREATED = Problem("ResourceInUseException", "Ledger is being created", "driver test", "driver-go", _LEDGER)
LEDGER_BEING_DELETED = Problem("ResourceInUseException", "Ledger is being deleted", "driver test", "driver-go", _LEDGER)
LEDGER_PROTECTED = Problem(
    "ResourcePreconditionNotMetException",
    "Preventing deletion of ledger {name} with DeletionProtection enabled",
    "documented",
    "LocalStack's page, looks copied from AWS",
    _LEDGER,
)
LEDGER_NOT_READY = Problem(
    "ResourcePreconditionNotMetException",
    "Ledger is being created",
    "inferred",
    "class: GetBlock; text: driver-go",
    _LEDGER,
)
RESOURCE_NOT_FOUND = Problem(
    "ResourceNotFoundException",
    "The {type} with ARN {name} is not found{elsewhere}",
    "inferred",
    "wire.md 1.3",
    {"ResourceType": "{type}", "ResourceName": "{name}"},
)
TAGS_LIMIT = Problem(
    "InvalidParameterException",
    "A resource must not have more than {limit} tags",
    "inferred",
    "rule: tagging",
    {"ParameterName": "Tags"},
)
LEDGERS_LIMIT = Problem(
    "LimitExceededException",
    "Exceeded the limit of {limit} active ledgers",
    "inferred",
    "wire.md 1.3",
    {"ResourceType": "Ledger"},
)
STREAM_NOT_FOUND = Problem(
    "ResourceNotFoundException",
    "The Journal stream with id {id} is not found in ledger {name}",
    "inferred",
    "class: API model",
    {"ResourceType": "JournalKinesisStream", "ResourceName": "{id}"},
)
STREAM_NAME_TAKEN = Problem(
    "ResourcePreconditionNotMetException",
    "The Ledger with name {name} has an active Journal stream with name {stream} already",
    "inferred",
    "rule: API model, StreamName; class: wire.md 1.2",
    {"ResourceType": "JournalKinesisStream", "ResourceName": "{stream}"},
)
STREAM_NOT_ACTIVE = Problem(
    "ResourcePreconditionNotMetException",
    "The Journal stream with id {id} is not active: its status is {status}",
    "inferred",
    "rule: CancelJournalKinesisStream",
    {"ResourceType": "JournalKinesisStream", "ResourceName": "{id}"},
)
STREAMS_LIMIT = Problem(
    "LimitExceededException",
    "Exceeded the limit of {limit} concurrently running Journal streams to Kinesis Data Streams",
    "documented",
    "streams.errors; wording back-translated",
    {"ResourceType": "JournalKinesisStream"},
)
STREAM_START_IN_FUTURE = Problem(
    "InvalidParameterException",
    "Start date cannot be in the future.",
    "documented",
    "streams.errors; wording back-translated",
    {"ParameterName": "InclusiveStartTime"},
)
STREAM_START_AFTER_END = Problem(
    "InvalidParameterException",
    "Start date must not be greater than end date.",
    "documented",
    "streams.errors; wording back-translated",
    {"ParameterName": "InclusiveStartTime"},
)
KINESIS_REFUSED = Problem(
    "InvalidParameterException",
    "QLDB encountered an error validating Kinesis Data Streams: Response from Kinesis: {code} {text}",
    "documented",
    "streams.errors",
    {"ParameterName": "KinesisConfiguration"},
)
KINESIS_UNREACHABLE = Problem(
    "InvalidParameterException",
    "Unexpected response from Kinesis Data Streams while validating the Kinesis configuration. "
    "Response from Kinesis: {code} {text}",
    "documented",
    "streams.errors; wording back-translated",
    {"ParameterName": "KinesisConfiguration"},
)
INVALID_PARAMETER = Problem(
    "InvalidParameterException", "{text}", "ours", "carries a text made elsewhere", {"ParameterName": "{parameter}"}
)


def _proof_problem(text: str, source: Source = "documented") -> Problem:
    return Problem("InvalidParameterException", text, source, "verification.errors", {"ParameterName": "{parameter}"})


ION_TEXT_NOT_VALID = _proof_problem("The provided Ion value is not valid and cannot be parsed.")
BLOCK_ADDRESS_NOT_VALID = _proof_problem("The provided block address is not valid.")
TIP_BEYOND_JOURNAL = _proof_problem(
    "The sequence number of the provided digest tip address is beyond the strand's latest committed record."
)
STRAND_NOT_VALID = _proof_problem("The Strand ID of the provided block address is not valid.")
BLOCK_BEYOND_JOURNAL = _proof_problem(
    "The sequence number of the provided block address is beyond the strand's latest committed record."
)
STRANDS_DIFFER = _proof_problem(
    "The Strand ID of the provided block address must match the Strand ID of the provided digest tip address."
)
BLOCK_AFTER_TIP = _proof_problem(
    "The sequence number of the provided block address must not be greater than "
    "the sequence number of the provided digest tip address."
)
REVISION_NOT_IN_BLOCK = _proof_problem(
    "The provided Document ID was not found in the block at the specified block address"
)

NO_DIGEST = Problem(
    "ResourcePreconditionNotMetException",
    "Ledger {name} has no digest and no proofs: {reason}",
    "ours",
    "a journal that was imported with blocks missing",
    _LEDGER,
)
START_AFTER_END = Problem(
    "InvalidParameterException",
    "Start date must not be greater than end date",
    "documented",
    "export-journal.errors",
    {"ParameterName": "{parameter}"},
)
END_IN_FUTURE = Problem(
    "InvalidParameterException",
    "End date cannot be in the future",
    "documented",
    "export-journal.errors",
    {"ParameterName": "{parameter}"},
)
EXPORT_KEY_MISMATCH = Problem(
    "InvalidParameterException",
    "The supplied object encryption setting (S3EncryptionConfiguration) is not compatible with "
    "an AWS Key Management Service (AWS KMS) key",
    "documented",
    "export-journal.errors",
    {"ParameterName": "S3ExportConfiguration.EncryptionConfiguration"},
)
S3_REFUSED = Problem(
    "InvalidParameterException",
    "QLDB encountered an error validating S3 configuration: {code} {message}",
    "documented",
    "export-journal.errors; class: dmv-nodejs ExportJournal",
    {"ParameterName": "S3ExportConfiguration"},
)
S3_NOT_REACHED = Problem(
    "InvalidParameterException",
    "Unexpected response from Amazon S3 while validating the S3 configuration. Response from S3: {code} {message}",
    "documented",
    "export-journal.errors",
    {"ParameterName": "S3ExportConfiguration"},
)
EXPORTS_LIMIT = Problem(
    "LimitExceededException",
    "Exceeded the limit of {limit} concurrently running Journal export jobs",
    "documented",
    "export-journal.errors",
    {"ResourceType": "JournalS3Export"},
)
EXPORT_NOT_FOUND = Problem(
    "ResourceNotFoundException",
    "The JournalS3Export with id {id} of ledger {name} is not found",
    "inferred",
    "after the ledger text",
    {"ResourceType": "JournalS3Export", "ResourceName": "{id}"},
)

# --- Both ---------------------------------------------------------------------------------------------------
SERIALIZATION = Problem("SerializationException", "{text}", "inferred", "wire.md 1.4")
UNKNOWN_OPERATION = Problem("UnknownOperationException", "{text}", "inferred", "wire.md 1.4")
REQUEST_TOO_LARGE = Problem("RequestEntityTooLargeException", "The request body is larger than {limit} bytes", "ours")
HOST_NOT_ALLOWED = Problem(
    "HostNotAllowedException",
    "This server does not answer to the host name {host}. If it is a name of this server, start it with "
    "--allow-host {host} (or QLDB_EMULATOR_ALLOW_HOST={host})",
    "ours",
    "attacks by DNS rebinding come under names of their own",
)
ORIGIN_NOT_ALLOWED = Problem(
    "OriginNotAllowedException",
    "{what} may not use this server. Only its own pages may; programs that are no browsers send neither Origin nor "
    "Sec-Fetch-Site",
    "ours",
    "any page that a browser shows could otherwise send requests",
)
TOO_MANY_CONNECTIONS = Problem(
    "TooManyConnectionsException",
    "The server has {limit} connections, as many as it takes (--limit connections=N). Close some, or share them",
    "ours",
)
NOT_SUPPORTED = Problem("NotSupportedByEmulatorException", "{what} is not supported by this emulator", "ours")
LEDGER_FILE_UNUSABLE = Problem(
    "LedgerFileUnusableException", "The file of ledger {name} cannot be used: {reason}", "ours"
)

LEDGER_LOG_UNUSABLE = Problem(
    "LedgerFileUnusableException", "The journal of ledger {name} cannot be used: {reason}", "ours"
)
LEDGER_LOG_UNREACHABLE = Problem(
    "ServiceUnavailable",
    "The journal of ledger {name} cannot be reached; nothing was committed: {reason}",
    "ours",
    "drivers try the transaction again",
)

# --- Signatures and permissions ------------------------------------------------------------------------------
ACCESS_DENIED = Problem(
    "AccessDeniedException",
    "User: {user} is not authorized to perform: {action} on resource: {resource}",
    "recorded",
    "for SendCommand: wire.md 2.6; for PartiQL actions after its pattern: wire.md 7 #6",
)
SIGNATURE_MISSING = Problem(
    "MissingAuthenticationTokenException", "Missing Authentication Token", "documented", "AWS common errors"
)
SIGNATURE_INCOMPLETE = Problem("IncompleteSignatureException", "{reason}", "documented", "AWS common errors")
SIGNATURE_KEY_UNKNOWN = Problem(
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    "documented",
    "AWS common errors",
)
SIGNATURE_DOES_NOT_MATCH = Problem(
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
    "documented",
    "AWS General Reference, troubleshooting signatures",
)
SIGNATURE_EXPIRED = Problem(
    "InvalidSignatureException", "{text}", "documented", "AWS General Reference, troubleshooting signatures"
)
SIGNATURE_SCOPE = Problem(
    "InvalidSignatureException", "{text}", "documented", "AWS General Reference, troubleshooting signatures"
)

# --- Admin interface ---------------------------------------------------------------------------------------
ADMIN_OFF = Problem(
    "AdminOffException",
    "The admin interface is off: start the server with --admin "
    "(without --auth it is on by itself on a loopback address, and with --ephemeral)",
    "ours",
)
READ_ONLY = Problem(
    "ReadOnlyException", "This server's console and JSON interface are read only: --console read-only", "ours"
)
SIGN_IN = Problem(
    "SignInException", "Sign in with an access key of this server, or sign the request (Signature Version 4)", "ours"
)
STATEMENT_TIME = Problem("StatementTimeException", "The request took longer than its {seconds} seconds", "ours")
LIMIT_OPEN_TRANSACTIONS = Problem(
    "LimitExceededException", "Exceeded the limit of {limit} transactions that are open over plain HTTP", "ours"
)
ADMIN_REQUEST = Problem("AdminRequestException", "{text}", "ours")
ADMIN_NOT_FOUND = Problem("AdminNotFoundException", "{text}", "ours")
