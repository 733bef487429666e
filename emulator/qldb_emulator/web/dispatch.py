"""Decides which part answers a request, and is the only place that does, for every server that hosts the app.

=================================================  ==============================================================
request                                            answered by
=================================================  ==============================================================
from a host name or web page that is refused       ``Access.check`` refuses it
``POST /`` with the session API's target           ``Gateway.send_command``
``GET /`` from a browser                           Flask: the console
``GET /`` from any other client                    ``Gateway.product``
``GET`` of health, readiness, metrics              ``Admin.answer`` with a row of ``health.HEALTH_ROUTES``
anything else below ``/_qldb``                     Flask, which is imported for it
everything else                                    ``Gateway.call``: the control plane
=================================================  ==============================================================

``HEAD`` goes where ``GET`` does.  Several slashes before a path count as one here; the control plane sees them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..errors import SERIALIZATION, ConnectionDropped, QldbError
from .access import Access
from .answer import Answer, HeldAnswer, Stream
from .gateway import CONTROL, Gateway, is_session_request, service_of
from .health import HEALTH_ROUTES
from .http1 import Request
from .routes import PREFIX, Admin, AdminCall, Pieces, read_members
from .wsgi import call_app, read_body, request_of, start

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

_HEALTH = {route.rule: route for route in HEALTH_ROUTES}


class Dispatcher:
    """Answers every request for one emulator.  Nothing is global.

    make_flask: builds the application that answers below ``/_qldb``; called once, with the first such request.
    """

    def __init__(self, gateway: Gateway, admin: Admin, access: Access, make_flask: Callable[[], Flask]) -> None:
        self.gateway = gateway
        self.admin = admin
        self.access = access
        self._make_flask = make_flask
        self._flask: tuple[Flask, WSGIApplication] | None = None
        self._lock = threading.Lock()

    def respond(self, request: Request) -> Answer | Stream:
        """Return the answer to a request.  Raises only ConnectionDropped, if a fault rule says so."""
        try:
            self.access.check(request)
        except QldbError as refusal:
            return self.gateway.refuse(refusal, service_of(request))
        if is_session_request(request):
            answer = self.gateway.send_command(request)
            assert isinstance(answer, Answer), "no answer is held unless it may be"
            return answer
        path = "/" + request.path.lstrip("/")
        if request.method.upper() in ("GET", "HEAD"):
            if path == "/":
                return self._ask_flask(request) if self._gets_page(request) else self.gateway.product()
            if path in _HEALTH:
                return self._health(path, request)
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return self._ask_flask(request)
        return self.gateway.call(request)

    def respond_in_crowd(self, request: Request) -> Answer | HeldAnswer:
        """Return the answer to a session request, which need not wait for the disk.  Raises only ConnectionDropped."""
        try:
            self.access.check(request)
        except QldbError as refusal:
            return self.gateway.refuse(refusal, service_of(request))
        return self.gateway.send_command(request, can_hold_answer=True)

    def _gets_page(self, request: Request) -> bool:
        """Whether a browser sent the request; it gets the console.  Programs do not ask for text/html."""
        return "text/html" in request.headers.get("accept", "") and self.admin.emulator.settings.console != "off"

    def _health(self, path: str, request: Request) -> Answer:
        answer = self.admin.answer(_HEALTH[path], lambda: AdminCall(self.admin, {}, {}, read_members(request.body)))
        assert not isinstance(answer, Pieces), "a server's health is told at once"
        return answer

    def _ask_flask(self, request: Request) -> Answer | Stream:
        try:
            return call_app(self._made_flask()[1], request)
        except ConnectionDropped:
            raise
        except Exception:
            return self.gateway.fail(CONTROL)

    # --- for other servers -------------------------------------------------------------------------------------

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Yield the same as a WSGI application."""
        request = request_of(environ)
        try:
            if not request.query.isascii():  # our own server refuses it sooner; others hand it on
                raise SERIALIZATION(text="The request is not valid HTTP: its query has bytes beyond ASCII")
            request.body = read_body(environ, self.gateway.limits.request_bytes)
        except QldbError as refusal:
            answer: Answer | Stream = self.gateway.refuse(refusal, service_of(request))
        else:
            answer = self.respond(request)
        return start(answer, request.method, start_response)

    def flask_app(self) -> Flask:
        """Return the Flask application.

        A server that hosts it answers every request, not only those below /_qldb.
        """
        return self._made_flask()[0]

    def _made_flask(self) -> tuple[Flask, WSGIApplication]:
        """Return the application, and its own WSGI function.  Any thread may call."""
        if self._flask is None:
            with self._lock:
                if self._flask is None:
                    app = self._make_flask()
                    wsgi_app = app.wsgi_app
                    app.wsgi_app = self  # type: ignore[method-assign]
                    self._flask = app, wsgi_app
        return self._flask
