"""The admin interface's state, its routes, and what handlers receive and return.

Nothing here imports Flask: a server is ready, or seeds again, even if it never needed Flask.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ..errors import ADMIN_REQUEST, QldbError
from ..records import dataclass
from ..wire.serialize import encode_json
from .answer import Answer
from .gateway import CONTROL, Gateway

if TYPE_CHECKING:
    from ..engine.emulator import Emulator

PREFIX = "/_qldb"
_REGION_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """An answer of unknown length.  An empty piece lets the server check whether it must stop."""

    pieces: Iterator[bytes]
    content_type: str


class Unready(Exception):
    """The server is not ready: status 503."""


@dataclass(slots=True)
class AdminCall:
    """One request.  path: the values of the rule's placeholders.  body: the members of the JSON object sent."""

    admin: Admin
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def emulator(self) -> Emulator:
        """The emulator in charge."""
        return self.admin.emulator

    @property
    def region(self) -> str:
        """Return ``?region=``, or the server's own.  Raises ADMIN_REQUEST for an invalid region."""
        region = self.query.get("region") or self.admin.emulator.settings.region
        if (
            region.startswith("-")
            or not region.replace("-", "").isalnum()
            or not region.isascii()
            or len(region) > _REGION_CHARACTERS
        ):
            raise ADMIN_REQUEST(text=f"{region!r} is no region")
        return region

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text of the body.  Raises ADMIN_REQUEST if it is missing without a default, or not a text."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise ADMIN_REQUEST(text=f"the body must be a JSON object with a text {name!r}")
        return value

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return a number of the query, 0 to maximum.  Raises ADMIN_REQUEST for anything else."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= maximum):
            raise ADMIN_REQUEST(text=f"{name} must be a number from 0 to {maximum}")
        return int(text)


Handler = Callable[[AdminCall], "dict[str, Any] | Text | Pieces"]


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the admin interface.  path: as Flask writes rules, below ``/_qldb`` or, with ``is_root``, the root."""

    method: str
    path: str
    handler: Handler
    about: str
    is_open: bool = False
    is_root: bool = False

    @property
    def rule(self) -> str:
        """The whole path."""
        return self.path if self.is_root else PREFIX + self.path


class Admin:
    """The admin interface of one emulator.

    is_ready: the answer of ``/_qldb/ready``; the code that seeds the server sets it at its end.
    reseed: called by a reset that asks for it; None if there is no seed.
    """

    def __init__(self, emulator: Emulator, gateway: Gateway) -> None:
        self.emulator = emulator
        self.gateway = gateway
        self.is_ready = True
        self.reseed: Callable[[], None] | None = None
        self.started = time.monotonic()

    def answer(self, route: Route, make_call: Callable[[], AdminCall]) -> Answer | Pieces:
        """Run a route; turn its errors into answers.  make_call: reads the request; may raise QldbError."""
        try:
            result = route.handler(make_call())
        except QldbError as error:
            return self.gateway.refuse(error, CONTROL)
        except Unready as error:
            return _whole(503, "application/json", encode_json({"status": "starting", "message": str(error)}))
        except Exception:
            return self.gateway.fail(CONTROL)
        if isinstance(result, Pieces):
            return result
        if isinstance(result, Text):
            return _whole(200, result.content_type, result.body.encode())
        return _whole(200, "application/json", encode_json(result))


def read_members(body: bytes) -> dict[str, Any]:
    """Return the members of the JSON object sent; empty without a body.  Raises ADMIN_REQUEST."""
    if not body.strip():
        return {}
    try:
        members = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ADMIN_REQUEST(text=f"the body is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise ADMIN_REQUEST(text="the body must be a JSON object")
    return members


def _whole(status: int, content_type: str, body: bytes) -> Answer:
    return Answer(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))], body)
