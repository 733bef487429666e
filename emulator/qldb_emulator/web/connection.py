"""One client's connection, in a thread of its own: it answers one request after the other.

Clients of QLDB hold few connections open for long and send a short request at a time, so what counts is the way from
one recv to one send (docs/design/002-own-front.md).
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import REQUEST_TOO_LARGE, SERIALIZATION, TOO_MANY_CONNECTIONS, ConnectionDropped, QldbError
from .answer import Answer, HeldAnswer, Stream, encode_head
from .crowd import After, Crowd
from .dispatch import Dispatcher
from .gateway import CONTROL, is_session_request, service_of
from .http1 import BodyTooLargeError, HttpError, Request, RequestParser, TlsClientError
from .occasionally import OccasionalLog
from .peer import watch

if TYPE_CHECKING:
    import ssl

# Drivers keep connections in a pool and may use one after a long pause, so idle connections are not closed.
IDLE_SECONDS = 3600
PIECE_SECONDS = 60
"""The longest silence within a request that has begun."""
REQUEST_SECONDS = 300
"""The longest that a request may take to arrive."""
SEND_SECONDS = 300
"""The longest that a client may leave an answer unread while the system's buffers are full."""
HANDSHAKE_SECONDS = 10
"""The longest that a TLS handshake may take."""
REFUSAL_SECONDS = 2
"""The longest life of a connection beyond the maximum number."""
REQUESTS_OUTSIDE = 64
"""After a request that had to wait, such as for its turn after a conflict, a connection is not parked for so many
requests: the next ones probably wait, too, and each would need a change of the crowd's reader."""
_DRAIN_SECONDS = 2
_RECEIVE_BYTES = 65_536
_TLS_HANDSHAKE = b"\x16"  # the first byte of every TLS connection (RFC 8446, 5.1)

logger = logging.getLogger(__name__)
_tls_to_plain = OccasionalLog(logger)
_plain_to_tls = OccasionalLog(logger)
_handshake_failed = OccasionalLog(logger)


class _HangUp(Exception):
    """The connection must end: the client is gone, was silent for too long, or gets no more answers."""


