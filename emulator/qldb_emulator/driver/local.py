"""Requests to an emulator in the same process."""

from __future__ import annotations

from typing import Any

from ..context import RequestContext
from ..engine.emulator import Emulator
from ..engine.workbench.imports import is_ledger_name
from ..errors import INVALID_PARAMETER

Members = dict[str, Any]


class LocalTransport:
    """The transport of :class:`~.session.LedgerSession` without HTTP."""

    def __init__(self, emulator: Emulator, region: str | None = None) -> None:
        self._emulator = emulator
        self._region = region or emulator.settings.region

    def _context(self) -> RequestContext:
        return RequestContext(self._region, "local", self._emulator.ids.new_request_id())

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """Send one command of the session API.  Raises QldbError."""
        return self._emulator.send_command(command, token, members, self._context()).members

    def call(self, operation: str, members: Members) -> Members:
        """Call one control plane operation.  Raises QldbError."""
        name = members.get("Name")
        if operation == "CreateLedger" and not is_ledger_name(name or ""):  # over HTTP, the service model refuses it
            text = f"{name!r} cannot be a ledger's name: 1 to 32 letters, digits and single hyphens"
            raise INVALID_PARAMETER(text=text, parameter="Name")
        return self._emulator.call(operation, members, self._context())

    def close(self) -> None:
        """Nothing to close: requests are calls."""

    def twin(self) -> LocalTransport:
        """Return the transport itself: it keeps nothing between requests, so threads may share it."""
        return self
