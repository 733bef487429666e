"""Admin requests for fault rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.workbench.faults import Rule
from ..errors import ADMIN_REQUEST

if TYPE_CHECKING:
    from .routes import AdminCall

# member of a rule -> (type, its name in words)
_MEMBERS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "kind": (str, "a text"),
    "commands": (list, "a list of texts"),
    "ledger": (str, "a text"),
    "table": (str, "a text"),
    "statement": (str, "a text"),
    "count": (int, "a whole number"),
    "probability": ((int, float), "a number"),
    "latency_ms": (int, "a whole number"),
    "seed": (str, "a text"),
}


def _rule(body: dict[str, Any]) -> Rule:
    """Return the rule of a body; null means the same as no value.  Raises ADMIN_REQUEST."""
    members: dict[str, Any] = {}
    for name, value in body.items():
        if name not in _MEMBERS:
            raise ADMIN_REQUEST(text=f"a fault has no member {name[:100]!r}; it has {', '.join(_MEMBERS)}")
        wanted, words = _MEMBERS[name]
        if value is None:
            continue
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ADMIN_REQUEST(text=f"the member {name} must be {words}")
        members[name] = value
    if "kind" not in members:
        raise ADMIN_REQUEST(text="the member kind is required")
    commands = members.pop("commands", [])
    if not all(isinstance(command, str) for command in commands):
        raise ADMIN_REQUEST(text=f"the member commands must be {_MEMBERS['commands'][1]}")
    return Rule(**members, commands=tuple(commands))


def _add(call: AdminCall) -> dict[str, Any]:
    return call.emulator.faults.add(_rule(call.body), call.emulator.ids.new_request_id)


def _list(call: AdminCall) -> dict[str, Any]:
    return {"faults": call.emulator.faults.list()}


def _clear(call: AdminCall) -> dict[str, Any]:
    return {"cleared": call.emulator.faults.clear(call.path.get("fault_id"))}


# Rows of admin.ROUTES: method, path, handler, what it is about.
FAULT_ROUTES = (
    ("POST", "/faults", _add, "Add a fault rule."),
    ("GET", "/faults", _list, "Every fault rule, with how often it matched and struck."),
    ("DELETE", "/faults", _clear, "Remove every fault rule."),
    ("DELETE", "/faults/<fault_id>", _clear, "Remove one fault rule."),
)
