"""HTTP/1.1 requests from bytes, as RFC 9112 has them.  Pure: no socket, no clock, no thread.

::

    parser = RequestParser(body_limit=1000)
    parser.feed(b"GET / HTTP/1.1\\r\\nHo")           # None: more bytes are needed
    parser.feed(b"st: localhost\\r\\n\\r\\n").path    # "/"
    parser.next_request()                        # None: nothing is left of what was fed

Where the RFC lets a server either repair a request or refuse it, this one refuses: a text that two programs can read
in two ways lets one request hide inside another.

===========================================  ========  ===================================================
request                                      answer    RFC 9112, if not said otherwise
===========================================  ========  ===================================================
no Host in HTTP/1.1, two, or one malformed   refused   3.2
bare CR, bare LF                             refused   2.2 allows a bare LF
NUL and other control characters             refused   RFC 9110, 5.5
a field name with a blank before its colon   refused   5.1
a line that continues a field (obs-fold)     refused   5.2
``_`` in a field name                        refused   ours: CGI and WSGI would read it as ``-``
Content-Length twice, or not of digits       refused   6.3 allows equal ones
Content-Length beside Transfer-Encoding      refused   6.3
Transfer-Encoding in HTTP/1.0                refused   6.1
an encoding other than ``chunked``           refused   6.1 (would be status 501, which drivers repeat)
a chunk size that is not hexadecimal         refused   7.1
trailers                                     dropped   7.1.2; bounded like the head
empty lines before a request                 ignored   2.2; a few
a target with scheme and host                taken     3.2.2; its host counts, not the field's
HTTP/1.2 to 1.9                              as 1.1    2.3
===========================================  ========  ===================================================
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator
from urllib.parse import unquote_to_bytes

from ..context import client_is_there
from ..records import dataclass

# Sizes are ours: what real clients send (signatures, session tokens) needs a tenth of them.
HEAD_BYTES = 65_536
FIELDS_MAX = 128
CHUNK_LINE_BYTES = 256
TRAILER_BYTES = 8_192
EMPTY_LINES_MAX = 8
_NAMES_MAX = 1_000  # clients send some dozens of names; invented ones must not fill the memory
_HOSTS_MAX = 100
_FIELDS_KNOWN_MAX = 500
_KNOWN_CHARACTERS = 512
_LENGTH_DIGITS = 18

_TLS_HANDSHAKE = b"\x16\x03"  # how a client that speaks TLS begins (RFC 8446, 5.1)

_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # what may stand in a line
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_TARGET = re.compile(r"[\x21-\x7e]+\Z")
_VERSION = re.compile(r"HTTP/1\.[0-9]\Z")
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?#]*)(.*)\Z")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]{0,5})?\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;.*)?\Z")
_ONCE = frozenset(("host", "content-length"))
# A client sends these with the same value each time, so each line is parsed once.  None of them is a secret.
_SAME_EACH_TIME = frozenset(
    (
        "host",
        "user-agent",
        "x-amz-user-agent",
        "content-type",
        "x-amz-target",
        "accept",
        "accept-encoding",
        "connection",
    )
)


class HttpError(Exception):
    """The bytes are not a request that this server accepts; the text says why.  Nothing after them can be read."""


class NotHttpError(HttpError):
    """The bytes are not HTTP/1.1, or are ambiguous."""


class TlsClientError(NotHttpError):
    """The client speaks TLS, but plain HTTP is expected."""


class BodyTooLargeError(HttpError):
    """The body exceeds the maximum length.  request: without its body."""

    def __init__(self, request: Request) -> None:
        super().__init__("its body is too large")
        self.request = request


@dataclass(slots=True)
class Request:
    """One request.

    method: as sent; methods are case-sensitive.
    target: what the request line names, without scheme and host: ``/ledgers/a%2Fb?max_results=5``.
    path: its path, decoded from percent and UTF-8; bytes that are not UTF-8 become U+FFFD.  query: as sent.
    is_http10: whether the client speaks HTTP/1.0.
    headers: by name in lower case; values of a repeated field are joined with commas.
    host: the server's host and port as the client knows them; None if it does not say (HTTP/1.0 only).
    is_secure: whether it came over TLS.
    is_client_gone: see ``RequestContext``.
    """

    method: str
    target: str
    path: str
    query: str
    is_http10: bool
    headers: dict[str, str]
    host: str | None
    body: bytes = b""
    is_secure: bool = False
    is_client_gone: Callable[[], bool] = client_is_there

    @property
    def keeps_alive(self) -> bool:
        """Whether the client may send another request on the connection."""
        if self.is_http10:
            return False
        wish = self.headers.get("connection")
        return wish is None or "close" not in [token.strip() for token in wish.lower().split(",")]


class RequestParser:
    """Reads the requests of one connection, from its bytes in pieces of any size.

    body_limit: the most bytes of a body.  After an HttpError the parser cannot be used any more.
    """

    def __init__(self, body_limit: int) -> None:
        self._body_limit = body_limit
        self._buffer = b""
        self._at = 0  # position in the buffer of the first unused byte
        self._empty_lines = 0
        self._request: Request | None = None  # its head is read, its body is not complete
        self._body: Generator[None, None, bytes] | None = None
        self._wants_continue = False

    @property
    def has_begun(self) -> bool:
        """Whether the buffer holds a part of a request that ``next_request`` has not returned."""
        return self._request is not None or self._at < len(self._buffer)

    def take_continue(self) -> bool:
        """Whether the client waits for ``100 Continue`` before it sends a body (RFC 9110, 10.1.1).  True only once."""
        wanted, self._wants_continue = self._wants_continue, False
        return wanted

    def feed(self, data: bytes) -> Request | None:
        """Add the next bytes; then do the same as ``next_request``."""
        self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
        self._at = 0
        return self.next_request()

    def next_request(self) -> Request | None:
        """Return the next request; None if more bytes are needed.  Raises HttpError."""
        request = self._request
        if request is None:
            request = self._read_head()
            if request is None:
                return None
            headers = request.headers
            if "content-length" in headers:
                size = _length(headers["content-length"])
                if size > self._body_limit:
                    raise BodyTooLargeError(request)
                end = self._at + size
                if end <= len(self._buffer):  # nearly every request: head and body arrived together
                    request.body = self._buffer[self._at : end]
                    self._at = end
                    return request
                self._body = self._read_bytes(size)
            elif "transfer-encoding" in headers:
                self._body = self._read_chunks()
            else:
                return request
            self._request = request
            self._wants_continue = (
                headers.get("expect", "").lower() == "100-continue"
                and not request.is_http10
                and self._at == len(self._buffer)
            )
        assert self._body is not None
        try:
            next(self._body)
        except StopIteration as done:
            request.body = done.value
            self._request = self._body = None
            return request
        return None

    # --- the head ----------------------------------------------------------------------------------------------

    def _read_head(self) -> Request | None:
        buffer, start = self._buffer, self._at
        if buffer.startswith(b"\r\n", start):
            start = self._skip_empty_lines()
        end = buffer.find(b"\r\n\r\n", start)
        if end < 0 or end - start > HEAD_BYTES:
            self._check_long_head(buffer[start : start + HEAD_BYTES], len(buffer) - start)
            return None
        self._at = end + 4
        self._empty_lines = 0
        return parse_head(buffer[start:end])

    def _skip_empty_lines(self) -> int:
        while self._buffer.startswith(b"\r\n", self._at):
            self._at += 2
            self._empty_lines += 1
            if self._empty_lines > EMPTY_LINES_MAX:
                raise NotHttpError("empty lines in place of a request")
        return self._at

    @staticmethod
    def _check_long_head(head: bytes, size: int) -> None:
        """A head that is incomplete, or too long: its first bytes, and how many there are.

        Checked at once, because the head of a client that ends lines with LF alone would never be complete.
        """
        if _TLS_HANDSHAKE.startswith(head):
            return  # too short to tell a handshake from a control character
        if head.startswith(_TLS_HANDSHAKE):
            raise TlsClientError(_SPEAKS_TLS)
        lines = head.removesuffix(b"\r").split(b"\r\n")
        if any(line.translate(None, _TEXT) for line in lines):
            raise NotHttpError(_CONTROL)
        if size > HEAD_BYTES + 3:
            raise NotHttpError(f"its head has over {HEAD_BYTES} bytes")

    # --- the body: generators that pause where bytes are missing ----------------------------------------------

    def _read_bytes(self, size: int) -> Generator[None, None, bytes]:
        pieces: list[bytes] = []
        while (available := len(self._buffer) - self._at) < size:
            pieces.append(self._buffer[self._at :])
            self._at = len(self._buffer)
            size -= available
            yield
        pieces.append(self._buffer[self._at : self._at + size])
        self._at += size
        return b"".join(pieces)

    def _read_chunks(self) -> Generator[None, None, bytes]:
        pieces: list[bytes] = []
        total = 0
        while True:
            line = yield from self._read_line(CHUNK_LINE_BYTES, "a chunk's size")
            match = _CHUNK.match(line)
            if match is None:
                raise NotHttpError("a chunk's size is not a hexadecimal number")
            size = int(match[1], 16)
            if size == 0:
                break
            total += size
            if total > self._body_limit:
                assert self._request is not None
                raise BodyTooLargeError(self._request)
            pieces.append((yield from self._read_bytes(size)))
            if (yield from self._read_bytes(1)) != b"\r" or (yield from self._read_bytes(1)) != b"\n":
                raise NotHttpError("a chunk is longer than its size")
        yield from self._skip_trailers()
        return b"".join(pieces)

    def _skip_trailers(self) -> Generator[None, None, None]:
        """Check that trailers have the form of fields, and ignore them."""
        left = TRAILER_BYTES
        while line := (yield from self._read_line(left, "the trailers")):
            _parse_fields([line.decode("latin-1")], {})
            left -= len(line)

    def _read_line(self, limit: int, what: str) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._check_line(self._buffer[self._at :].removesuffix(b"\r"), limit, what)
            yield
        line = self._buffer[self._at : end]
        self._check_line(line, limit, what)
        self._at = end + 2
        return line

    @staticmethod
    def _check_line(line: bytes, limit: int, what: str) -> None:
        if line[:limit].translate(None, _TEXT):
            raise NotHttpError(_CONTROL)
        if len(line) > limit:
            raise NotHttpError(f"{what} takes over {limit} bytes")


_CONTROL = "a control character, or a line that does not end with CR LF"
_SPEAKS_TLS = "this is TLS, and the server speaks plain HTTP here"
_RequestLine = tuple[str, str, str, str, bool, str | None]


def parse_head(head: bytes) -> Request:
    """Return a request without its body.  head: everything before the empty line.  Raises NotHttpError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    # One pass in C over all lines: only the two bytes between each line and the next may remain.
    if len(head.translate(None, _TEXT)) != 2 * len(lines):
        raise TlsClientError(_SPEAKS_TLS) if head.startswith(_TLS_HANDSHAKE) else NotHttpError(_CONTROL)
    method, target, path, query, is_http10, authority = _KNOWN_LINES.get(first) or _parse_request_line(first)
    if len(lines) > FIELDS_MAX:
        raise NotHttpError(f"it has over {FIELDS_MAX} fields")
    headers = _parse_fields(lines, {})
    host = headers.get("host")
    if host is None:
        if not is_http10:
            raise NotHttpError("it has no Host")
    elif host not in _KNOWN_HOSTS:
        _check_host(host)
    if "transfer-encoding" in headers:
        _check_encoding(headers, is_http10)
    return Request(method, target, path, query, is_http10, headers, host if authority is None else authority)


