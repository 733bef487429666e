"""What a route of the admin interface is, and how handlers read the members of a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ADMIN_REQUEST
from ..ids import IdSource
from ..settings import Settings


class AdminEmulator(Protocol):
    """What every handler may rely on; a subject's handlers ask for more with a protocol of their own."""

    @property
    def settings(self) -> Settings: ...

    @property
    def ids(self) -> IdSource: ...


# (emulator, arguments from the path, members of the body) -> (status, JSON object).  Raises QldbError.
Handler = Callable[[Any, Mapping[str, str], Mapping[str, Any]], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """One admin request.  path: below the prefix, with Flask's ``<name>`` for arguments."""

    method: str
    path: str
    handler: Handler


def take(body: Mapping[str, Any], types: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """The members of a body that are not null, checked.  Raises ADMIN_REQUEST for an unknown or wrongly typed one."""
    taken: dict[str, Any] = {}
    for name, value in body.items():
        wanted = types.get(name)
        if wanted is None:
            raise ADMIN_REQUEST(text=f"There is no member {name[:100]!r}; there are {', '.join(types)}")
        if value is None:
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            names = " or ".join(t.__name__ for t in (wanted if isinstance(wanted, tuple) else (wanted,)))
            raise ADMIN_REQUEST(text=f"The member {name} must be of type {names}")
        taken[name] = value
    return taken
