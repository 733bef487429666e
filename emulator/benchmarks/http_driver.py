"""SendCommand over a socket, for clients that must use less time than the server under load.

An :class:`HttpEmulator` answers what LocalDriver asks of an emulator, from one that listens on a port.
"""

from __future__ import annotations

import json
import re
import socket
from base64 import b64decode, b64encode
from typing import Any

from qldb_emulator.context import CommandResult, RequestContext
from qldb_emulator.errors import QldbError

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ERROR = re.compile(rb"(?i)\r\nx-amzn-errortype: *(\w+)")
_HEAD = (
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\n"
    "Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=local/20250101/us-east-1/qldb/aws4_request, SignedHeaders=host, Signature=0\r\n"
    "Content-Length: {}\r\n\r\n"
)


class HttpEmulator:
    """One connection.  For one thread."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def send_command(
        self, command: str, token: str | None, members: dict[str, Any], context: RequestContext
    ) -> CommandResult:
        """Send one command; return its result with blobs as bytes.

        Raises QldbError with the shape of the service's error.
        """
        wire = dict(members)
        if "Parameters" in wire:
            wire["Parameters"] = [{"IonBinary": _text(holder["IonBinary"])} for holder in wire["Parameters"]]
        if "CommitDigest" in wire:
            wire["CommitDigest"] = _text(wire["CommitDigest"])
        document = {command: wire} if token is None else {"SessionToken": token, command: wire}
        result: dict[str, Any] = self._exchange(json.dumps(document).encode("ascii"))[command]
        for page in ("FirstPage", "Page"):
            if page in result:
                result[page]["Values"] = [b64decode(value["IonBinary"]) for value in result[page]["Values"]]
        return CommandResult(result)

    def _exchange(self, body: bytes) -> Any:
        self._socket.sendall(_HEAD.format(len(body)).encode("ascii") + body)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + _length(received):
            piece = self._socket.recv(65_536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            received += piece
        document = json.loads(received[end + 4 :])
        if not received.startswith(b"HTTP/1.1 200"):
            shape = _ERROR.search(received)
            raise QldbError(shape.group(1).decode() if shape else "unknown", str(document))
        return document


def _length(received: bytes) -> int:
    found = _LENGTH.search(received)
    if found is None:
        raise ConnectionError("an answer without a length")
    return int(found.group(1))


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