def _parse_request_line(line: str) -> _RequestLine:
    """Return (method, target, path, query, is it HTTP/1.0, host of the target)."""
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if not _TOKEN.match(method) or not _TARGET.match(target):
        raise NotHttpError("its first line is not method, target and version")
    if not _VERSION.match(version):
        raise NotHttpError("its version is not HTTP/1.1")
    authority = None
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:  # the form for proxies
        authority, target = absolute.groups()
        _check_host(authority)
        target = target if target.startswith("/") else f"/{target}"
    elif not target.startswith("/") and not (target == "*" and method == "OPTIONS"):
        raise NotHttpError("its target is not a path")
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path).decode("utf-8", "replace")
    return method, target, path, query, version == "HTTP/1.0", authority


def _parse_fields(lines: list[str], headers: dict[str, str]) -> dict[str, str]:
    """Field lines, added to headers."""
    known = _KNOWN_FIELDS
    for line in lines:
        name, value = known.get(line) or _parse_field(line)
        if name in headers:
            if name in _ONCE:
                raise NotHttpError(f"it has the field {name} twice")
            value = f"{headers[name]},{value}"
        headers[name] = value
    return headers


def _parse_field(line: str) -> tuple[str, str]:
    """Return (name in lower case, value) of a field line."""
    sent_name, colon, value = line.partition(":")
    name = _KNOWN_NAMES.get(sent_name) or _field_name(sent_name)
    if not colon:
        raise NotHttpError("a field without a colon")
    field = name, value.strip(" \t")
    if name in _SAME_EACH_TIME and len(_KNOWN_FIELDS) < _FIELDS_KNOWN_MAX and len(line) <= _KNOWN_CHARACTERS:
        _KNOWN_FIELDS[line] = field
    return field


