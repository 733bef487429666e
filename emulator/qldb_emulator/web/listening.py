"""Opens a listening socket, or raises an error that says why it cannot."""

from __future__ import annotations

import errno
import socket

_BACKLOG = 1024  # connections that wait to be accepted; the system may allow fewer


class ListenError(Exception):
    """The server cannot listen on the address; the text says which and why."""


class PortInUseError(ListenError):
    """Another process listens on the port."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket on the first address of a host, IPv4 before IPv6.  Raises ListenError."""
    if not 0 <= port <= 65_535:  # getaddrinfo takes a larger one modulo 65,536
        raise ListenError(f"Cannot listen on {host}:{port}: a port is a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"Cannot listen on {host}:{port}: {error}") from error
    family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"Port {port} on {host} is in use by another process; choose another port") from error
        raise ListenError(f"Cannot listen on {host}:{port}: {error}") from error
    return listener


def reachable(host: str) -> str:
    """Return an address at which clients on this machine reach a listening address: loopback for "any"."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def wake(host: str, port: int) -> None:
    """Make a blocked ``accept`` return, by a connection to ourselves; this works on every system.  Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as waker:
        waker.settimeout(1)
        waker.connect((reachable(host), port))
