"""Where a request goes: the only place that decides it, for our own server and for every other that hosts the app.

=================================================  ==============================================================
request                                            answered by
=================================================  ==============================================================
``POST /`` with the session API's target           ``Gateway.send_command``
``GET /``                                          ``Gateway.product``
``GET`` of health, readiness, metrics              ``Admin.answer`` with a row of ``health.HEALTH_ROUTES``
anything else below ``/_qldb``                     Flask, which is imported for it
everything else                                    ``Gateway.call``: the control plane
=================================================  ==============================================================

``HEAD`` goes where ``GET`` does.  Slashes in front of a path count as one here; the control plane sees them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .gateway import Answer, Environ, Gateway, is_session_request
from .health import HEALTH_ROUTES
from .routes import PREFIX, Admin, AdminCall, Pieces

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

    from ..auth.keys import Authenticator
    from ..engine.emulator import Emulator

_HEALTH = {route.rule: route for route in HEALTH_ROUTES}


class Dispatcher:
    """A WSGI application that answers everything for one emulator.  Nothing is global.

    authenticator: with one, requests of both APIs need a signature that it accepts.
    """

    def __init__(self, emulator: Emulator, authenticator: Authenticator | None = None) -> None:
        self.gateway = Gateway(emulator, authenticator)
        self.admin = Admin(emulator, self.gateway)
        self._flask: tuple[Flask, WSGIApplication] | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_session_request(environ):
            answer = self.gateway.send_command(environ)  # raises ConnectionDropped, when a fault rule says so
            start_response(answer.status_line, answer.headers)
            return [answer.body] if answer.after_response is None else _Closing(answer.body, answer.after_response)
        other = self._answer(environ)
        if other is None:
            _, wsgi_app = self._made_flask()
            return wsgi_app(environ, start_response)
        # In capitals, as Flask writes reasons: whoever gives an answer, it is the same bytes.
        start_response(other.status_line.upper(), other.headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else other.body]

    def _answer(self, environ: Environ) -> Answer | None:
        """The answer to a request that is not the session API's; None when Flask has to give it."""
        path = "/" + environ.get("PATH_INFO", "").lstrip("/")
        if environ["REQUEST_METHOD"].upper() in ("GET", "HEAD"):
            if path == "/":
                return self.gateway.product()
            if path in _HEALTH:
                return self._health(path, environ)
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return None
        return self.gateway.call(environ)

    def _health(self, path: str, environ: Environ) -> Answer:
        answer = self.admin.answer(_HEALTH[path], lambda: AdminCall(self.admin, {}, {}, self.admin.read_body(environ)))
        assert not isinstance(answer, Pieces), "a server's health is told at once"
        return answer

    # --- Flask -------------------------------------------------------------------------------------------------

    def flask_app(self) -> Flask:
        """The Flask application, made when it is first asked for.  It answers everything that this does."""
        return self._made_flask()[0]

    def _made_flask(self) -> tuple[Flask, WSGIApplication]:
        """The application, and what it would answer by itself.  Any thread may ask."""
        if self._flask is None:
            with self._lock:
                if self._flask is None:
                    from .app import build_app  # Flask: a start would be longer by two thirds

                    app = build_app(self)
                    wsgi_app = app.wsgi_app
                    app.wsgi_app = self  # type: ignore[method-assign]
                    self._flask = app, wsgi_app
        return self._flask


class _Closing:
    """A body with something to do when it has been sent: what servers call ``close`` for (PEP 3333)."""

    def __init__(self, body: bytes, close: Callable[[], None]) -> None:
        self._body = body
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return iter((self._body,))
