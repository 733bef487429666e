"""An HTTP/1.1 server for a dispatcher: a thread a connection, one write an answer.

Clients of QLDB hold few connections open for long and send a short request at a time, so what counts is the way from
one recv to one send.  Measured against waitress, on which this began: a driver's transaction costs a tenth less, and
three of its habits no longer need changing from outside (docs/design/002-own-front.md).

Kept small on purpose: no TLS, no upgrade, no multi-process; what is not understood is refused in the words of the API.
"""

from __future__ import annotations

import errno
import io
import logging
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote_to_bytes

from .. import errors
from ..errors import ConnectionDropped, QldbError
from ..wire.model import SESSION_TARGET
from .dates import http_date
from .dispatch import Dispatcher
from .gateway import is_session_request
from .turns import Turns

CONNECTION_LIMIT = 1000
# Drivers keep connections in a pool and may use one after a long pause: none is closed for being idle (wire.md 8).
IDLE_SECONDS = 3600
STOP_SECONDS = 3
HEAD_BYTES = 65_536
_DRAIN_SECONDS = 2
_RECEIVE_BYTES = 65_536
_BACKLOG = 1024
_CHUNK_LINE_BYTES = 256
_IDENT = "qldb-emulator"

logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VERSION = re.compile(r"HTTP/1\.[01]\Z")


class ListenError(Exception):
    """The address cannot be listened on; the text says which and why."""


class PortInUseError(ListenError):
    """Somebody else listens on the port already."""


