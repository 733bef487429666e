"""The fast path of SendCommand: reads and writes it with as little work as possible.

This reader takes only requests that are plainly well formed, and leaves every other to
:func:`parse.read_send_command`, which decides.  So it may accept fewer requests than that function, but must read each
to the same result.  A property test compares the two.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

from ..limits import Limits
from .model import Shape, command_shapes
from .parse import SendCommand, parse_json_object, read_send_command
from .validate import is_unicode

Reader = Callable[[dict[str, Any]], dict[str, Any] | None]


def _text_check(shape: Shape) -> Callable[[str], object]:
    """Return a check of a string's length and pattern in one match; truthy if it holds."""
    assert shape.pattern is not None
    return re.compile(f"(?=.{{{shape.minimum},{shape.maximum}}}\\Z){shape.pattern.pattern}", re.ASCII).fullmatch


class CommandReader:
    """Reads SendCommand bodies under the limits of one emulator."""

    def __init__(self, limits: Limits) -> None:
        shapes = command_shapes(limits)
        self._limits = limits
        self._is_session_token = _text_check(shapes["SessionToken"])
        execute = shapes["ExecuteStatement"].members
        self._is_transaction_id = _text_check(execute["TransactionId"].shape)
        self._is_page_token = _text_check(shapes["FetchPage"].members["NextPageToken"].shape)
        self._readers: dict[str, Reader] = {
            "StartTransaction": _read_nothing,
            "AbortTransaction": _read_nothing,
            "EndSession": _read_nothing,
            "ExecuteStatement": self._read_execute_statement,
            "FetchPage": self._read_fetch_page,
            "CommitTransaction": self._read_commit_transaction,
        }

    def parse_send_command(self, body: bytes) -> SendCommand:
        """Return the command of a request body.  Raises QldbError: SerializationException or BadRequestException."""
        document = parse_json_object(body)
        try:
            command = self._read(document)
        except (KeyError, TypeError, ValueError, AttributeError):
            command = None  # something is unexpected: the shapes will say what
        return command if command is not None else read_send_command(document, self._limits)

    def _read(self, document: dict[str, Any]) -> SendCommand | None:
        # StartSession comes once in a session, so it gets no path of its own.
        if len(document) != 2:
            return None
        token = document["SessionToken"]
        for name in document:
            if name != "SessionToken":
                members = self._readers[name](document[name])
                if members is not None and self._is_session_token(token):
                    return SendCommand(name, token, members)
        return None

    def _read_execute_statement(self, wire: dict[str, Any]) -> dict[str, Any] | None:
        transaction_id = wire["TransactionId"]
        statement = wire["Statement"]
        if not self._is_transaction_id(transaction_id) or not self._is_text(
            statement, self._limits.statement_characters
        ):
            return None
        members = {"TransactionId": transaction_id, "Statement": statement}
        parameters = wire.get("Parameters")
        if parameters is not None:
            if type(parameters) is not list:
                return None
            holders = []
            for holder in parameters:
                data = a2b_base64(holder["IonBinary"], strict_mode=True)
                if len(holder) != 1 or not 1 <= len(data) <= self._limits.parameter_binary_bytes:
                    return None
                holders.append({"IonBinary": data})
            members["Parameters"] = holders
        return members

    @staticmethod
    def _is_text(text: str, limit: int) -> bool:
        return 1 <= len(text) <= limit and (text.isascii() or is_unicode(text))

    def _read_fetch_page(self, wire: dict[str, Any]) -> dict[str, Any] | None:
        transaction_id = wire["TransactionId"]
        token = wire["NextPageToken"]
        if self._is_transaction_id(transaction_id) and self._is_page_token(token):
            return {"TransactionId": transaction_id, "NextPageToken": token}
        return None

    def _read_commit_transaction(self, wire: dict[str, Any]) -> dict[str, Any] | None:
        transaction_id = wire["TransactionId"]
        digest = a2b_base64(wire["CommitDigest"], strict_mode=True)
        if self._is_transaction_id(transaction_id):
            return {"TransactionId": transaction_id, "CommitDigest": digest}
        return None


def _read_nothing(wire: dict[str, Any]) -> dict[str, Any] | None:
    return {} if type(wire) is dict else None


# --- Results ------------------------------------------------------------------------------------------------


def serialize_command_result(command: str, result: dict[str, Any], processing_ms: int) -> bytes:
    """Return the body of a SendCommand answer.

    result: the command's members as Python values, without TimingInformation, which is built from ``processing_ms``,
    at least 1: drivers take 0 for "not reported" (wire.md 2.3).
    """
    writer = _WRITERS[command]
    timing = f'"TimingInformation":{{"ProcessingTimeMilliseconds":{processing_ms if processing_ms > 0 else 1}}}'
    return writer(command, result, timing)


def _ios(result: dict[str, Any]) -> str:
    # Always both numbers: the Java driver unboxes both without a null check (wire.md 2.3).
    ios = result["ConsumedIOs"]
    return f'"ConsumedIOs":{{"ReadIOs":{ios["ReadIOs"]:d},"WriteIOs":{ios["WriteIOs"]:d}}}'


def _write_timing(command: str, result: dict[str, Any], timing: str) -> bytes:
    return f'{{"{command}":{{{timing}}}}}'.encode("ascii")


def _write_start_session(command: str, result: dict[str, Any], timing: str) -> bytes:
    token = encode_basestring_ascii(result["SessionToken"])
    return f'{{"StartSession":{{"SessionToken":{token},{timing}}}}}'.encode("ascii")


def _write_start_transaction(command: str, result: dict[str, Any], timing: str) -> bytes:
    transaction_id = encode_basestring_ascii(result["TransactionId"])
    return f'{{"StartTransaction":{{"TransactionId":{transaction_id},{timing}}}}}'.encode("ascii")


def _write_commit_transaction(command: str, result: dict[str, Any], timing: str) -> bytes:
    transaction_id = encode_basestring_ascii(result["TransactionId"])
    digest = b2a_base64(result["CommitDigest"], newline=False).decode("ascii")
    return (
        f'{{"CommitTransaction":{{"TransactionId":{transaction_id},"CommitDigest":"{digest}",{timing},{_ios(result)}}}}}'
    ).encode("ascii")


def _write_page(command: str, result: dict[str, Any], timing: str) -> bytes:
    name = "FirstPage" if command == "ExecuteStatement" else "Page"
    page = result[name]
    values = page["Values"]
    # A list even when empty, IonBinary only, and no token at the end instead of an empty one (wire.md 2.3).
    encoded = b""
    if values:
        joined = b'"},{"IonBinary":"'.join([b2a_base64(value, newline=False) for value in values])
        encoded = b'{"IonBinary":"%b"}' % joined
    token = page.get("NextPageToken")
    next_token = f',"NextPageToken":{encode_basestring_ascii(token)}' if token is not None else ""
    head = f'{{"{command}":{{"{name}":{{"Values":['.encode("ascii")
    tail = f"]{next_token}}},{timing},{_ios(result)}}}}}".encode("ascii")
    return head + encoded + tail


_WRITERS: dict[str, Callable[[str, dict[str, Any], str], bytes]] = {
    "StartSession": _write_start_session,
    "StartTransaction": _write_start_transaction,
    "ExecuteStatement": _write_page,
    "FetchPage": _write_page,
    "CommitTransaction": _write_commit_transaction,
    "AbortTransaction": _write_timing,
    "EndSession": _write_timing,
}
