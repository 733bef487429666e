"""Shared by the tests of wire and web: an emulator that records, a WSGI caller, and botocore as the oracle."""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

import botocore.awsrequest
import botocore.model
import botocore.parsers
import botocore.serialize

from qldb_emulator.clock import ManualClock
from qldb_emulator.context import CommandResult, RequestContext
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.limits import Limits
from qldb_emulator.settings import Settings
from qldb_emulator.wire.model import MODEL_DIRECTORY

MODEL_FILES = {
    "qldb": MODEL_DIRECTORY / "qldb" / "2019-01-02" / "service-2.json",
    "qldb-session": MODEL_DIRECTORY / "qldb-session" / "2019-07-11" / "service-2.json",
}
CLIENT_MODELS = {
    name: botocore.model.ServiceModel(json.loads(path.read_text()), name) for name, path in MODEL_FILES.items()
}
SESSION_HEADERS = {"X-Amz-Target": "QLDBSession.SendCommand", "Content-Type": "application/x-amz-json-1.0"}
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/qldb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
TRANSACTION_ID = "I1pH6SCujBW0JYpPoLQT02"


class FakeEmulator:
    """Records what it is asked and answers what it was told to; an answer that is an exception is raised."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.settings = Settings(limits=limits or Limits())
        self.clock = ManualClock()
        self.ids = RandomIds(self.clock, seed="tests")
        self.steward = None
        self.received: list[tuple[str, dict[str, Any], RequestContext]] = []
        self.tokens: list[str | None] = []
        self.answers: dict[str, Any] = {}

    def call(self, operation_name: str, parameters: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        self.received.append((operation_name, parameters, context))
        return self._answer(operation_name)

    def send_command(
        self, command: str, session_token: str | None, members: dict[str, Any], context: RequestContext
    ) -> CommandResult:
        self.received.append((command, members, context))
        self.tokens.append(session_token)
        return CommandResult(self._answer(command))

    def _answer(self, name: str) -> dict[str, Any]:
        answer = self.answers.get(name, {})
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environ_of(
    method: str, path: str, query: str = "", headers: dict[str, str] | None = None, body: bytes | io.RawIOBase = b""
) -> dict[str, Any]:
    """Return a WSGI environ; path is still percent-encoded, as it travels."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "7532",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if isinstance(body, bytes) and (body or method not in ("GET", "HEAD")):
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def ask(app: Any, environ: dict[str, Any]) -> Reply:
    """Call a WSGI app as a server would, and check what every answer must have."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    parts = app(environ, lambda status, headers, exc_info=None: started.append((status, headers)))
    pieces = [piece for piece in parts if piece]
    if hasattr(parts, "close"):
        parts.close()
    [(status, pairs)] = started
    names = [name.lower() for name, _ in pairs]
    assert len(names) == len(set(names)), "a header is there twice"
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers["x-amzn-requestid"]) == 22
    assert "date" not in headers, "the server adds it"
    assert len(pieces) <= 1, "an answer is written in one piece"
    if environ["REQUEST_METHOD"] != "HEAD":
        assert headers["content-length"] == str(len(b"".join(pieces)))
    return Reply(int(status.split()[0]), headers, b"".join(pieces))


def client_request(service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the WSGI environ of the request that botocore makes of these parameters, with our model."""
    model = CLIENT_MODELS[service]
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], include_validation=True)
    made = serializer.serialize_to_request(parameters, model.operation_model(operation))
    botocore.awsrequest.prepare_request_dict(made, "http://localhost:7532")
    prepared = botocore.awsrequest.create_request_object(made).prepare()
    url = urlsplit(prepared.url)
    headers = {name: _text(value) for name, value in prepared.headers.items()}
    return environ_of(prepared.method, url.path, url.query, headers, _bytes(prepared.body))


def client_reads(service: str, operation: str, reply: Reply) -> dict[str, Any]:
    """Return what botocore makes of a reply, with our model; ``ResponseMetadata`` taken off."""
    model = CLIENT_MODELS[service]
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    response = {"status_code": reply.status, "headers": reply.headers, "body": reply.body}
    parsed = parser.parse(response, model.operation_model(operation).output_shape)
    parsed.pop("ResponseMetadata")
    return parsed


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def refusal(raised: QldbError) -> tuple[str, str, dict[str, Any]]:
    """Return the comparable parts of an error."""
    return raised.shape, raised.message, raised.members