class Server:
    """Serves one dispatcher.

    port: 0 for any free one; ``port`` and ``url`` say after the start which it became.

    In a test or fixture: ``start()`` ... ``stop()``, or ``with Server(dispatcher) as server``.  As a process:
    ``serve_forever()``, which returns after ``request_stop()``; that one is safe in a signal handler.
    """

    def __init__(self, dispatcher: Dispatcher, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.wsgi: Callable[[dict[str, Any], Any], Iterable[bytes]] = dispatcher
        self.gateway = dispatcher.gateway
        self.is_stopping = False
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._connections: dict[_Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stop_requests: SimpleQueue[None] = SimpleQueue()

    @property
    def url(self) -> str:
        """The endpoint for a client on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and serve in a thread of its own.  Raises PortInUseError or ListenError."""
        assert self._thread is None, "a server starts once"
        self._listener = _listen(self.host, self.port)
        self.host, self.port = self._listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept, name="qldb-emulator-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking requests, answer those in flight (at most STOP_SECONDS), close every connection.

        Idempotent; a server that was never started has nothing to stop.
        """
        if self._thread is None or self._listener is None:
            return
        self.is_stopping = True
        self._wake_acceptor()
        self._thread.join()
        self._listener.close()
        self._listener = None
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            connections = list(self._connections.items())
        for connection, _ in connections:
            connection.close_when_idle()
        for connection, thread in connections:
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                connection.abandon()
                thread.join(STOP_SECONDS)

    def serve_forever(self) -> None:
        """Serve until ``request_stop()``, then stop.  Starts if need be.

        For a process of its own: sets the interpreter's thread switch interval (see ``turns``).
        """
        self.gateway.turns = Turns()
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

    # --- connections -------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None
        while not self.is_stopping:
            try:
                accepted, address = self._listener.accept()
            except OSError as error:
                if self.is_stopping:
                    return
                # Out of descriptors, or the client was gone before its turn: neither is a reason to stop serving.
                logger.warning("a connection could not be accepted: %s", error)
                time.sleep(0.05 if error.errno in (errno.EMFILE, errno.ENFILE) else 0)
                continue
            self._begin(accepted, address)

    def _begin(self, accepted: socket.socket, address: Any) -> None:
        connection = _Connection(self, accepted, address)
        with self._lock:
            if self.is_stopping or len(self._connections) >= CONNECTION_LIMIT:
                accepted.close()
                return
            thread = threading.Thread(target=connection.run, name="qldb-emulator-connection", daemon=True)
            self._connections[connection] = thread
        thread.start()

    def ended(self, connection: _Connection) -> None:
        """A connection's thread is about to end."""
        with self._lock:
            self._connections.pop(connection, None)

    def _wake_acceptor(self) -> None:
        """Make ``accept`` return: a connection from ourselves does, on every system."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        with socket.socket(family, socket.SOCK_STREAM) as waker:
            waker.settimeout(1)
            try:
                waker.connect((host, self.port))
            except OSError as error:
                # The backlog is full, so the acceptor is awake anyway.
                logger.debug("the acceptor was not woken: %s", error)


class _HangUp(Exception):
    """The client is gone, or was silent for too long: there is nobody to answer."""


class _Connection:
    """One client's connection: requests come and are answered one after the other."""

    def __init__(self, server: Server, accepted: socket.socket, address: Any) -> None:
        self._server = server
        self._socket = accepted
        self._every_environ: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": server.host,
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": str(address[0]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        self._buffer = b""
        self._is_busy = False
        self._dates = _DATES

    def close_when_idle(self) -> None:
        """Close now if no request is under way; else the thread does when it has answered."""
        if not self._is_busy:
            self.abandon()

    def abandon(self) -> None:
        """Close whatever is under way."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed already, by either side

    def run(self) -> None:
        """The life of the connection.  Never raises."""
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The kernel's own time-out: Python's would cost a poll for every recv.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", IDLE_SECONDS, 0))
            while self._serve_one() and not self._server.is_stopping:
                pass
        except (OSError, _HangUp, ConnectionDropped) as reason:
            logger.debug("connection from %s ended: %r", self._every_environ["REMOTE_ADDR"], reason)
        except Exception:
            logger.exception("a connection failed")
        finally:
            self._server.ended(self)
            self._socket.close()

    # --- one request -------------------------------------------------------------------------------------------

    def _serve_one(self) -> bool:
        """Answer one request; whether another may follow."""
        self._is_busy = bool(self._buffer)
        environ: dict[str, Any] = {}
        try:
            head = self._read_head()
            environ = self._environ(head)
            keeps_alive = _keeps_alive(environ)
            body = self._read_body(environ)
        except QldbError as refusal:
            self._refuse(refusal, environ)
            return False
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        if is_session_request(environ):
            # What the dispatcher would do, too; but three or four requests to a transaction feel every layer.
            answer = self._server.gateway.send_command(environ)
            try:
                self._socket.sendall(self._head(answer.status_line, answer.headers, keeps_alive, None) + answer.body)
            finally:
                if answer.after_response is not None:
                    answer.after_response()
        else:
            self._answer(environ, keeps_alive)
        self._is_busy = bool(self._buffer)
        return keeps_alive

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError as error:
            raise _HangUp("silent for too long") from error
        if not data:
            raise _HangUp("closed by the client")
        self._is_busy = True
        return data

    def _read_head(self) -> str:
        buffer = self._buffer
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > HEAD_BYTES:
                raise errors.SERIALIZATION(text=f"The request is not valid HTTP: its head has over {HEAD_BYTES} bytes")
            buffer = buffer + self._receive() if buffer else self._receive().lstrip(b"\r\n")
        self._buffer = buffer[end + 4 :]
        return buffer[:end].decode("latin-1")

    def _environ(self, head: str) -> dict[str, Any]:
        first, *lines = head.split("\r\n")
        environ = self._every_environ.copy()
        environ.update(_REQUEST_LINES.get(first) or _request_line(first))
        names = _ENVIRON_NAMES
        for line in lines:
            name, colon, value = line.partition(":")
            key = names.get(name) or _environ_name(name, colon)
            value = value.strip(" \t")
            if key in environ:
                if key == "CONTENT_LENGTH" and environ[key] != value:
                    raise _not_http("two different lengths")
                value = value if key == "CONTENT_LENGTH" else f"{environ[key]},{value}"
            environ[key] = value
        return environ

    # --- the body ----------------------------------------------------------------------------------------------

    def _read_body(self, environ: dict[str, Any]) -> bytes:
        encoding = environ.get("HTTP_TRANSFER_ENCODING")
        length = environ.get("CONTENT_LENGTH")
        if encoding is not None:
            if encoding.lower() != "chunked":
                raise _not_http(f"the transfer encoding {encoding[:80]} is not supported")
            if length is not None:
                raise _not_http("both a length and a transfer encoding")
            self._continue(environ)
            return self._read_chunks()
        if length is None:
            return b""
        if not (length.isascii() and length.isdigit()):
            raise errors.SERIALIZATION(text="Content-Length is not a number")
        size = int(length) if len(length) < 19 else sys.maxsize
        self._check_size(size)
        if size > len(self._buffer):
            self._continue(environ)
        return self._take(size)

    def _check_size(self, size: int) -> None:
        limit = self._server.gateway.request_bytes
        if size > limit:
            raise errors.REQUEST_TOO_LARGE(limit=limit)

    def _continue(self, environ: dict[str, Any]) -> None:
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, size: int) -> bytes:
        """The next *size* bytes."""
        buffer = self._buffer
        if len(buffer) < size:
            pieces, missing = [buffer], size - len(buffer)
            while missing > 0:
                piece = self._receive()
                pieces.append(piece)
                missing -= len(piece)
            buffer = b"".join(pieces)
        self._buffer = buffer[size:]
        return buffer[:size]

    def _read_chunks(self) -> bytes:
        pieces: list[bytes] = []
        total = 0
        while True:
            line = self._read_line()
            digits = line.split(b";", 1)[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
                raise _not_http("a chunk without a size")
            size = int(digits, 16)
            if size == 0:
                break
            total += size
            self._check_size(total)
            pieces.append(self._take(size))
            if self._take(2) != b"\r\n":
                raise _not_http("a chunk that does not end")
        while self._read_line():
            pass  # trailers say nothing that matters here
        return b"".join(pieces)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _CHUNK_LINE_BYTES:
                raise _not_http("a chunk without a size")
            self._buffer += self._receive()
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    # --- the answer --------------------------------------------------------------------------------------------

    def _answer(self, environ: dict[str, Any], keeps_alive: bool) -> None:
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            begun[:] = status, headers

        try:
            result = self._server.wsgi(environ, start_response)
        except ConnectionDropped:
            raise
        except Exception:
            logger.exception("the application failed")
            self._refuse(errors.SERVICE_FAILURE(), environ)
            raise _HangUp("the application failed") from None
        try:
            status, headers = begun
            is_head = environ["REQUEST_METHOD"] == "HEAD"
            names = {name.lower() for name, _ in headers}
            if type(result) is list or "content-length" in names:
                body = b"".join(result)
                length = None if "content-length" in names else len(body)
                head = self._head(status, headers, keeps_alive, length)
                self._socket.sendall(head if is_head else head + body)
                return
            self._stream(status, headers, result, is_head, environ["SERVER_PROTOCOL"])
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _stream(
        self, status: str, headers: list[tuple[str, str]], pieces: Iterable[bytes], is_head: bool, protocol: str
    ) -> None:
        """Send an answer of unknown length piece by piece; the connection ends with it."""
        chunked = protocol == "HTTP/1.1"
        framing = [("Transfer-Encoding", "chunked")] if chunked else []
        self._socket.sendall(self._head(status, [*headers, *framing], False, None))
        if is_head:
            raise _HangUp("nothing more to say")
        for piece in pieces:
            if self._server.is_stopping:
                break
            if piece:
                self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._socket.sendall(b"0\r\n\r\n")
        raise _HangUp("the stream is over")

    def _head(self, status: str, headers: list[tuple[str, str]], keeps_alive: bool, length: int | None) -> bytes:
        lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if not keeps_alive:
            lines.append("Connection: close")
        lines.append(f"Date: {self._dates.now()}\r\nServer: {_IDENT}\r\n\r\n")
        return "\r\n".join(lines).encode("latin-1")

    def _refuse(self, refusal: QldbError, environ: dict[str, Any]) -> None:
        """Answer what never reached the app, and close without destroying the answer on its way."""
        is_session = environ.get("HTTP_X_AMZ_TARGET") == SESSION_TARGET
        answer = self._server.gateway.refuse(refusal, "qldb-session" if is_session else "qldb")
        names = {name.lower() for name, _ in answer.headers}
        length = None if "content-length" in names else len(answer.body)
        self._socket.sendall(self._head(answer.status_line, answer.headers, False, length) + answer.body)
        self._drain()

    def _drain(self) -> None:
        """Read and drop what the client still sends: closing over unread bytes would reset the connection."""
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(_DRAIN_SECONDS)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline and self._socket.recv(_RECEIVE_BYTES):
            pass


def _request_line(line: str) -> dict[str, str]:
    """What a request line says, for the environ."""
    parts = line.split(" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not _VERSION.match(parts[2]):
        raise _not_http("no request line")
    method, target, version = parts
    if target.startswith(("http://", "https://")):  # the form that proxies are sent
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "RAW_URI": target,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": version,
    }


_REQUEST_LINES = {line: _request_line(line) for line in ("POST / HTTP/1.1",)}  # of every session request
_ENVIRON_NAMES: dict[str, str] = {}
_ENVIRON_NAMES_MAX = 1000  # clients send some dozens; somebody who invents names must not fill the memory


def _environ_name(name: str, colon: str) -> str:
    if not colon or not _TOKEN.match(name):
        raise _not_http("a header without a name")
    upper = name.upper().replace("-", "_")
    key = upper if upper in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{upper}"
    if len(_ENVIRON_NAMES) < _ENVIRON_NAMES_MAX:
        _ENVIRON_NAMES[name] = key
    return key


def _keeps_alive(environ: dict[str, Any]) -> bool:
    wish: str = environ.get("HTTP_CONNECTION", "").lower()
    if environ["SERVER_PROTOCOL"] == "HTTP/1.0":
        return False
    return "close" not in wish


def _not_http(reason: str) -> QldbError:
    return errors.SERIALIZATION(text=f"The request is not valid HTTP: {reason}")


class _Dates:
    """The value of the Date header, made once a second."""

    def __init__(self) -> None:
        self._made = (-1.0, "")

    def now(self) -> str:
        """The present, as HTTP writes it.  Clients correct their clocks by it, so it must be true (wire.md 3.2)."""
        tick = time.monotonic()
        until, text = self._made
        if tick >= until:
            text = http_date()
            self._made = (tick + 0.5, text)
        return text


_DATES = _Dates()


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