class Connection:
    """A connection that was accepted.

    is_stopping: whether the server stops; called after every request.  tls: how to speak TLS; None for plain HTTP.
    crowd: where the connection is parked between requests while many clients are busy; None if it never is.
    """

    def __init__(
        self,
        accepted: socket.socket,
        address: Any,
        dispatcher: Dispatcher,
        is_stopping: Callable[[], bool],
        tls: ssl.SSLContext | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        self._socket = accepted
        self._address = str(address[0])
        self._dispatcher = dispatcher
        self._is_stopping = is_stopping
        self._tls = tls
        self._parser = RequestParser(dispatcher.gateway.limits.request_bytes)
        self._is_busy = False
        self._crowd = crowd
        self._handed: Request | Exception | None = None  # what a reader of the crowd received, for this thread
        self._held: tuple[HeldAnswer, Request] | None = None
        self._unsent = b""  # the rest of an answer for which the system's buffers had no space; for this thread
        self._outside = 0  # for how many requests it is not parked
        self._active_at = 0.0  # when the last request came while parked; time.monotonic()
        self._wakes = threading.Lock()
        self._wakes.acquire()

    def close_when_idle(self) -> None:
        """Close now if no request is running; otherwise the thread does after its answer.  For other threads."""
        if not self._is_busy:
            self.abandon()

    def abandon(self) -> None:
        """Close even if a request is running.  For other threads."""
        try:
            # Below TLS: TLS's own shutdown would remove the encryption under the thread that reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # closed already, by either side

    def run(self) -> None:
        """Serve the connection until it ends.  Never raises."""
        self._live(self._serve)

    def refuse(self) -> None:
        """Answer one request with status 503: this connection is one too many.  Never raises."""
        self._live(self._refuse_one)

    def _live(self, serve: Callable[[], None]) -> None:
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Time-outs in the kernel: Python's would cost a poll for every recv.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
            if self._tls is not None:
                self._start_tls(self._tls)
            self._is_client_gone = watch(self._socket)  # TLS takes the descriptor from the accepted socket
            self._set_silence(IDLE_SECONDS)
            serve()
        except (OSError, _HangUp, ConnectionDropped) as reason:
            logger.debug("connection from %s ended: %r", self._address, reason)
        except Exception:
            logger.exception("a connection failed")
        finally:
            self._socket.close()

    def _serve(self) -> None:
        crowd = self._crowd
        is_open = True
        while is_open:
            if crowd is not None and not self._is_busy and crowd.wants_more:
                if self._outside:
                    self._outside -= 1
                else:
                    self._park(crowd)
            is_open = self._serve_one() and not self._is_stopping()

    # --- one request -------------------------------------------------------------------------------------------

    def _serve_one(self) -> bool:
        """Answer one request.  Return whether another may follow."""
        try:
            request = self._read_request()
        except HttpError as error:
            self._refuse_bytes(error)
            return False
        request.is_client_gone = self._is_client_gone
        if self._tls is not None:
            request.is_secure = True
        answer = self._dispatcher.respond(request)
        if isinstance(answer, Stream):
            self._send_stream(answer, request)
            return False
        return self._send(answer, request, None)

    def _send(self, answer: Answer, request: Request, later: list[Callable[[], None]] | None) -> bool:
        """Send an answer.  Return whether another request may follow.

        later: takes what is to be done after the answer; None to do it now.
        """
        keeps_alive = request.keeps_alive
        body = b"" if request.method == "HEAD" else answer.body
        try:
            data = encode_head(answer.status_line, answer.headers, keeps_alive) + body
            if later is None:
                self._socket.sendall(data)
            else:
                self._send_without_wait(data)
        finally:
            if answer.after_response is not None:
                if later is None:
                    answer.after_response()
                else:
                    later.append(answer.after_response)
        # A request that has arrived already is served before a stop closes the connection, and an answer is sent.
        self._is_busy = self._parser.has_begun or bool(self._unsent)
        return keeps_alive

    def _read_request(self) -> Request:
        if self._unsent:
            self._send_rest()
        handed, self._handed = self._handed, None
        if isinstance(handed, Exception):
            raise handed
        if handed is not None:
            return handed
        if self._is_busy:
            request = self._parser.next_request()
        else:
            data = self._receive()
            self._is_busy = True
            request = self._parser.feed(data)
        return self._read_rest() if request is None else request

    def _read_rest(self) -> Request:
        """Return a request whose first bytes are here.

        The rest must come in time, so that slow clients hold no thread.
        """
        deadline = time.monotonic() + REQUEST_SECONDS
        self._set_silence(PIECE_SECONDS)
        while time.monotonic() < deadline:
            if self._parser.take_continue():
                self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request = self._parser.feed(self._receive())
            if request is not None:
                self._set_silence(IDLE_SECONDS)
                return request
        raise _HangUp("a request that took too long to arrive")

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, TimeoutError) as error:
            raise _HangUp("silent for too long") from error
        if not data:
            raise _HangUp("closed by the client")
        return data

    def _set_silence(self, seconds: int) -> None:
        """How long recv waits."""
        if self._tls is None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))
        else:
            self._socket.settimeout(seconds)  # under TLS, a kernel time-out would only cause another read

    # --- in a crowd (see ``crowd``) ----------------------------------------------------------------------------

    def _park(self, crowd: Crowd) -> None:
        """Let the crowd's reader answer the next requests.  Return when this thread has to go on."""
        self._active_at = time.monotonic()
        crowd.keep(self)
        seconds: float = IDLE_SECONDS
        while not self._wakes.acquire(timeout=seconds):
            seconds = self._active_at + IDLE_SECONDS - time.monotonic()
            if seconds <= 0:
                self.abandon()  # the reader finds the end, and gives the connection back
                seconds = IDLE_SECONDS

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def go_on(self, had_to_wait: bool = False) -> None:
        """Wake this connection's thread.  For the crowd.  had_to_wait: within a request."""
        if had_to_wait:
            self._outside = REQUESTS_OUTSIDE - 1  # the first follows without a question whether to park
        self._wakes.release()

    def answer_now(self, later: list[Callable[[], None]]) -> After:
        """Answer what has arrived, if it is a request of the session API.  For the crowd's reader.  Never raises.

        If it is anything else, the connection's thread goes on with it.
        """
        try:
            try:
                data = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return After.STAYS  # nothing arrived after all
            if not data:
                raise _HangUp("closed by the client")
            self._is_busy = True
            self._active_at = time.monotonic()
            request = self._parser.feed(data)
            if request is None or not is_session_request(request):
                self._handed = request
                return After.GOES_ON
            request.is_client_gone = self._is_client_gone
            answer = self._dispatcher.respond_in_crowd(request)
            if isinstance(answer, HeldAnswer):
                self._held = answer, request
                return After.IS_HELD
            return self._send_in_crowd(answer, request, later)
        except Exception as error:
            self._handed = error
            return After.GOES_ON

    def answer_held(self, later: list[Callable[[], None]]) -> After:
        """Send the answer that was held, when the disk has what it promises.  For the crowd.  Never raises."""
        assert self._held is not None
        (answer, request), self._held = self._held, None
        try:
            return self._send_in_crowd(answer.complete(), request, later)
        except Exception as error:
            self._handed = error
            return After.GOES_ON

    def _send_in_crowd(self, answer: Answer, request: Request, later: list[Callable[[], None]]) -> After:
        if not self._send(answer, request, later) or self._is_stopping():
            raise _HangUp("no more requests")
        # If bytes of the next request are here, the poll does not know of them.
        return After.GOES_ON if self._is_busy else After.STAYS

    def _send_without_wait(self, data: bytes) -> None:
        """Send what the system takes now, and leave the rest to the connection's thread.

        A client that does not read its answers would otherwise hold up the answers to the commits of others, which
        are sent one after the other.
        """
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        self._unsent = data[sent:]

    def _send_rest(self) -> None:
        """Send what a reader of the crowd left of an answer, in the connection's own thread."""
        self._socket.sendall(self._unsent)
        self._unsent = b""
        self._is_busy = self._parser.has_begun
        if self._is_stopping() and not self._is_busy:
            raise _HangUp("no more requests")

    # --- TLS ---------------------------------------------------------------------------------------------------

    def _start_tls(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake, in this thread: a slow client must not keep others from being accepted."""
        self._socket.settimeout(HANDSHAKE_SECONDS)
        first = self._socket.recv(1, socket.MSG_PEEK)
        if first and first != _TLS_HANDSHAKE:
            self._refuse_plain()
        plain = self._socket
        try:
            self._socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self._socket.do_handshake()
        except OSError as error:
            # The usual cause is a client that does not trust the certificate: it sends an alert.
            _handshake_failed.warn("the TLS handshake with %s failed: %s", self._address, error)
            raise _HangUp("no TLS") from error

    def _refuse_plain(self) -> None:
        """Answer plain HTTP in plain HTTP: a client that expects it can read nothing else."""
        _plain_to_tls.warn("%s speaks plain HTTP, but the server speaks TLS: use an https:// URL", self._address)
        text = "This server speaks TLS: use an https:// URL"
        self._send_refusal(self._dispatcher.gateway.refuse(SERIALIZATION(text=text), CONTROL))
        raise _HangUp("no TLS")

    # --- refusals ----------------------------------------------------------------------------------------------

    def _refuse_bytes(self, error: HttpError) -> None:
        """Answer bytes that could not be read as a request."""
        service = CONTROL
        if isinstance(error, BodyTooLargeError):
            service = service_of(error.request)
            refusal: QldbError = REQUEST_TOO_LARGE(limit=self._dispatcher.gateway.limits.request_bytes)
        else:
            refusal = SERIALIZATION(text=f"The request is not valid HTTP: {error}")
        if isinstance(error, TlsClientError):
            _tls_to_plain.warn(
                "%s speaks TLS, but the server speaks plain HTTP: use an http:// URL, or start it with --tls",
                self._address,
            )
        self._send_refusal(self._dispatcher.gateway.refuse(refusal, service))

    def _refuse_one(self) -> None:
        self._set_silence(REFUSAL_SECONDS)
        deadline = time.monotonic() + REFUSAL_SECONDS
        service = CONTROL
        try:
            request = None
            while request is None and time.monotonic() < deadline:
                request = self._parser.feed(self._receive())
            service = CONTROL if request is None else service_of(request)
        except (HttpError, _HangUp) as reason:
            logger.debug("connection from %s is one too many, and not a request either: %r", self._address, reason)
        limit = self._dispatcher.gateway.limits.connections
        self._send_refusal(self._dispatcher.gateway.refuse(TOO_MANY_CONNECTIONS(limit=limit), service))

    def _send_refusal(self, answer: Answer) -> None:
        """Send an answer and close gently: closing with unread bytes would reset the connection and lose the answer."""
        self._socket.sendall(encode_head(answer.status_line, answer.headers, False) + answer.body)
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(_DRAIN_SECONDS)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline and self._socket.recv(_RECEIVE_BYTES):
            pass

    # --- answers of unknown length -----------------------------------------------------------------------------

    def _send_stream(self, stream: Stream, request: Request) -> None:
        """Send an answer of unknown length piece by piece; the connection ends with it."""
        is_chunked = not request.is_http10
        framing = [("Transfer-Encoding", "chunked")] if is_chunked else []
        try:
            self._socket.sendall(encode_head(stream.status_line, [*stream.headers, *framing], False))
            if request.method == "HEAD":
                return
            for piece in stream.pieces:
                if self._is_stopping() or (not piece and self._is_client_gone()):
                    break
                if piece:
                    self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            if is_chunked:
                self._socket.sendall(b"0\r\n\r\n")
        finally:
            stream.close()
