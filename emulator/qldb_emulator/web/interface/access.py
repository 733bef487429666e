"""Finds the caller: under ``--auth``, the access key that signed in to the console, or that signed the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app, request

from ...errors import SIGN_IN
from ..gateway import signed_request
from ..routes import Admin
from ..wsgi import REQUEST_KEY

if TYPE_CHECKING:
    from ...auth.keys import User
    from .sign_in import SignIns

COOKIE = "qldb_console"


def principal_of(admin: Admin) -> User | None:
    """Return the caller; None without --auth.  Raises SIGN_IN, and QldbError for a missing or invalid signature."""
    authenticator = admin.gateway.authenticator
    if authenticator is None:
        return None
    user = signed_in()
    if user is not None:
        return user
    if "Authorization" not in request.headers:
        raise SIGN_IN()
    return authenticator.authenticate(signed_request(request.environ[REQUEST_KEY]))


def signed_in() -> User | None:
    """Return who signed in with this browser; None if it is not signed in."""
    sign_ins: SignIns = current_app.extensions["qldb_sign_ins"]
    return sign_ins.find(request.cookies.get(COOKIE, ""))
