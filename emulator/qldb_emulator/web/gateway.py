"""From a WSGI environ to an answer: the steps of both protocols, in order, and of their failures.

Nothing here knows Flask or a particular server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import __version__, errors
from ..context import Principal, RequestContext
from ..errors import ConnectionDropped, QldbError
from ..records import dataclass
from ..wire.errors import CONTENT_TYPES, REASONS, encode_error
from ..wire.model import SESSION_TARGET
from ..wire.parse import COMMANDS, credential_scope, parse_call
from ..wire.send_command import CommandReader, serialize_command_result
from ..wire.serialize import encode_json, serialize_result
from .metrics import Metrics
from .turns import Turns

if TYPE_CHECKING:
    from ..auth.keys import Authenticator
    from ..auth.signature import SignedRequest
    from ..engine.emulator import Emulator

PRODUCT = "qldb-emulator"
logger = logging.getLogger(__name__)

Environ = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, but for Date: every server adds one, and some do not look whether one is there.

    after_response: called when it has been sent, see CommandResult; never raises.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    after_response: Callable[[], None] | None = None

    @property
    def status_line(self) -> str:
        return f"{self.status} {REASONS[self.status]}"


class Gateway:
    """Answers the requests of one emulator."""

    def __init__(self, emulator: Emulator, authenticator: Authenticator | None = None) -> None:
        self._emulator = emulator
        self._authenticator = authenticator
        self.request_bytes = emulator.settings.limits.request_bytes
        self._region = emulator.settings.region
        self._new_id = emulator.ids.new_request_id
        self._reader = CommandReader(emulator.settings.limits)
        self.metrics = Metrics()
        self.turns: Turns | None = None

    def send_command(self, environ: Environ) -> Answer:
        """Answer a session request.  Raises ConnectionDropped, when a fault rule says so, and nothing else."""
        started = self._begin()
        request_id = self._new_id()
        name = "SendCommand"
        try:
            body = self.read_body(environ)
            principal = self._authenticate(environ, body)
            name, token, members = self._reader.parse_send_command(body)
            region, access_key = credential_scope(environ.get("HTTP_AUTHORIZATION"), self._region)
            context = RequestContext(region, access_key, request_id, principal)
            result = self._emulator.send_command(name, token, members, context)
            elapsed_ms = int((time.perf_counter() - started) * 1000)
            encoded = serialize_command_result(name, result.members, elapsed_ms)
            answer = _answer(200, "qldb-session", request_id, encoded, after_response=result.after_response)
            if result.debug is not None:
                answer.headers.extend(_debug_headers(result.debug))
        except QldbError as error:
            answer = self._refuse(error, "qldb-session", request_id)
        except ConnectionDropped:
            logger.info("%s request_id=%s outcome=connection dropped by a fault rule", name, request_id)
            if self.turns is not None:
                self.turns.end(time.perf_counter())
            raise
        except Exception:
            answer = _fail("qldb-session", request_id)
        self._finish(name, request_id, started, answer)
        return answer

    def call(self, environ: Environ) -> Answer:
        """Answer any other request as one to the control plane.  Never raises."""
        started = self._begin()
        request_id = self._new_id()
        name = str(environ["REQUEST_METHOD"])
        try:
            body = self.read_body(environ)
            principal = self._authenticate(environ, body)
            target = environ.get("HTTP_X_AMZ_TARGET")
            if target is not None:
                raise errors.UNKNOWN_OPERATION(text=f"There is no operation {target[:200]}")
            raw_path = environ.get("RAW_URI", "").partition("?")[0]
            query = environ.get("QUERY_STRING", "")
            call = parse_call(name, decoded_path(environ), query, body, raw_path)
            name = call.operation.name
            region, access_key = credential_scope(environ.get("HTTP_AUTHORIZATION"), self._region)
            context = RequestContext(region, access_key, request_id, principal)
            result = self._emulator.call(name, call.parameters, context)
            answer = _answer(200, "qldb", request_id, serialize_result(call.operation, result))
        except QldbError as error:
            answer = self._refuse(error, "qldb", request_id)
        except Exception:
            answer = _fail("qldb", request_id)
        self._finish(name, request_id, started, answer)
        return answer

    def _authenticate(self, environ: Environ, body: bytes) -> Principal | None:
        """Who signed the request; None when nobody needs to.  Raises QldbError for a signature that is none."""
        if self._authenticator is None:
            return None
        return self._authenticator.authenticate(signed_request(environ, body))

    def product(self) -> Answer:
        """What answers here, for people and health checks."""
        return _answer(200, "qldb", self._new_id(), encode_json({"name": PRODUCT, "version": __version__}))

    def refuse(self, error: QldbError, service: str) -> Answer:
        """The answer to a request that was refused before it could be read at all."""
        return self._refuse(error, service, self._new_id())

    def fail(self, service: str) -> Answer:
        """The answer to a request that met a bug of ours: called where the exception is handled."""
        return _fail(service, self._new_id())

    def read_body(self, environ: Environ) -> bytes:
        """The body.  Raises RequestEntityTooLargeException before reading what a header says is too much, and after
        one byte too many of a chunked body."""
        limit = self.request_bytes
        stream = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        if length:
            if not (length.isascii() and length.isdigit()):
                raise errors.SERIALIZATION(text="Content-Length is not a number")
            size = int(length) if len(length) < 19 else limit + 1
            if size > limit:
                raise errors.REQUEST_TOO_LARGE(limit=limit)
            data: bytes = stream.read(size)
            return data
        if not environ.get("wsgi.input_terminated"):
            return b""  # without a length and without an end, reading would wait for ever
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise errors.REQUEST_TOO_LARGE(limit=limit)
        return data

    def _begin(self) -> float:
        now = time.perf_counter()
        if self.turns is not None:
            self.turns.begin(now)
        return now

    def _finish(self, name: str, request_id: str, started: float, answer: Answer) -> None:
        now = time.perf_counter()
        seconds = now - started
        if self.turns is not None:
            self.turns.end(now)
        outcome = "ok"
        if answer.status != 200:
            outcome = next((value for key, value in answer.headers if key == "x-amzn-ErrorType"), "ok")
        self.metrics.observe(name, outcome, seconds)
        # A line for every command of a session would cost a tenth of the command; what fails is worth one.
        level = logging.DEBUG if outcome == "ok" and name in COMMANDS else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, "%s request_id=%s duration_ms=%.2f outcome=%s", name, request_id, seconds * 1000, outcome)

    def _refuse(self, error: QldbError, service: str, request_id: str) -> Answer:
        try:
            encoded = encode_error(error, service)
        except Exception:
            return _fail(service, request_id)
        answer = _answer(encoded.status, service, request_id, encoded.body, encoded.error_type)
        answer.headers.extend(_debug_headers(error.debug))
        return answer


def signed_request(environ: Environ, body: bytes) -> SignedRequest:
    """A request as its signer saw it."""
    from ..auth.signature import SignedRequest  # only a server with keys needs it

    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = environ[key]
    # The path as it was sent, where the server tells it: decoding loses which slashes were encoded.
    sent = environ.get("RAW_URI") or quote(environ.get("PATH_INFO", ""), safe="/~", encoding="latin-1")
    path = sent.split("?", 1)[0]
    return SignedRequest(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body)


def is_session_request(environ: Environ) -> bool:
    """Whether a request is one of the session API: for ``Gateway.send_command``."""
    return (
        environ.get("HTTP_X_AMZ_TARGET") == SESSION_TARGET
        and environ["REQUEST_METHOD"] == "POST"
        and environ.get("PATH_INFO") in ("/", "")
    )


def decoded_path(environ: Environ) -> str:
    """The path as text: WSGI hands out its UTF-8 bytes as Latin-1 characters."""
    path: str = environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def _answer(
    status: int,
    service: str,
    request_id: str,
    body: bytes,
    error_type: str | None = None,
    after_response: Callable[[], None] | None = None,
) -> Answer:
    headers = [
        ("x-amzn-RequestId", request_id),
        ("Content-Type", CONTENT_TYPES[service]),
        ("Content-Length", str(len(body))),
    ]
    if error_type is not None:
        headers.append(("x-amzn-ErrorType", error_type))
    return Answer(status, headers, body, after_response)


def _debug_headers(debug: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"x-qldb-emulator-{key}", value) for key, value in debug.items()]


def _fail(service: str, request_id: str) -> Answer:
    """Our own bug: the client learns nothing but that, the log everything."""
    logger.exception("request %s failed", request_id)
    encoded = encode_error(errors.SERVICE_FAILURE(), service)
    return _answer(encoded.status, service, request_id, encoded.body, encoded.error_type)
