"""A server that answers at once, to measure the cost of a client alone.

A raw asyncio protocol with answers made beforehand; it reads of a request no more than which command it is, and the
commit digest, which a driver wants back.  An INSERT is answered with a ``{documentId}`` for each of DOCUMENTS (1) and a
SELECT with one document, as the emulator does: what the client has to decode must be the same on both sides.

    python -m benchmarks.stub PORT [DOCUMENTS]
"""

from __future__ import annotations

import asyncio
import base64
import re
import sys
from email.utils import formatdate
from typing import Any

from qldb_emulator.ids import SESSION_TOKEN_BYTES, encode_id
from qldb_emulator.ion.codec import dumps
from qldb_emulator.ion.values import IonValue
from qldb_emulator.wire.send_command import serialize_command_result

from .documents import registration

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_COMMAND = re.compile(
    rb'"(StartSession|StartTransaction|ExecuteStatement|FetchPage|CommitTransaction|AbortTransaction|EndSession)"\s*:'
)
_STATEMENT = re.compile(rb'"Statement"\s*:\s*"(\w+)')
_DIGEST = re.compile(rb'"CommitDigest"\s*:\s*"([^"]{44})"')
_HEAD_END = b"\r\n\r\n"
_NO_DIGEST = b"A" * 43 + b"="


def response(body: bytes) -> bytes:
    """Return a whole HTTP response with the headers of the service."""
    head = (
        f"HTTP/1.1 200 OK\r\nx-amzn-RequestId: {encode_id(1, 1)}\r\nDate: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def answer_to(command: str, result: dict[str, Any]) -> bytes:
    """Return the response to a command, in the emulator's own words."""
    return response(serialize_command_result(command, result, 1))


def page(*values: IonValue) -> dict[str, Any]:
    """Return the result of a statement with these rows."""
    return {"FirstPage": {"Values": [dumps(value) for value in values]}, "ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}


class Answers:
    """All the answers there are.  inserted: how many documents every INSERT claims to have inserted."""

    def __init__(self, inserted: int = 1) -> None:
        transaction_id = encode_id(2, 2)
        self._by_command = {
            b"StartSession": answer_to(
                "StartSession", {"SessionToken": base64.b64encode(bytes(SESSION_TOKEN_BYTES)).decode()}
            ),
            b"StartTransaction": answer_to("StartTransaction", {"TransactionId": transaction_id}),
            b"AbortTransaction": answer_to("AbortTransaction", {}),
            b"EndSession": answer_to("EndSession", {}),
        }
        self._select = answer_to("ExecuteStatement", page(registration(7)))
        ids = (encode_id(3, number) for number in range(inserted))
        self._change = answer_to("ExecuteStatement", page(*({"documentId": made} for made in ids)))
        commit = answer_to(
            "CommitTransaction",
            {
                "TransactionId": transaction_id,
                "CommitDigest": base64.b64decode(_NO_DIGEST),
                "ConsumedIOs": {"ReadIOs": 0, "WriteIOs": 0},
            },
        )
        self._before_digest, self._after_digest = commit.split(_NO_DIGEST)

    def answer(self, body: bytes) -> bytes:
        """Return the response to a request body.  Raises ValueError for one that no driver of ours sends."""
        found = _COMMAND.search(body)
        command = found.group(1) if found else b""
        if command == b"ExecuteStatement":
            statement = _STATEMENT.search(body)
            return self._select if statement and statement.group(1).upper() == b"SELECT" else self._change
        if command == b"CommitTransaction":
            digest = _DIGEST.search(body)
            if digest is None:
                raise ValueError("a commit without a digest")
            return self._before_digest + digest.group(1) + self._after_digest
        if command not in self._by_command:
            raise ValueError(f"not a command of the session API: {body[:200]!r}")
        return self._by_command[command]


class StubProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while True:
            end = self._received.find(_HEAD_END)
            if end < 0:
                return
            length = _LENGTH.search(self._received, 0, end)
            start = end + len(_HEAD_END)
            stop = start + (int(length.group(1)) if length else 0)
            if len(self._received) < stop:
                return
            body, self._received = self._received[start:stop], self._received[stop:]
            # A request without a body only checks that the server answers.
            self._transport.write(self._answers.answer(body) if body else response(b"{}"))


async def serve(port: int, inserted: int) -> None:
    """Serve until killed."""
    answers = Answers(inserted)
    server = await asyncio.get_running_loop().create_server(lambda: StubProtocol(answers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
