"""Requests to an emulator in the same process."""

from __future__ import annotations

from typing import Any

from ..context import RequestContext
from ..engine.emulator import Emulator

Members = dict[str, Any]


class LocalTransport:
    """The transport of :class:`~.session.LedgerSession` without HTTP."""

    def __init__(self, emulator: Emulator, region: str | None = None) -> None:
        self._emulator = emulator
        self._region = region or emulator.settings.region

    def _context(self) -> RequestContext:
        return RequestContext(self._region, "local", self._emulator.ids.new_request_id())

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """One command of the session API.  Raises QldbError."""
        return self._emulator.send_command(command, token, members, self._context())

    def call(self, operation: str, members: Members) -> Members:
        """One control plane operation.  Raises QldbError."""
        return self._emulator.call(operation, members, self._context())
