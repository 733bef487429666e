"""A server for the app: waitress, in a thread or as a process.

Measured against nine others: pure Python, starts in 2 ms on any free port, stops cleanly, answers what is in flight.
Three things of it are changed here: an answer leaves in one write, what it refuses itself is refused in the words of
the API, and a body that is too long is drained before the connection closes, so that the client sees the answer.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask, WSGITask  # type: ignore[import-untyped]
from waitress.wasyncore import dispatcher  # type: ignore[import-untyped]

from .. import errors
from ..errors import ConnectionDropped, QldbError
from ..wire.model import SESSION_TARGET
from .gateway import Answer, Gateway

DEFAULT_THREADS = 16
CONNECTION_LIMIT = 500
# Drivers keep connections in a pool and may use one after a long pause: none is closed for being idle (wire.md 8).
IDLE_SECONDS = 3600
STOP_SECONDS = 3
# In a process of our own: a short statement waits for its turn beside a long scan at most this long (default: 5 ms).
SWITCH_SECONDS = 0.001
_DRAIN_SECONDS = 2
# More requests than threads is no news: they wait their turn.
_queue_logger = logging.getLogger("qldb_emulator.web.queue")
_queue_logger.setLevel(logging.ERROR)
_TOO_LONG = (413, 431)
_RECEIVE_BYTES = 65_536
_BACKLOG = 1024


class ListenError(Exception):
    """The address cannot be listened on; the text says which and why."""


class PortInUseError(ListenError):
    """Somebody else listens on the port already."""


class Server:
    """Serves one app.

    port: 0 for any free one; after ``start()`` ``host``, ``port`` and ``url`` say what it became.

    In a test or fixture: ``start()`` ... ``stop()``, or ``with Server(app) as server``.  As a process:
    ``serve_forever()``, which returns after ``request_stop()``; that one is safe in a signal handler.
    """

    def __init__(self, app: Flask, host: str = "127.0.0.1", port: int = 0, threads: int = DEFAULT_THREADS) -> None:
        self._app = app
        self._threads = threads
        self.host = host
        self.port = port
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._stop_requests: SimpleQueue[None] = SimpleQueue()

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and serve in a thread of its own.  Raises PortInUseError or ListenError."""
        assert self._thread is None, "a server starts once"
        # The port before the threads: if it is not to be had, there is nothing to clean up.
        listener = _listen(self.host, self.port)
        self.host, self.port = listener.getsockname()[:2]
        self._server = _waitress(self._app, listener, self._threads)
        self._thread = threading.Thread(target=self._server.run, name="qldb-emulator-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking requests, answer those in flight (at most STOP_SECONDS), close every connection.

        Idempotent; a server that was never started has nothing to stop.
        """
        if self._thread is None or not self._thread.is_alive():
            return
        # What belongs to the server's loop is closed by the loop: a file descriptor closed under a running poll may
        # by then be somebody else's.
        self._in_loop(lambda: dispatcher.close(self._server))
        self._server.task_dispatcher.shutdown(cancel_pending=False, timeout=STOP_SECONDS)
        self._in_loop(self._close_all)
        self._thread.join()

    def serve_forever(self) -> None:
        """Serve until ``request_stop()``, then stop.  Starts if need be.

        For a process of its own: sets the interpreter's thread switch interval.
        """
        sys.setswitchinterval(SWITCH_SECONDS)
        if self._thread is None:
            self.start()
        try:
            self._stop_requests.get()
        finally:
            self.stop()

    def request_stop(self) -> None:
        """Make ``serve_forever()`` return.  Safe in a signal handler: SimpleQueue.put may interrupt itself."""
        self._stop_requests.put(None)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _in_loop(self, action: Any) -> None:
        trigger = self._server.trigger
        # pull_trigger() writes after it has let go of the lock: the action may have closed the descriptor by then.
        with trigger.lock:
            trigger.thunks.append(action)
            trigger._physical_pull()

    def _close_all(self) -> None:
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()


def _waitress(app: Flask, listener: socket.socket, threads: int) -> Any:
    gateway: Gateway = app.extensions["qldb_gateway"]
    server = create_server(
        app,
        sockets=[listener],
        threads=threads,
        connection_limit=CONNECTION_LIMIT,
        channel_timeout=IDLE_SECONDS,
        recv_bytes=_RECEIVE_BYTES,
        # waitress refuses at the number itself; the app's own check is exact.
        max_request_body_size=gateway.request_bytes + 1,
        clear_untrusted_proxy_headers=False,  # nothing here believes a proxy header
        ident="qldb-emulator",
    )
    server.channel_class = _channel_class(gateway)
    server.task_dispatcher.queue_logger = _queue_logger
    return server


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on the first address of a host, IPv4 before IPv6."""
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


class _OneWriteTask(WSGITask):  # type: ignore[misc]
    """Sends head and body together: one packet for a client to wait for, one system call for us."""

    wrote_header: bool

    def execute(self) -> None:
        try:
            super().execute()
        except ConnectionDropped:
            self.wrote_header = True  # nothing is owed any more
            self.close_on_finish = True

    def write(self, data: bytes) -> None:
        if self.wrote_header or not data or self.chunked_response or self.content_length != len(data):
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written = len(data)
        self.channel.write_soon(head + data if self.has_body else head)


class _RefusalTask(ErrorTask):  # type: ignore[misc]
    """Answers what the server itself refuses: not HTTP, too long, not supported."""

    gateway: Gateway

    def execute(self) -> None:
        refused = self.request.error
        is_session = self.request.headers.get("X_AMZ_TARGET") == SESSION_TARGET
        problem = _problem(refused.code, refused.body, self.gateway.request_bytes)
        self._send(self.gateway.refuse(problem, "qldb-session" if is_session else "qldb"))
        if refused.code in _TOO_LONG:
            _drain(self.channel.socket)

    def _send(self, answer: Answer) -> None:
        self.status = answer.status_line
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.channel.write_soon(self.build_response_header() + answer.body)
        self.wrote_header = True


def _problem(code: int, text: str, request_bytes: int) -> QldbError:
    if code == 413:
        return errors.REQUEST_TOO_LARGE(limit=request_bytes)
    if code >= 500 and code != 501:
        return errors.SERVICE_FAILURE()
    return errors.SERIALIZATION(text=f"The request is not valid HTTP: {text}")


def _drain(connection: socket.socket) -> None:
    """Read and drop what the client still sends, so that closing does not destroy the answer on its way."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    try:
        connection.shutdown(socket.SHUT_WR)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while (rest := deadline - time.monotonic()) > 0:
                if not selector.select(rest) or not connection.recv(_RECEIVE_BYTES):
                    return
    except OSError:
        return  # the client is gone, and with it the reason to wait


def _channel_class(gateway: Gateway) -> type[HTTPChannel]:
    refusal_task = type("RefusalTask", (_RefusalTask,), {"gateway": gateway})
    return type("Channel", (HTTPChannel,), {"task_class": _OneWriteTask, "error_task_class": refusal_task})
