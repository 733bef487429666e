"""The WSGI application: Flask for the control plane and the pages, a bare handler for the session API.

Flask costs a request about 60 microseconds in process and a quarter of a millisecond for a busy client; session
requests, three or four to a transaction, go round it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from ..auth.keys import Authenticator
from .admin import add_admin
from .gateway import EmulatorProtocol, Gateway, is_session_request
from .routes import flask_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(emulator: EmulatorProtocol, authenticator: Authenticator | None = None) -> Flask:
    """A WSGI application that answers both APIs for one emulator.  Holds no state of its own; nothing is global.

    authenticator: with one, requests of both APIs need a signature that it accepts.
    ``app.extensions["qldb_gateway"]`` is its :class:`Gateway`, ``app.extensions["qldb_admin"]`` its :class:`Admin`.
    """
    # No static folder, no templates: every path is the API's until a page claims it with a more exact route.
    app = Flask("qldb_emulator.web", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer for an SDK
    gateway = Gateway(emulator, authenticator)
    app.extensions["qldb_gateway"] = gateway

    def control_plane(path: str = "") -> Response:
        return flask_response(gateway.call(request.environ))

    def no_such_route(error: HTTPException) -> Response:
        # Methods outside the list above: the API's own answer, not a page of HTML.
        return flask_response(gateway.call(request.environ))

    def product() -> Response:
        return flask_response(gateway.product())

    app.add_url_rule("/", "product", product, methods=["GET"], provide_automatic_options=False)
    add_admin(app, emulator, gateway)
    for rule in ("/", "/<path:path>"):
        app.add_url_rule(rule, "control_plane", control_plane, methods=_METHODS, provide_automatic_options=False)
    app.register_error_handler(HTTPException, no_such_route)
    app.wsgi_app = _with_shortcut(app.wsgi_app, gateway)  # type: ignore[method-assign, assignment]
    return app


class _Closing:
    """A body with something to do when it has been sent: what servers call ``close`` for (PEP 3333)."""

    def __init__(self, body: bytes, close: Callable[[], None]) -> None:
        self._body = body
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return iter((self._body,))


def _with_shortcut(wsgi_app: WSGIApplication, gateway: Gateway) -> WSGIApplication:
    """Session requests to the bare handler, everything else to Flask."""
    send_command = gateway.send_command

    def shortcut(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_session_request(environ):
            answer = send_command(environ)
            start_response(answer.status_line, answer.headers)
            return [answer.body] if answer.afterwards is None else _Closing(answer.body, answer.afterwards)
        return wsgi_app(environ, start_response)

    return shortcut
