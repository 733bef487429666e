"""What a route of the admin interface is, and what its handler is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from flask import Response

from ..errors import ADMIN_REQUEST
from ..records import dataclass

if TYPE_CHECKING:
    from ..engine.emulator import Emulator
    from .admin import Admin
    from .gateway import Answer

PREFIX = "/_qldb"
_REGION_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """An answer that goes on.  An empty piece only lets the server look whether it is to stop."""

    pieces: Iterator[bytes]
    content_type: str


class Unready(Exception):
    """The server is not ready: status 503."""


@dataclass(slots=True)
class AdminCall:
    """One request.  path: what the rule's placeholders stand for.  body: the members of the JSON object sent."""

    admin: Admin
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def emulator(self) -> Emulator:
        """The emulator in charge."""
        return cast("Emulator", self.admin.emulator)

    @property
    def region(self) -> str:
        """``?region=``, or the server's own.  Raises ADMIN_REQUEST for what cannot be one."""
        region = self.query.get("region") or self.admin.emulator.settings.region
        if not region.replace("-", "").isalnum() or not region.isascii() or len(region) > _REGION_CHARACTERS:
            raise ADMIN_REQUEST(text=f"{region!r} is no region")
        return region

    def text(self, name: str, default: str | None = None) -> str:
        """A text of the body.  Raises ADMIN_REQUEST when it is missing without a default, or no text."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise ADMIN_REQUEST(text=f"the body must be a JSON object with a text {name!r}")
        return value

    def number(self, name: str, default: int, maximum: int) -> int:
        """A number of the query, 0 to maximum.  Raises ADMIN_REQUEST for anything else."""
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


def flask_response(answer: Answer) -> Response:
    """An answer of the gateway's as Flask's, with no header of Flask's own."""
    response = Response(answer.body, status=answer.status)
    response.headers.clear()
    response.headers.extend(answer.headers)
    return response
