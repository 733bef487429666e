"""From a request to an answer: the steps of both protocols, in order, and their failures.

Nothing here knows Flask, WSGI or a socket.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import __version__, errors
from ..context import CommandResult, Principal, RequestContext
from ..errors import ClientGone, ConnectionDropped, QldbError
from ..wire.errors import CONTENT_TYPES, encode_error, shows_error_type
from ..wire.model import SESSION_TARGET
from ..wire.parse import COMMANDS, credential_scope, parse_call
from ..wire.send_command import CommandReader, serialize_command_result
from ..wire.serialize import encode_json, serialize_result
from .answer import Answer, HeldAnswer
from .http1 import Request
from .metrics import Metrics
from .turns import Turns

if TYPE_CHECKING:
    from ..auth.keys import Authenticator
    from ..auth.signature import SignedRequest
    from ..engine.emulator import Emulator
    from .forwarding import Forwarder

PRODUCT = "qldb-emulator"
SESSION, CONTROL = "qldb-session", "qldb"
logger = logging.getLogger(__name__)


class Gateway:
    """Answers the requests of one emulator."""

    def __init__(self, emulator: Emulator, authenticator: Authenticator | None = None) -> None:
        self._emulator = emulator
        self.authenticator = authenticator
        self.limits = emulator.settings.limits
        self._region = emulator.settings.region
        self._new_id = emulator.ids.new_request_id
        self._reader = CommandReader(emulator.settings.limits)
        self.metrics = Metrics()
        self.turns: Turns | None = None
        self.forwarder: Forwarder | None = None
        if emulator.steward is not None:
            from .forwarding import Forwarder  # only a server among others needs it

            self.forwarder = Forwarder(emulator.steward, emulator.settings.account)

    def close(self) -> None:
        """Let go of connections to other servers."""
        if self.forwarder is not None:
            self.forwarder.close()

    def send_command(self, request: Request, can_hold_answer: bool = False) -> Answer | HeldAnswer:
        """Answer a session request.  Raises only ConnectionDropped.

        can_hold_answer: whether an answer may be returned that has to wait for the disk.
        """
        started = self._begin()
        request_id = self._new_id()
        user_agent = request.headers.get("user-agent", "")
        name = "SendCommand"
        try:
            principal = self._authenticate(request)
            name, token, members = self._reader.parse_send_command(request.body)
            region, access_key = credential_scope(request.headers.get("authorization"), self._region)
            context = RequestContext(region, access_key, request_id, principal, request.is_client_gone, can_hold_answer)
            if self.forwarder is None:
                result = self._emulator.send_command(name, token, members, context)
                if result.before_response is not None:
                    self._end_turn()
                    return HeldAnswer(partial(self._complete, name, result, request_id, started, user_agent))
                answer = _encoded(name, result, request_id, started)
            else:
                answer = self._run_where_it_belongs(request, name, token, members, context, started)
        except QldbError as error:
            answer = self._refuse(error, SESSION, request_id, user_agent)
        except ConnectionDropped as reason:
            why = "its client is gone" if isinstance(reason, ClientGone) else "connection dropped by a fault rule"
            logger.info("%s request_id=%s outcome=%s", name, request_id, why)
            self._end_turn()
            raise
        except Exception:
            answer = _fail(SESSION, request_id)
        self._finish(name, request_id, started, answer)
        return answer

    def _complete(self, name: str, result: CommandResult, request_id: str, started: float, user_agent: str) -> Answer:
        """The answer to a command, once the disk has what it promises.  Never raises."""
        assert result.before_response is not None
        try:
            result.before_response()
            answer = _encoded(name, result, request_id, started)
        except QldbError as error:
            answer = self._refuse(error, SESSION, request_id, user_agent)
        except Exception:
            answer = _fail(SESSION, request_id)
        self._observe(name, request_id, time.perf_counter() - started, answer)
        return answer

    def _run_where_it_belongs(
        self,
        request: Request,
        name: str,
        token: str | None,
        members: dict[str, Any],
        context: RequestContext,
        started: float,
    ) -> Answer:
        """The answer to a command of any session of the servers that share journals."""
        assert self.forwarder is not None
        found = self.forwarder.elsewhere(request, name, token, members, context)
        if found is None:
            try:
                result = self._emulator.send_command(name, token, members, context)
                return _encoded(name, result, context.request_id, started)
            except QldbError as error:
                found = self.forwarder.instead_of(error, request, name, token, members, context)
                if found is None:
                    raise
        return found if isinstance(found, Answer) else _answer(200, SESSION, context.request_id, found)

    def call(self, request: Request) -> Answer:
        """Answer any other request as one for the control plane.  Never raises."""
        started = self._begin()
        request_id = self._new_id()
        name = request.method
        try:
            principal = self._authenticate(request)
            target = request.headers.get("x-amz-target")
            if target is not None:
                raise errors.UNKNOWN_OPERATION(text=f"There is no operation {target[:200]}")
            raw_path = request.target.partition("?")[0]
            call = parse_call(name, request.path, request.query, request.body, raw_path)
            name = call.operation.name
            region, access_key = credential_scope(request.headers.get("authorization"), self._region)
            context = RequestContext(region, access_key, request_id, principal, request.is_client_gone)
            result = self._emulator.call(name, call.parameters, context)
            answer = _answer(200, CONTROL, request_id, serialize_result(call.operation, result))
        except QldbError as error:
            answer = self._refuse(error, CONTROL, request_id)
        except Exception:
            answer = _fail(CONTROL, request_id)
        self._finish(name, request_id, started, answer)
        return answer

    def _authenticate(self, request: Request) -> Principal | None:
        """Return who signed the request; None without --auth.  Raises QldbError for a missing or invalid signature.

        Raises QldbError if the signature is missing or invalid.
        """
        if self.authenticator is None:
            return None
        return self.authenticator.authenticate(signed_request(request))

    def product(self) -> Answer:
        """Return the name and version of this program, for people and health checks."""
        return _answer(200, CONTROL, self._new_id(), encode_json({"name": PRODUCT, "version": __version__}))

    def refuse(self, error: QldbError, service: str) -> Answer:
        """Return the answer to a request that could not be read."""
        return self._refuse(error, service, self._new_id())

    def fail(self, service: str) -> Answer:
        """Return the answer to a request that met a bug of ours; called in the exception handler."""
        return _fail(service, self._new_id())

    def _begin(self) -> float:
        now = time.perf_counter()
        if self.turns is not None:
            self.turns.begin(now)
        return now

    def _finish(self, name: str, request_id: str, started: float, answer: Answer) -> None:
        now = time.perf_counter()
        if self.turns is not None:
            self.turns.end(now)
        self._observe(name, request_id, now - started, answer)

    def _end_turn(self) -> None:
        if self.turns is not None:
            self.turns.end(time.perf_counter())

    def _observe(self, name: str, request_id: str, seconds: float, answer: Answer) -> None:
        outcome = "ok"
        if answer.status != 200:
            outcome = answer.error_type or "ok"
        self.metrics.observe(name, outcome, seconds)
        # Logging every session command would take a tenth of its time, so only failures are logged.
        level = logging.DEBUG if outcome == "ok" and name in COMMANDS else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, "%s request_id=%s duration_ms=%.2f outcome=%s", name, request_id, seconds * 1000, outcome)

    def _refuse(self, error: QldbError, service: str, request_id: str, user_agent: str = "") -> Answer:
        try:
            encoded = encode_error(error, service)
        except Exception:
            return _fail(service, request_id)
        answer = _answer(encoded.status, service, request_id, encoded.body, encoded.error_type)
        if not shows_error_type(user_agent, error):
            answer.headers.remove(("x-amzn-ErrorType", encoded.error_type))
        answer.headers.extend(_debug_headers(error.debug))
        return answer


def signed_request(request: Request) -> SignedRequest:
    """Return a request as its signer saw it."""
    from ..auth.signature import SignedRequest  # only a server with keys needs this module

    # The path as it was sent: decoding loses which slashes were encoded.
    path = request.target.partition("?")[0]
    return SignedRequest(request.method, path, request.query, request.headers, request.body)


def is_session_request(request: Request) -> bool:
    """Whether a request is for the session API, that is for ``Gateway.send_command``."""
    return (
        request.headers.get("x-amz-target") == SESSION_TARGET and request.method == "POST" and request.path in ("/", "")
    )


def service_of(request: Request) -> str:
    """Return the API in whose form a request is refused."""
    return SESSION if request.headers.get("x-amz-target") == SESSION_TARGET else CONTROL


def _encoded(name: str, result: CommandResult, request_id: str, started: float) -> Answer:
    """The answer to a command that succeeded."""
    elapsed_ms = int((time.perf_counter() - started) * 1000)
    encoded = serialize_command_result(name, result.members, elapsed_ms)
    answer = _answer(200, SESSION, request_id, encoded, after_response=result.after_response)
    if result.debug is not None:
        answer.headers.extend(_debug_headers(result.debug))
    return answer


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
    return Answer(status, headers, body, after_response, error_type=error_type)


def _debug_headers(debug: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"x-qldb-emulator-{key}", value) for key, value in debug.items()]


def _fail(service: str, request_id: str) -> Answer:
    """Answer with an internal failure: the client learns no more, the log has everything."""
    logger.exception("request %s failed", request_id)
    encoded = encode_error(errors.SERVICE_FAILURE(), service)
    return _answer(encoded.status, service, request_id, encoded.body, encoded.error_type)
