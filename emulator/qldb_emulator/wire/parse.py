"""Converts requests of both protocols to operations and their parameters.  Pure: the parts of a request are passed in.

A client's mistake here is one of four errors: SerializationException (the body is not a JSON object),
UnknownOperationException, InvalidParameterException (control plane) and BadRequestException (session).
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from .. import errors
from ..limits import Limits
from ..records import dataclass
from .model import Operation, command_shapes, load_service
from .validate import Refused, read_value

COMMANDS = (
    "StartSession",
    "StartTransaction",
    "EndSession",
    "CommitTransaction",
    "AbortTransaction",
    "ExecuteStatement",
    "FetchPage",
)
_CREDENTIAL = re.compile(r"Credential=([^/,\s]{1,128})/\d{8}/([a-z0-9-]{1,32})/[a-z0-9-]{1,32}/aws4_request")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed control plane request: the operation and its checked parameters (see RequestContext)."""

    operation: Operation
    parameters: dict[str, Any]


class SendCommand(NamedTuple):
    """A parsed session request.  ``session_token`` is None only for StartSession."""

    command: str
    session_token: str | None
    members: dict[str, Any]


# --- Control plane ------------------------------------------------------------------------------------------


DOCUMENTED_TEXTS: dict[tuple[str, str], str] = {
    # export-journal.errors
    ("S3ExportConfiguration.Prefix", "too large"): "Amazon S3 bucket prefix must not exceed 128 characters",
}
"""(member, broken constraint) -> the service's text for it, where that is known."""


def parse_call(method: str, path: str, query: str, body: bytes, raw_path: str = "") -> Call:
    """Read a control plane request.

    path: decoded, as WSGI passes it.  raw_path: as sent, if the server tells; only it shows whether a slash is inside
    a label or between labels.  query: as sent, without the question mark.  The body of an operation whose members are
    all elsewhere (GetDigest, every GET and DELETE) is ignored.  Raises QldbError.
    """
    has_slash = "%2f" in raw_path.lower()
    found = load_service("qldb").find(method, raw_path if has_slash else path)
    if found is None:
        raise errors.UNKNOWN_OPERATION(text=f"There is no operation {method} {path[:200]}")
    operation, labels = found
    if has_slash:
        labels = {name: unquote(label) for name, label in labels.items()}
    document = parse_json_object(body) if body and operation.takes_body() else {}
    wire = _gather(operation, labels, query, document)
    try:
        return Call(operation, read_value(operation.input, wire, ""))
    except Refused as refusal:
        text = DOCUMENTED_TEXTS.get((refusal.path, refusal.constraint), refusal)
        raise errors.INVALID_PARAMETER(text=text, parameter=refusal.path) from refusal


def _gather(operation: Operation, labels: dict[str, str], query: str, document: dict[str, Any]) -> dict[str, object]:
    """Return the members of a request by their own names, each from its location."""
    fields = parse_qs(query, keep_blank_values=True) if query else {}
    wire: dict[str, object] = {}
    for member in operation.input.members.values():
        if member.location == "uri":
            wire[member.name] = labels[member.wire_name]
        elif member.location == "querystring":
            if member.wire_name in fields:
                wire[member.name] = _from_query(member.shape.type, fields[member.wire_name])
        elif member.wire_name in document:
            wire[member.name] = document[member.wire_name]
    return wire


def _from_query(shape_type: str, texts: list[str]) -> object:
    if shape_type == "list":
        return texts
    text = texts[-1]
    if shape_type == "integer" and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    return text


# --- Session ------------------------------------------------------------------------------------------------


def read_send_command(document: dict[str, Any], limits: Limits) -> SendCommand:
    """Read the document of a SendCommand request by its shapes.

    Order of the checks: one command, the token, the command's members, the parameters.  Raises QldbError.
    ``send_command`` does the same for well-formed requests and leaves all others to this function.
    """
    given = [name for name in COMMANDS if document.get(name) is not None]
    if len(given) != 1:
        raise errors.COMMAND_COUNT(count=len(given))
    command = given[0]
    shapes = command_shapes(limits)
    token = document.get("SessionToken")
    try:
        if command == "StartSession":
            token = None
        elif token is None:
            raise errors.SESSION_TOKEN_MISSING()
        else:
            token = read_value(shapes["SessionToken"], token, "SessionToken")
        wire = document[command]
        members = read_value(shapes[command], wire, "" if isinstance(wire, dict) else command)
    except Refused as refusal:
        raise _session_problem(refusal) from refusal
    for number, holder in enumerate(members.get("Parameters", ()), 1):
        if len(holder) != 1:
            found = "both IonBinary and IonText are given" if holder else "neither IonBinary nor IonText is given"
            raise errors.PARAMETER_NOT_ION(number=number, reason=found)
    return SendCommand(command, token, members)


def _session_problem(refusal: Refused) -> errors.QldbError:
    """Return the BadRequest of a refusal; three refusals have their own text in the error table."""
    if refusal.path == "SessionToken":
        return errors.SESSION_TOKEN_NOT_VALID()
    if refusal.path == "NextPageToken" and refusal.constraint != "required":
        return errors.PAGE_TOKEN_NOT_VALID()
    if refusal.path == "Statement" and refusal.constraint == "too large":
        return errors.STATEMENT_TOO_LONG(length=refusal.size, limit=refusal.limit)
    return errors.BAD_REQUEST(text=refusal)


# --- Both ---------------------------------------------------------------------------------------------------


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Return the object of a JSON body.  Raises SerializationException for anything else, at any depth."""
    try:
        document = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise errors.SERIALIZATION(text="The request body is not UTF-8 text") from error
    except RecursionError as error:
        raise errors.SERIALIZATION(text="The request body is nested too deeply") from error
    except ValueError as error:
        raise errors.SERIALIZATION(text=f"The request body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise errors.SERIALIZATION(text="The request body is not a JSON object")
    return document


def credential_scope(authorization: str | None, default_region: str) -> tuple[str, str | None]:
    """Return (region, access key id) of a SigV4 ``Authorization`` header; the default and None without one.

    The region is safe as a directory name.  Nothing is verified: any credentials are accepted.
    """
    if authorization:
        match = _CREDENTIAL.search(authorization)
        if match is not None:
            return match[2], match[1]
    return default_region, None
