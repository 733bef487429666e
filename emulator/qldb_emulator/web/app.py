"""The Flask application: for any WSGI server to host, and for what is below ``/_qldb``.

It is imported by whoever asks for it, and by the dispatcher with the first request that it has to answer: importing
Flask would make a start longer by two thirds (docs/design/007-start-without-flask.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from .admin import add_admin, flask_response
from .dispatch import Dispatcher

if TYPE_CHECKING:
    from ..auth.keys import Authenticator
    from ..engine.emulator import Emulator


def create_app(emulator: Emulator, authenticator: Authenticator | None = None) -> Flask:
    """A WSGI application that answers both APIs for one emulator.  Holds no state of its own; nothing is global.

    authenticator: with one, requests of both APIs need a signature that it accepts.
    ``app.extensions["qldb_gateway"]`` is its :class:`Gateway`, ``app.extensions["qldb_admin"]`` its :class:`Admin`.
    """
    return Dispatcher(emulator, authenticator).flask_app()


def build_app(dispatcher: Dispatcher) -> Flask:
    """The application of a dispatcher; knows only what is left to it: for ``Dispatcher.flask_app``."""
    # No static folder, no templates: there are no pages.
    app = Flask("qldb_emulator.web", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer for an SDK
    app.extensions["qldb_gateway"] = dispatcher.gateway
    app.extensions["qldb_admin"] = dispatcher.admin

    def no_such_route(error: HTTPException) -> Response:
        # Methods that nobody has heard of, and paths like /_qldb//: the API's own answer, not a page of HTML.
        return flask_response(dispatcher.gateway.call(request.environ))

    add_admin(app, dispatcher.admin)
    app.register_error_handler(HTTPException, no_such_route)
    return app
