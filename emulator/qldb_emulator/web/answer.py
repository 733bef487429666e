"""What goes back to a client, and its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from ..records import dataclass
from ..wire.errors import REASONS
from .dates import DATES

SERVER_NAME = "qldb-emulator"

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, but for Date: the server adds one.

    headers: Content-Length among them.
    after_response: work that is left when the response has been sent; never raises.
    """

    status: int
    headers: Headers
    body: bytes
    after_response: Callable[[], None] | None = None
    reason: str = ""

    @property
    def status_line(self) -> str:
        """``404 Not Found``."""
        return f"{self.status} {self.reason or REASONS[self.status]}"


@dataclass(frozen=True, slots=True)
class Stream:
    """A response whose end is not known when it begins.

    pieces: what to send, in order.  An empty piece only lets the server look whether it is to stop.
    close: to be called when no more pieces are taken.
    """

    status_line: str
    headers: Headers
    pieces: Iterator[bytes]
    close: Callable[[], None] = field(default=lambda: None)


def encode_head(status_line: str, headers: Headers, keeps_alive: bool) -> bytes:
    """A response's head, up to and with the empty line."""
    lines = [f"HTTP/1.1 {status_line}", *[f"{name}: {value}" for name, value in headers]]
    if not keeps_alive:
        lines.append("Connection: close")
    lines.append(f"Date: {DATES.now()}\r\nServer: {SERVER_NAME}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1")
