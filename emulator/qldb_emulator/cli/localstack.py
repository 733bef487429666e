"""Variables of LocalStack that ``serve`` understands, for compose files and CI jobs that have them.

==================  =================================  ===========================================
variable            value                              here
==================  =================================  ===========================================
``PERSISTENCE``     ``0`` / ``1``                      ``--ephemeral`` / nothing: kept by default
``GATEWAY_LISTEN``  ``[HOST]:PORT``, the first counts  ``--host`` and ``--port``
``DEBUG``           ``1``                              ``--log-level debug``
==================  =================================  ===========================================

They go after the options and the variables of our own, and before the configuration file.  Other values of PERSISTENCE
and DEBUG say nothing, as many programs have a DEBUG of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

TRUE = ("1", "true")
FALSE = ("0", "false")


def serve_defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    """Defaults for the parameters of ``serve``.  Raises UsageError for a GATEWAY_LISTEN that is no address."""
    found: dict[str, Any] = {}
    if environment.get("PERSISTENCE", "").lower() in FALSE:
        found["ephemeral"] = True
    if environment.get("DEBUG", "").lower() in TRUE:
        found["log_level"] = "debug"
    listen = environment.get("GATEWAY_LISTEN", "").split(",")[0].strip()
    if listen:
        host, _, port = listen.rpartition(":")
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise click.UsageError(f"GATEWAY_LISTEN: {listen!r} is not HOST:PORT, such as 0.0.0.0:7532")
        found["port"] = int(port)
        if host:
            found["host"] = host.strip("[]")
    return found
