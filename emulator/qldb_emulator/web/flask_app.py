"""The Flask application: what is below ``/_qldb``, and the console.

The first request that needs it imports it: with Flask, a start would take two thirds longer
(docs/design/007-start-without-flask.md).
"""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from .admin import add_admin, flask_response
from .console.pages import add_console
from .gateway import Gateway
from .interface.routes import add_interface
from .routes import Admin
from .wsgi import REQUEST_KEY


def build_flask(gateway: Gateway, admin: Admin) -> Flask:
    """Return the application; it has only what the dispatcher leaves to it."""
    app = Flask("qldb_emulator.web", static_folder=None)  # the console has its own
    app.config["PROPAGATE_EXCEPTIONS"] = True  # the dispatcher turns them into answers
    app.url_map.merge_slashes = False  # SDKs do not follow redirects
    app.extensions["qldb_gateway"] = gateway
    app.extensions["qldb_admin"] = admin

    def no_such_route(error: HTTPException) -> Response:
        # Unknown methods, and paths like /_qldb//: answer as the API does, not with a page of HTML.
        return flask_response(gateway.call(request.environ[REQUEST_KEY]))

    add_console(app, admin)
    add_interface(app, admin)
    add_admin(app, admin)
    app.register_error_handler(HTTPException, no_such_route)
    return app
