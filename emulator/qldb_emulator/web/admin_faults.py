"""Admin requests for fault rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..engine.faults import Faults, Rule
from ..errors import ADMIN_REQUEST
from ..ids import IdSource
from .admin_routes import AdminRoute, take

_MEMBERS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "commands": list,
    "ledger": str,
    "table": str,
    "statement": str,
    "count": int,
    "probability": (int, float),
    "latency_ms": int,
    "seed": str,
}


class HasFaults(Protocol):
    """An emulator with fault rules."""

    @property
    def faults(self) -> Faults: ...

    @property
    def ids(self) -> IdSource: ...


def _add(emulator: HasFaults, arguments: Mapping[str, str], body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    members = take(body, _MEMBERS)
    if "kind" not in members:
        raise ADMIN_REQUEST(text="The member kind is required")
    commands = members.pop("commands", [])
    if not all(isinstance(command, str) for command in commands):
        raise ADMIN_REQUEST(text="The member commands must be a list of strings")
    return 201, emulator.faults.add(Rule(**members, commands=tuple(commands)), emulator.ids.new_id)


def _list(emulator: HasFaults, arguments: Mapping[str, str], body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"faults": emulator.faults.list()}


def _clear(emulator: HasFaults, arguments: Mapping[str, str], body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"cleared": emulator.faults.clear(arguments.get("fault_id"))}


FAULT_ROUTES = (
    AdminRoute("POST", "/faults", _add),
    AdminRoute("GET", "/faults", _list),
    AdminRoute("DELETE", "/faults", _clear),
    AdminRoute("DELETE", "/faults/<fault_id>", _clear),
)
