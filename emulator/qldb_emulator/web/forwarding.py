"""Session requests that belong on another server are sent there, and its answer is the answer.

SDKs keep no cookies, so behind a balancer that goes round any server gets any request.  A session token names its
server.  Which server a new session begins on is told by who owns the ledger.

======================================  ======================================================================
the other server                        the client gets
======================================  ======================================================================
answers                                 that answer, unchanged
is gone; the command is a commit        what the log says: the transaction took place, or ``No such session``
is gone; any other command              ``No such session``, after which drivers begin a new one
is gone; the command is StartSession    a session on this server
======================================  ======================================================================

A server is gone when nothing listens at its address, or when it is silent.  A connection that breaks does not mean
that: what may be asked twice is then asked again on a new connection (``REPEATABLE``), a commit among it.  The other
server then tells a commit that it has finished already from one that never reached it.

A request is forwarded once at most: the server that gets it answers it.
"""

from __future__ import annotations

import http.client
import logging
import select
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..context import RequestContext
from ..engine.session.permissions import authorize_command
from ..errors import NO_OPEN_TRANSACTION, NO_SUCH_SESSION, SERVICE_UNAVAILABLE, QldbError
from ..wire.send_command import serialize_command_result
from .answer import Answer
from .http1 import Request

if TYPE_CHECKING:
    from ..engine.steward import Home, Steward

FORWARDED = "x-qldb-emulator-forwarded"
"""A request with this field is not forwarded again."""
FIRST, AGAIN = "1", "again"
"""Its values.  again: the answer to the same request was lost, so it may have been carried out."""
REPEATABLE = frozenset(("StartSession", "CommitTransaction", "AbortTransaction", "EndSession"))
"""Commands that may be sent again when a connection breaks.  A statement is not among them: it would run twice."""
PAUSES_SECONDS = (0.05, 0.25, 0.5)
"""How long to wait before a request is sent again."""
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 120.0
"""Longer than any command takes: 30 seconds for a transaction, and 60 for a commit whose outcome is not known yet."""
IDLE_MAX = 32
"""Connections to one server that are kept open."""

HEALTH = "/_qldb/health"

_NOT_PASSED_ON = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "expect", "te"))
_NOT_PASSED_BACK = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"))

logger = logging.getLogger(__name__)


class PeerGone(Exception):
    """The other server does not answer."""


class ConnectionBroken(PeerGone):
    """The connection to the other server broke.  The server may be well, and may have got the request."""


