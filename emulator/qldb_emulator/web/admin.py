"""The admin interface: what an emulator can do and the service could not, as JSON under ``/_qldb``.

Every route is a row of :data:`ROUTES`.  A row that only reads, and reveals nothing of documents (``is_open``), always
answers.  The others need ``Settings.has_admin``.  ``access`` refuses pages of other origins before a request gets here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, request

from ..errors import ADMIN_NOT_FOUND, ADMIN_OFF, ADMIN_REQUEST, READ_ONLY
from .admin_faults import FAULT_ROUTES
from .admin_ledgers import LEDGER_ROUTES
from .admin_streams import STREAM_ROUTES
from .answer import Answer
from .gateway import CONTROL
from .health import HEALTH_ROUTES
from .interface.admin_schemas import ADMIN_SCHEMAS
from .routes import PREFIX, Admin, AdminCall, Pieces, Route, read_members

_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


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


def add_admin(app: Flask, admin: Admin) -> None:
    """Add every route below ``/_qldb`` that needs Flask to an app, and the answer to unknown paths there."""
    for route in ROUTES:
        if route in HEALTH_ROUTES:
            continue
        app.add_url_rule(
            route.rule,
            f"{route.method} {route.rule}".replace(".", "-"),
            lambda _route=route, **path: _answer(admin, _route, path),
            methods=[route.method],
            provide_automatic_options=False,
        )

    index = ROUTES[0]
    app.add_url_rule(PREFIX, "index", lambda: _answer(admin, index, {}), provide_automatic_options=False)

    def unknown(path: str = "") -> Response:
        text = f"There is no {request.method} {PREFIX}/{path}; GET {PREFIX}/ lists what there is"
        return flask_response(admin.gateway.refuse(ADMIN_NOT_FOUND(text=text), CONTROL))

    for rule in (PREFIX, f"{PREFIX}/<path:path>"):
        app.add_url_rule(rule, f"unknown {rule}", unknown, methods=_ALL_METHODS, provide_automatic_options=False)


def _answer(admin: Admin, route: Route, path: dict[str, str]) -> Response:
    def call() -> AdminCall:
        if not route.is_open and not admin.emulator.settings.has_admin:
            raise ADMIN_OFF()
        if not route.is_open and admin.emulator.settings.console == "read-only" and _changes_from_page():
            raise READ_ONLY()
        members = read_members(request.get_data())
        if route.method != "GET":
            _check_names(route, request.args, members)
        return AdminCall(admin, path, request.args, members)

    answer = admin.answer(route, call)
    if isinstance(answer, Pieces):
        return Response(answer.pieces, content_type=answer.content_type, headers={"Cache-Control": "no-store"})
    return flask_response(answer)


def _check_names(route: Route, query: Iterable[str], members: Iterable[str]) -> None:
    """Raises ADMIN_REQUEST for a name that the route does not know.

    A reset or a DELETE without its one name is about everything, so a misspelled name must not count as none.
    """
    described = ADMIN_SCHEMAS[route.method, route.path]
    body = {} if described.body is None else described.body["properties"]
    for what, given, known in (("query parameter", query, described.query), ("member", members, body)):
        for name in given:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise ADMIN_REQUEST(text=f"{route.method} {route.rule} has no {what} {name[:100]!r}; {has}")


def _changes_from_page() -> bool:
    """Whether a browser's page requests a change: browsers name the page, programs do not."""
    return request.method != "GET" and ("Origin" in request.headers or "Sec-Fetch-Site" in request.headers)


def flask_response(answer: Answer) -> Response:
    """Convert an answer to Flask's, without any of Flask's own headers."""
    response = Response(answer.body, status=answer.status)
    response.headers.clear()
    response.headers.extend(answer.headers)
    return response
