"""Turns an error into status, headers and body, in the form from which every SDK reads the right class.

botocore reads the class of a session error from the body's ``__type`` only; JS from the header, or else from any
member called code in any case; Java, Go and .NET from either (wire.md 2.6).  So both are sent, and with the header
present a ``Code`` member does no harm.
"""

from __future__ import annotations

from ..errors import QldbError, Source
from ..records import dataclass
from .model import load_service
from .serialize import encode_json

_GO_SDK = "aws-sdk-go-v2/"  # how its User-Agent begins
_SESSION_NAMESPACE = "com.amazonaws.qldbsession#"
_COMMON_NAMESPACE = "com.amazon.coral.service#"  # what AWS services use for errors outside their models (recorded)
CONTENT_TYPES = {"qldb": "application/json", "qldb-session": "application/x-amz-json-1.0"}


@dataclass(frozen=True, slots=True)
class Status:
    """The HTTP status of an error shape for which the model has no status."""

    code: int
    source: Source
    evidence: str


# Never 5xx for a client's mistake: every driver repeats a request after a 5xx (wire.md 2.6).
STATUSES = {
    "BadRequestException": Status(400, "recorded", "driver-go logs"),
    "InvalidSessionException": Status(400, "recorded", "driver-nodejs #51"),
    "OccConflictException": Status(400, "driver test", "all drivers"),
    "RateExceededException": Status(400, "driver test", "wire.md 7 #22"),
    "LimitExceededException": Status(400, "driver test", "wire.md 7 #22"),
    "CapacityExceededException": Status(503, "driver test", "a server fault in the newer SDKs' models"),
    "AccessDeniedException": Status(400, "recorded", "wire.md 2.6"),
    "MissingAuthenticationTokenException": Status(403, "documented", "AWS common errors"),
    "IncompleteSignatureException": Status(400, "documented", "AWS common errors"),
    "UnrecognizedClientException": Status(403, "documented", "AWS common errors"),
    "InvalidSignatureException": Status(403, "documented", "AWS General Reference, troubleshooting signatures"),
    "SerializationException": Status(400, "inferred", "wire.md 1.4"),
    "UnknownOperationException": Status(404, "inferred", "wire.md 1.4"),
    "InternalFailure": Status(500, "recorded", "driver-nodejs: InternalFailure: UnknownError"),
    "ServiceUnavailable": Status(503, "driver test", "driver-go retries it by this name"),
    "RequestEntityTooLargeException": Status(413, "ours", "named after the HTTP status"),
    "HostNotAllowedException": Status(403, "ours", "named after the HTTP status"),
    "OriginNotAllowedException": Status(403, "ours", "named after the HTTP status"),
    "TooManyConnectionsException": Status(503, "ours", "drivers repeat a 503"),
    "NotSupportedByEmulatorException": Status(400, "ours", "asking again does not help"),
    "LedgerFileUnusableException": Status(400, "ours", "asking again does not help"),
    "ReadOnlyException": Status(403, "ours", "named after the HTTP status"),
    "SignInException": Status(401, "ours", "named after the HTTP status"),
    "StatementTimeException": Status(408, "ours", "named after the HTTP status"),
    "AdminOffException": Status(403, "ours", "named after the HTTP status"),
    "AdminRequestException": Status(400, "ours", "named after the HTTP status"),
    "AdminNotFoundException": Status(404, "ours", "named after the HTTP status"),
}
_OURS = {name for name, status in STATUSES.items() if status.source == "ours"}

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The response to an error, without the headers that every response has."""

    status: int
    error_type: str
    body: bytes


def error_status(shape: str, service: str) -> int | None:
    """Return the HTTP status of an error shape: the model's, else the table's; None if neither has one."""
    modelled = load_service(service).error_statuses.get(shape)
    if modelled is not None:
        return modelled
    status = STATUSES.get(shape)
    return status.code if status else None


def encode_error(error: QldbError, service: str) -> ErrorAnswer:
    """Return status and body of an error of the service ``qldb`` or ``qldb-session``.

    InternalFailure carries only its name, as recorded.  A shape that neither the model nor the table knows is
    our bug: LookupError.
    """
    status = error_status(error.shape, service)
    if status is None:
        raise LookupError(f"{service} has no error {error.shape}")
    if error.shape == "InternalFailure":
        return ErrorAnswer(status, error.shape, b'{"__type":"InternalFailure"}')
    members = {name: value for name, value in error.members.items() if value is not None}
    body = encode_json({"__type": _type_name(error.shape, service), "Message": error.message, **members})
    return ErrorAnswer(status, error.shape, body)


def shows_error_type(user_agent: str, error: QldbError) -> bool:
    """Whether a client gets the header ``x-amzn-ErrorType``.

    The service sent no such header with a Code, so aws-sdk-go-v2 takes the Code for the error's name, and programs ask
    for it: ``ErrorCode() == "412"`` (recorded: driver-go tests; wire.md 2.6).  Newer JavaScript SDKs would do the same
    and lose the class that programs ask for there, so all others get the header.
    """
    return "Code" not in error.members or _GO_SDK not in user_agent


def _type_name(shape: str, service: str) -> str:
    """Return ``__type`` of an error: with a namespace in the JSON protocol, bare in rest-json."""
    if service == "qldb":
        return shape
    is_own = shape in load_service(service).error_statuses or shape in _OURS
    return (_SESSION_NAMESPACE if is_own else _COMMON_NAMESPACE) + shape
