"""The admin interface: what an emulator can do that the service could not, as JSON under ``/_qldb``.

Every route is a row of :data:`ROUTES`.  Rows that only look and tell nothing of documents (``is_open``) always answer;
the others need ``Settings.has_admin``, and refuse a request that a page of another origin made in somebody's browser.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request

from .. import __version__
from ..errors import ADMIN_NOT_FOUND, ADMIN_OFF, ADMIN_REQUEST, QldbError
from ..wire.serialize import encode_json
from .admin_faults import FAULT_ROUTES
from .admin_ledgers import LEDGER_ROUTES
from .admin_streams import STREAM_ROUTES
from .gateway import PRODUCT, EmulatorProtocol, Gateway
from .routes import PREFIX, AdminCall, Pieces, Route, Text, Unready, flask_response

_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Admin:
    """The admin interface of one app.

    is_ready: what ``/_qldb/ready`` says; whoever seeds the server sets it when that is done.
    reseed: called by a reset that asks for it; None when there is nothing to seed with.
    """

    def __init__(self, emulator: EmulatorProtocol, gateway: Gateway) -> None:
        self.emulator = emulator
        self.gateway = gateway
        self.is_ready = True
        self.reseed: Callable[[], None] | None = None
        self.started = time.monotonic()

    def answer(self, route: Route, path: dict[str, str]) -> Response:
        """Run a route; its errors are answers, too."""
        try:
            if not route.is_open:
                self._check_allowed()
            result = route.handler(AdminCall(self, path, request.args, self._body()))
        except QldbError as error:
            return flask_response(self.gateway.refuse(error, "qldb"))
        except Unready as error:
            return _json({"status": "starting", "message": str(error)}, 503)
        except Exception:
            return flask_response(self.gateway.fail("qldb"))
        if isinstance(result, Text):
            return Response(result.body, content_type=result.content_type)
        if isinstance(result, Pieces):
            return Response(result.pieces, content_type=result.content_type, headers={"Cache-Control": "no-store"})
        return _json(result, 200)

    def _check_allowed(self) -> None:
        if not self.emulator.settings.has_admin:
            raise ADMIN_OFF()
        origin = request.headers.get("Origin")
        if origin is not None and origin.split("://", 1)[-1] != request.host:
            raise ADMIN_REQUEST(text=f"a page of {origin[:200]} may not use the admin interface")

    def _body(self) -> dict[str, Any]:
        data = self.gateway.read_body(request.environ)
        if not data.strip():
            return {}
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ADMIN_REQUEST(text=f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise ADMIN_REQUEST(text="the body must be a JSON object")
        return body


def _json(members: dict[str, Any], status: int) -> Response:
    return Response(encode_json(members), status=status, content_type="application/json")


# --- Health, readiness, metrics ------------------------------------------------------------------------------


def _health(call: AdminCall) -> dict[str, Any]:
    return {"status": "ok", "name": PRODUCT, "version": __version__}


def _ready(call: AdminCall) -> dict[str, Any]:
    if not call.admin.is_ready:
        raise Unready("The init files are still running")
    return {"status": "ready", "name": PRODUCT, "version": __version__}


def _localstack_health(call: AdminCall) -> dict[str, Any]:
    # The shape LocalStack answered with: what waits for it looks for "running" or "available".
    state = "running" if call.admin.is_ready else "starting"
    return {"services": {"qldb": state, "qldb-session": state}, "edition": PRODUCT, "version": __version__}


def _metrics(call: AdminCall) -> Text:
    emulator = call.emulator
    ledgers = emulator.ledgers.open_ledgers()
    gauges = [
        ("qldb_up_seconds", "Time since the start.", time.monotonic() - call.admin.started),
        ("qldb_sessions", "Sessions that have not ended.", float(emulator.sessions.count())),
        ("qldb_open_ledgers", "Ledgers in use since the start.", float(len(ledgers))),
        ("qldb_open_transactions", "Open transactions.", float(sum(x.writes.open_count() for x in ledgers))),
        ("qldb_blocks", "Blocks of the ledgers in use.", float(sum(x.tip().sequence_no + 1 for x in ledgers))),
    ]
    return Text(call.admin.gateway.metrics.text(gauges), "text/plain; version=0.0.4; charset=utf-8")


HEALTH_ROUTES = (
    Route("GET", "/health", _health, "Whether the process answers.", is_open=True),
    Route("GET", "/ready", _ready, "200 once the init files have run, 503 before.", is_open=True),
    Route("GET", "/metrics", _metrics, "Counts and times in Prometheus' text form.", is_open=True, is_root=True),
    Route(
        "GET", "/_localstack/health", _localstack_health, "The same, as LocalStack says it.", is_open=True, is_root=True
    ),
)


def _index(call: AdminCall) -> dict[str, Any]:
    rows = [{"method": r.method, "path": r.rule.replace("<", "{").replace(">", "}"), "about": r.about} for r in ROUTES]
    return {"routes": rows, "admin": call.admin.emulator.settings.has_admin}


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", _index, "These rows.", is_open=True),
    *HEALTH_ROUTES,
    *(Route(*row) for row in FAULT_ROUTES),
    *LEDGER_ROUTES,
    *STREAM_ROUTES,
)


def add_admin(app: Flask, emulator: EmulatorProtocol, gateway: Gateway) -> Admin:
    """Add every route to an app.  ``app.extensions["qldb_admin"]`` is the Admin."""
    admin = Admin(emulator, gateway)
    app.extensions["qldb_admin"] = admin
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            f"{route.method} {route.rule}".replace(".", "-"),
            lambda _route=route, **path: admin.answer(_route, path),
            methods=[route.method],
            provide_automatic_options=False,
        )

    def unknown(path: str = "") -> Response:
        text = f"There is no {request.method} {PREFIX}/{path}; GET {PREFIX}/ lists what there is"
        return flask_response(gateway.refuse(ADMIN_NOT_FOUND(text=text), "qldb"))

    for rule in (PREFIX, f"{PREFIX}/<path:path>"):
        app.add_url_rule(rule, f"unknown {rule}", unknown, methods=_ALL_METHODS, provide_automatic_options=False)
    return admin