class Forwarder:
    """Sends session requests where they belong.

    account: of ARNs, for permissions.  ``trusts`` may be set for servers that speak TLS.
    """

    def __init__(self, steward: Steward, account: str) -> None:
        self._steward = steward
        self._account = account
        self.trusts: ssl.SSLContext | None = None
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def elsewhere(
        self, request: Request, name: str, token: str | None, members: dict[str, Any], context: RequestContext
    ) -> Answer | bytes | None:
        """The answer of another server, or the body of one for it; None when the command is for this server.

        Raises QldbError.
        """
        if token is None and not self._steward.server_id:
            # It listens, and is not one of the servers yet: a session could not name it, nor could others fence it.
            # Commands of sessions elsewhere are served: a commit that is sent again must learn what became of it.
            raise SERVICE_UNAVAILABLE()
        if FORWARDED in request.headers:
            return None
        if token is None:
            if name == "StartSession":
                return self._start_session(request, context.region, members["LedgerName"])
            return None
        home = self._steward.home_of(token)
        if home is None:
            return None
        if home.url is not None:
            try:
                return self._insist(home.url, request, name)
            except PeerGone as error:
                logger.warning("server %s does not answer: %s", home.server_id, error)
        return self._of_a_server_that_is_gone(home, name, members, context)

    def _start_session(self, request: Request, region: str, ledger_name: str) -> Answer | None:
        owner = self._steward.owner_of(region, ledger_name)
        if owner is None:
            return None
        try:
            return self._insist(owner.url, request, "StartSession")
        except PeerGone as error:
            # The session begins here.  That is slower while two servers append, and it is right.
            logger.warning("server %s, which owns %s, does not answer: %s", owner.server_id, ledger_name, error)
            return None

    def _of_a_server_that_is_gone(
        self, home: Home, name: str, members: dict[str, Any], context: RequestContext
    ) -> bytes:
        if name != "CommitTransaction":
            raise NO_SUCH_SESSION()
        ledger_name = self._steward.ledger_name(home.ledger_id)
        if ledger_name is None:
            raise NO_SUCH_SESSION()
        if context.principal is not None:
            authorize_command(context.principal, ledger_name, context.region, self._account)
        # The driver would run the transaction again, so this must be known, and must stay as it is.
        if not self._steward.was_committed(home, members["TransactionId"]):
            raise NO_SUCH_SESSION()
        logger.info("transaction %s had been committed by server %s", members["TransactionId"], home.server_id)
        result = {
            "TransactionId": members["TransactionId"],
            "CommitDigest": members["CommitDigest"],
            "ConsumedIOs": {"ReadIOs": 0, "WriteIOs": 0},
        }
        return serialize_command_result(name, result, 0)

    def instead_of(
        self,
        error: QldbError,
        request: Request,
        name: str,
        token: str | None,
        members: dict[str, Any],
        context: RequestContext,
    ) -> bytes | None:
        """The answer to a commit that this server refused, because it came before; None when the refusal stands.

        A commit may come twice: its connection was lost.  Meanwhile its session may be over, because the others took
        this server for dead.  Or another server lost the connection, and asks again.  Raises QldbError.
        """
        if name != "CommitTransaction" or token is None:
            return None
        is_over = error.message == NO_SUCH_SESSION.text or (
            error.message == NO_OPEN_TRANSACTION.text and request.headers.get(FORWARDED) == AGAIN
        )
        home = self._steward.named_by(token) if is_over else None
        return None if home is None else self._of_a_server_that_is_gone(home, name, members, context)

    # --- HTTP --------------------------------------------------------------------------------------------

    def _insist(self, url: str, request: Request, name: str) -> Answer:
        """Send a request to another server; again when the connection breaks, if that is harmless.  Raises PeerGone."""
        attempt = FIRST
        for pause in PAUSES_SECONDS if name in REPEATABLE else ():
            try:
                return self.send(url, request, attempt)
            except ConnectionBroken as error:
                logger.info("%s is sent again: %s", name, error)
                attempt = AGAIN
                time.sleep(pause)
        return self.send(url, request, attempt)

    def warn_of_unreachable(self) -> None:
        """Say which servers cannot be reached from here, this one's own address among them.

        A wrong --advertise, or certificates that servers do not trust, would make them take each other for dead.
        """
        for url in self._steward.addresses():
            try:
                connection = self._connection(url)
                try:
                    connection.request("GET", HEALTH)
                    connection.getresponse().read()
                finally:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                logger.warning(
                    "no server is reached at %s, which --advertise of one of them says: %s. Unless it has just "
                    "stopped, give an address that all servers reach, and certificates of an authority that all trust "
                    "(SSL_CERT_FILE names it)",
                    url,
                    error or type(error).__name__,
                )

    def send(self, url: str, request: Request, attempt: str = FIRST) -> Answer:
        """Send a request to another server.  Raises PeerGone."""
        headers = {key: value for key, value in request.headers.items() if key not in _NOT_PASSED_ON}
        headers |= {FORWARDED: attempt, "content-length": str(len(request.body))}
        try:
            connection = self._connection(url)
            try:
                connection.request(request.method, request.target, request.body, headers)
                response = connection.getresponse()
                body = response.read()
            except BaseException:
                connection.close()
                raise
        except (TimeoutError, ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError) as error:
            raise PeerGone(f"{url}: {error or type(error).__name__}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionBroken(f"{url}: {error or type(error).__name__}") from error
        if response.will_close:
            connection.close()
        else:
            self._keep(url, connection)
        kept = [(key, value) for key, value in response.getheaders() if key.lower() not in _NOT_PASSED_BACK]
        kept.append(("Content-Length", str(len(body))))
        return Answer(response.status, kept, body, reason=response.reason)

    def _connection(self, url: str) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                idle = self._idle.setdefault(url, [])
                connection = idle.pop() if idle else None
            if connection is None:
                break
            if connection.sock is not None and not _is_readable(connection.sock):
                return connection
            connection.close()
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=CONNECT_SECONDS, context=self.trusts
            )
        else:
            made = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
        made.connect()
        assert made.sock is not None
        made.sock.settimeout(ANSWER_SECONDS)
        return made

    def _keep(self, url: str, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(url, [])
            is_kept = len(idle) < IDLE_MAX
            if is_kept:
                idle.append(connection)
        if not is_kept:
            connection.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        with self._lock:
            kept, self._idle = self._idle, {}
        for idle in kept.values():
            for connection in idle:
                connection.close()


def _is_readable(connection: socket.socket) -> bool:
    """Whether a connection can be read without a request: then the other server has closed it."""
    poll = select.poll()  # select itself refuses descriptors above 1,023, which many clients use up
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
