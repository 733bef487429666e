"""An HTTP/1.1 server for a dispatcher: a thread for each connection, one write for an answer.

``connection`` serves a connection, ``http1`` parses its bytes, and docs/design/002-own-front.md says why the server is
ours.  No upgrade, no HTTP/2, no second process.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .connection import Connection
from .dispatch import Dispatcher
from .listening import listen, reachable, wake
from .occasionally import OccasionalLog
from .stopping import StopRequest
from .turns import Turns

if TYPE_CHECKING:
    import ssl

STOP_SECONDS = 0.8
"""How long a stop waits for running requests: ``docker stop`` and users take two seconds for a hang."""
ABANDON_SECONDS = 0.5
"""How long it then waits, in total, for the threads whose connections it has closed."""
REFUSALS_MAX = 64
"""Connections beyond the limit that get a refusal at the same time; others wait to be accepted."""
_SPARE_DESCRIPTORS = 1_000  # beside those of connections: ledgers, the standard library
_OUT_OF_DESCRIPTORS_SECONDS = 0.05

logger = logging.getLogger(__name__)
_too_many = OccasionalLog(logger)
_not_accepted = OccasionalLog(logger)


class Server:
    """Serves one dispatcher.

    host: where to listen; ``host`` becomes the address.  port: 0 for any free one; ``port`` and ``url`` say after the
    start which it became.  tls: to speak TLS.

    In a test or fixture: ``start()`` ... ``stop()``, or ``with Server(dispatcher) as server``.  As a process:
    ``serve_forever()``, which returns after ``request_stop()``; that one is safe in a signal handler.
    """

    def __init__(
        self, dispatcher: Dispatcher, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.is_stopping = False
        self._dispatcher = dispatcher
        self._tls = tls
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._connections: dict[Connection, threading.Thread] = {}
        self._refused: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._refusals = threading.Semaphore(REFUSALS_MAX)
        self._stop_request = StopRequest()

    @property
    def url(self) -> str:
        """The endpoint for a client on this machine."""
        host = reachable(self.host)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and serve in a thread of its own.  Raises PortInUseError or ListenError."""
        assert self._thread is None, "a server starts once"
        self._listener = listen(self.host, self.port)
        name = self.host
        self.host, self.port = self._listener.getsockname()[:2]
        self._dispatcher.access.listens_on(name, self.host)
        self._thread = threading.Thread(target=self._accept, name="qldb-emulator-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking requests, answer running ones (at most STOP_SECONDS), close every connection.

        Idempotent; a server that was never started has nothing to stop.
        """
        if self._thread is None or self._listener is None:
            return
        self.is_stopping = True
        try:
            wake(self.host, self.port)
        except OSError as error:
            logger.debug("the acceptor was not woken: %s", error)  # the backlog is full, so it is awake
        self._thread.join()
        self._listener.close()
        self._listener = None
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            connections = [*self._connections.items(), *self._refused.items()]
        for connection, _ in connections:
            connection.close_when_idle()
        for connection, thread in connections:
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                connection.abandon()  # a running statement ends: its client is gone
        deadline += ABANDON_SECONDS
        for _, thread in connections:
            thread.join(max(0, deadline - time.monotonic()))
        self._dispatcher.gateway.close()

    def serve_forever(self) -> None:
        """Serve until ``request_stop()``, then stop.  Starts the server if necessary.

        For a process of its own: sets the interpreter's thread switch interval (see ``turns``) and the limit of open
        files.
        """
        self._dispatcher.gateway.turns = Turns()
        _raise_descriptor_limit(self._dispatcher.gateway.limits.connections + _SPARE_DESCRIPTORS)
        if self._thread is None:
            self.start()
        try:
            self._stop_request.wait()
        finally:
            self.stop()

    def request_stop(self) -> None:
        """Make ``serve_forever()`` return.  Safe in a signal handler."""
        self._stop_request.make()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # --- connections -------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None
        while not self.is_stopping:
            try:
                accepted, address = self._listener.accept()
            except OSError as error:
                if self.is_stopping:
                    return
                # Out of descriptors, or the client left before it was accepted: neither is a reason to stop serving.
                _not_accepted.warn("a connection could not be accepted: %s", error)
                time.sleep(_OUT_OF_DESCRIPTORS_SECONDS if error.errno in (errno.EMFILE, errno.ENFILE) else 0)
                continue
            self._begin(accepted, address)

    def _begin(self, accepted: socket.socket, address: Any) -> None:
        if self.is_stopping:
            accepted.close()
            return
        connection = Connection(accepted, address, self._dispatcher, lambda: self.is_stopping, self._tls)
        limit = self._dispatcher.gateway.limits.connections
        # Only this thread adds connections, so their number can only be lower by now.
        if len(self._connections) < limit:
            self._start_thread(connection, accepted, connection.run, self._connections)
            return
        _too_many.warn(
            "%d connections are open, as many as the limit allows (--limit connections=N): another one was answered "
            "with status 503",
            limit,
        )
        # At this many refusals at once, further connections wait in the system's queue; they get theirs later.
        while not self._refusals.acquire(timeout=0.1):
            if self.is_stopping:
                accepted.close()
                return
        self._start_thread(connection, accepted, connection.refuse, self._refused, self._refusals.release)

    def _start_thread(
        self,
        connection: Connection,
        accepted: socket.socket,
        live: Callable[[], None],
        register: dict[Connection, threading.Thread],
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        """Serve a connection in a thread of its own, and keep it registered meanwhile."""

        def run() -> None:
            try:
                live()
            finally:
                with self._lock:
                    register.pop(connection, None)
                at_end()

        thread = threading.Thread(target=run, name="qldb-emulator-connection", daemon=True)
        with self._lock:
            register[connection] = thread
        try:
            thread.start()
        except RuntimeError as error:  # the system allows no more threads
            _not_accepted.warn("a connection could not be served: %s", error)
            with self._lock:
                register.pop(connection, None)
            at_end()
            accepted.close()


def _raise_descriptor_limit(wanted: int) -> None:
    """Let this process open more files than the usual 1,024, which a thousand connections would use up."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= enough:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    except (OSError, ValueError) as error:
        logger.debug("the limit of open files stays at %d: %s", soft, error)
