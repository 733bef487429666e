"""Builds what answers for an emulator: for our own server, and as a WSGI application for any other.

Nothing here imports Flask before it is needed (docs/design/007-start-without-flask.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import Access
from .dispatch import Dispatcher
from .gateway import Gateway
from .routes import Admin

if TYPE_CHECKING:
    from flask import Flask

    from ..auth.keys import Authenticator
    from ..engine.emulator import Emulator


def create_dispatcher(
    emulator: Emulator, authenticator: Authenticator | None = None, access: Access | None = None
) -> Dispatcher:
    """Return the application for ``Server``.  It holds no state but the admin interface's; nothing is global.

    authenticator: with one, requests of both APIs need a signature that it accepts.
    access: decides which host names are answered; by default those of a server on loopback.
    """
    gateway = Gateway(emulator, authenticator)
    admin = Admin(emulator, gateway)

    def make_flask() -> Flask:
        from .flask_app import build_flask

        return build_flask(gateway, admin)

    return Dispatcher(gateway, admin, access or Access(), make_flask)


def create_app(emulator: Emulator, authenticator: Authenticator | None = None, access: Access | None = None) -> Flask:
    """Return the same as a WSGI application that any server can host.

    ``app.extensions["qldb_gateway"]`` is its :class:`Gateway`, ``app.extensions["qldb_admin"]`` its :class:`Admin`.
    """
    return create_dispatcher(emulator, authenticator, access).flask_app()
