"""The JSON interface in Flask: finds the caller, encodes answers in the requested form, turns errors into answers."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from ...clock import SystemClock
from ...errors import ADMIN_REQUEST, REQUEST_TOO_LARGE, SERVICE_FAILURE, ConnectionDropped, QldbError
from ...ids import RandomIds
from ...ion.codec import IonError
from ...wire.serialize import encode_json
from ..routes import PREFIX, Admin
from ..wsgi import REQUEST_KEY
from .access import principal_of
from .call import Call, Lines, Raw
from .errors import error_members, status_of
from .operations import RUN_OPERATION, Operation, operations
from .sign_in import SignIns
from .specification import openapi
from .transactions import OpenTransactions
from .uploads import Uploads
from .values import CONTENT_TYPES, JSON, wanted_form, write

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def add_interface(app: Flask, admin: Admin) -> None:
    """Add every operation of the interface to an app."""
    files = Uploads()
    weakref.finalize(app, files.close)
    rows = operations(OpenTransactions(), files)
    clock = SystemClock()  # real time for browsers, not the time of a deterministic ledger
    app.extensions["qldb_sign_ins"] = SignIns(clock, RandomIds(clock))
    for row in (*rows, RUN_OPERATION):
        app.add_url_rule(
            PREFIX + row.path,
            f"interface {row.name}",
            lambda _row=row, **path: answer(admin, _row, path),
            methods=[row.method],
            provide_automatic_options=False,
        )
    app.add_url_rule(
        f"{PREFIX}/openapi.json",
        "openapi",
        lambda: _response(200, JSON, encode_json(openapi(rows))),
        methods=["GET"],
        provide_automatic_options=False,
    )


def call_of(admin: Admin, path: Mapping[str, str]) -> Call:
    """Return the current request.  Raises QldbError for a missing or invalid signature."""
    gone = request.environ[REQUEST_KEY].is_client_gone
    return Call(admin, path, request.args, request.headers, _read_body, principal_of(admin), gone)


def _read_body() -> bytes:
    try:
        return request.get_data()
    except RequestEntityTooLarge as error:
        raise REQUEST_TOO_LARGE(limit=request.max_content_length) from error


def answer(admin: Admin, row: Operation, path: Mapping[str, str]) -> Response:
    """Run an operation; turn its errors into answers."""
    request.max_content_length = admin.emulator.settings.limits.request_bytes
    try:
        result = row.handler(call_of(admin, path))
        if isinstance(result, Raw):
            return _response(200, result.content_type, result.body, result.headers)
        if isinstance(result, Lines):
            pieces = _logged(row.name, result.pieces)
            return Response(pieces, content_type=result.content_type, headers={"Cache-Control": "no-store"})
        form = wanted_form(request.headers.get("Accept", "")) if len(row.forms) > 1 else "json"
        return _response(200, CONTENT_TYPES[form], write(result, form))
    except QldbError as error:
        return refusal(error)
    except IonError as error:
        return refusal(ADMIN_REQUEST(text=str(error)))
    except ConnectionDropped:
        raise  # a fault rule drops the connection: the dispatcher handles it
    except Exception:
        logger.exception("the interface's %s failed", row.name)
        return refusal(SERVICE_FAILURE())


def refusal(error: QldbError) -> Response:
    """Return an error as an answer."""
    return _response(status_of(error), JSON, encode_json(error_members(error)))


def _response(status: int, content_type: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    response = Response(body, status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.extend(headers)
    return response


def _logged(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces; log an error among them, because it can only end the connection."""
    try:
        yield from pieces
    except GeneratorExit:
        raise
    except Exception:
        logger.exception("the interface's %s failed on the way", name)
        raise
