"""Tells whether the client of a connection is still there."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

# Linux reports that the other side has closed even while unread bytes wait.
_CLOSED = getattr(select, "POLLRDHUP", 0)


def watch(connection: socket.socket) -> Callable[[], bool]:
    """Return a function that tells, without reading, whether the client has closed a connection.

    Any thread may call it, also after the connection was closed.  A client that only ends its own half counts as gone,
    as it does for nginx and Go's net/http: the two cannot be told apart before something is sent.
    """
    if _CLOSED:
        return lambda: _poll(connection)
    return lambda: _peek(connection)


def _poll(connection: socket.socket) -> bool:
    descriptor = connection.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, _CLOSED)  # errors and hang-ups are reported in any case
    return bool(poll.poll(0))


def _peek(connection: socket.socket) -> bool:
    """Return the same for systems where poll cannot tell.

    Misses a client that sent more bytes before it left.  Under TLS that is each one: its good-bye is such bytes.
    """
    descriptor = connection.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # A connection with a time-out of Python's waits in recv whatever its flags say, so poll is asked first.
    if not poll.poll(0):
        return False
    try:
        # The base class's method: an encrypted connection refuses flags, but has the same descriptor.
        return not socket.socket.recv(connection, 1, socket.MSG_PEEK)
    except OSError:
        return True
