"""Requests to a server over HTTP, for both APIs."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from ..auth.signature import SignedRequest, sign
from ..clock import SystemClock
from ..errors import QldbError

Members = dict[str, Any]
TIMEOUT_SECONDS = 60

# operation -> method, path with the members that go into it
_OPERATIONS = {
    "CreateLedger": ("POST", "/ledgers"),
    "ListLedgers": ("GET", "/ledgers"),
    "DescribeLedger": ("GET", "/ledgers/{Name}"),
    "UpdateLedger": ("PATCH", "/ledgers/{Name}"),
    "DeleteLedger": ("DELETE", "/ledgers/{Name}"),
    "GetDigest": ("POST", "/ledgers/{Name}/digest"),
    "GetBlock": ("POST", "/ledgers/{Name}/block"),
    "GetRevision": ("POST", "/ledgers/{Name}/revision"),
}
_QUERY = {"MaxResults": "max_results", "NextToken": "next_token"}


class UnreachableError(OSError):
    """No server answers, or the answer is not QLDB's.  The text says where and why."""


class HttpTransport:
    """One connection to a server, opened when needed.  For one thread.

    url: ``http://host:port``.  region: of the ledgers; None for the server's own.
    keys: an access key id and its secret, to sign requests with.  Without a region they are not used.
    Raises UnreachableError if url is not a URL.
    """

    def __init__(self, url: str, region: str | None = None, keys: tuple[str, str] | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnreachableError(f"{url!r} is not the address of a server, which looks like http://127.0.0.1:7532")
        self.url = url
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        except ValueError as error:
            raise UnreachableError(f"{url!r} is not the address of a server: {error}") from error
        self._headers = {"Content-Type": "application/json"}
        self._host = parts.netloc
        self._region = region
        self._keys = keys if region is not None else None
        self._clock = SystemClock()
        if region is not None and self._keys is None:
            # The server takes the region from the place where a signature would name it; nothing is signed.
            scope = f"local/20200101/{region}/qldb/aws4_request"
            self._headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"

    def send_command(self, command: str, token: str | None, members: Members) -> Members:
        """Send one command of the session API.  Raises QldbError, UnreachableError."""
        body: Members = {command: _to_json(members)}
        if token is not None:
            body["SessionToken"] = token
        headers = {
            **self._headers,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "QLDBSession.SendCommand",
        }
        answer: Members = self._request("POST", "/", json.dumps(body), headers)[command]
        return _with_values(answer)

    def call(self, operation: str, members: Members) -> Members:
        """Call one control plane operation.  Raises QldbError, UnreachableError."""
        method, path = _OPERATIONS[operation]
        rest = dict(members)
        if "{Name}" in path:
            path = path.format(Name=quote(rest.pop("Name"), safe=""))
        if method == "GET":
            query = "&".join(f"{_QUERY[key]}={quote(str(value), safe='')}" for key, value in rest.items())
            return self._request(method, f"{path}?{query}" if query else path, None, self._headers)
        return self._request(method, path, json.dumps(rest), self._headers)

    def interface(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> Members:
        """Send one request to the JSON interface.  path: below ``/_qldb``.  Raises QldbError, UnreachableError."""
        return self._request(method, self._interface_path(path), body, {**self._headers, "Content-Type": content_type})

    def interface_lines(self, method: str, path: str, body: bytes) -> Iterator[Members]:
        """Send the same, for an answer that comes as lines of JSON; yield each when it comes.

        The connection is closed with the generator, which lets the server end its work.
        Raises QldbError, UnreachableError.
        """
        headers = {**self._headers, "Accept": "application/x-ndjson"}
        self._connection.close()  # an idle one may be closed by now, and this request is sent only once
        try:
            answer = self._sent(method, self._interface_path(path), body, headers)
            if answer.status >= 300:
                self._members_of(answer.status, answer.read())
            for line in answer:
                yield self._members_of(200, line)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, UnreachableError):
                raise
            raise UnreachableError(f"The connection to {self.url} broke off: {_reason(error)}") from error
        finally:
            self._connection.close()

    def _interface_path(self, path: str) -> str:
        if self._region is None:
            return f"/_qldb{path}"
        return f"/_qldb{path}{'&' if '?' in path else '?'}region={quote(self._region, safe='')}"

    def close(self) -> None:
        """Drop the connection, and with it a pending answer.  The next request opens a new one."""
        self._connection.close()

    def twin(self) -> HttpTransport:
        """Return another connection to the same server, for another thread."""
        return HttpTransport(self.url, self._region, self._keys)

    def _request(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> Members:
        return self._members_of(*self._exchange(method, path, body, headers))

    def _members_of(self, status: int, data: bytes) -> Members:
        """Return the object of an answer.  Raises QldbError if it is an error, UnreachableError if it is not QLDB's."""
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise UnreachableError(f"{self.url} answers {status}, but not as QLDB does: is it an emulator?")
        if status >= 300:
            shape = str(answer.get("__type", "")).rpartition("#")[2]
            if not shape:
                raise UnreachableError(f"{self.url} answers {status}, but not as QLDB does: is it an emulator?")
            raise QldbError(shape, str(answer.get("Message") or answer.get("message") or shape), answer)
        return answer

    def _exchange(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        is_new = self._connection.sock is None
        try:
            return self._send(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self._connection.close()
            if is_new:
                raise UnreachableError(f"{self.url} closed the connection without an answer") from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"No emulator answers at {self.url}: {_reason(error)}") from error
        try:  # the server closed an idle connection: send the request once more on a new one
            return self._send(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"No emulator answers at {self.url}: {_reason(error)}") from error

    def _send(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        answer = self._sent(method, path, body, headers)
        return answer.status, answer.read()

    def _sent(
        self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection = self._connection
        if connection.sock is None:
            connection.connect()
            made: socket.socket | None = connection.sock
            assert made is not None
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.request(method, path, body, self._signed(method, path, body, headers))
        return connection.getresponse()

    def _signed(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> dict[str, str]:
        if self._keys is None or self._region is None:
            return headers
        place, _, query = path.partition("?")
        named = {"host": self._host, **{name.lower(): text for name, text in headers.items()}}
        data = body if isinstance(body, bytes) else (body or "").encode()
        request = SignedRequest(method, place, query, named, data)
        return {**headers, "Host": self._host, **sign(request, *self._keys, self._region, self._clock.now_ms())}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _with_values(answer: Members) -> Members:
    """Return the answer with its values decoded from base64."""
    for name in ("FirstPage", "Page"):
        page = answer.get(name)
        if page is not None:
            try:
                page["Values"] = [
                    {"IonBinary": base64.b64decode(v["IonBinary"])} if "IonBinary" in v else v for v in page["Values"]
                ]
            except (binascii.Error, KeyError, TypeError) as error:
                raise UnreachableError(f"an answer's values cannot be read: {error}") from error
    return answer