def _field_name(name: str) -> str:
    """Return a field's name in lower case."""
    if name.startswith((" ", "\t")):
        raise NotHttpError("a field goes on in a second line")
    if not _TOKEN.match(name):
        raise NotHttpError("a field without a name, or with a blank before its colon")
    if "_" in name:
        raise NotHttpError("the name of a field has an underscore, which could stand for a hyphen")
    lower = name.lower()
    if len(_KNOWN_NAMES) < _NAMES_MAX:
        _KNOWN_NAMES[name] = lower
    return lower


def _check_host(host: str) -> None:
    if not _HOST.match(host):
        raise NotHttpError("its Host is not a host name, address or port")
    if len(_KNOWN_HOSTS) < _HOSTS_MAX:
        _KNOWN_HOSTS.add(host)


def split_host(host: str) -> tuple[str, str]:
    """Return (name, port) of a Host; the port is empty if not given.  An IPv6 address keeps its brackets."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (host, "")


def _check_encoding(headers: dict[str, str], is_http10: bool) -> None:
    """Whether a head with Transfer-Encoding says in exactly one way where its body ends."""
    if is_http10:
        raise NotHttpError("it has a Transfer-Encoding, which HTTP/1.0 does not know")
    if "content-length" in headers:
        raise NotHttpError("it has both Content-Length and Transfer-Encoding")
    if headers["transfer-encoding"].lower() != "chunked":
        raise NotHttpError("its Transfer-Encoding is not chunked")


def _length(text: str) -> int:
    """Return the number of a Content-Length; infinity if it has more digits than any limit."""
    if not (text.isascii() and text.isdigit()):
        raise NotHttpError("its Content-Length is not a number")
    return int(text) if len(text) <= _LENGTH_DIGITS else sys.maxsize


_KNOWN_NAMES: dict[str, str] = {}
_KNOWN_FIELDS: dict[str, tuple[str, str]] = {}
_KNOWN_HOSTS: set[str] = set()
_KNOWN_LINES = {line: _parse_request_line(line) for line in ("POST / HTTP/1.1",)}  # of every session request
