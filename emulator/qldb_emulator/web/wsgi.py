"""Converts between our requests and WSGI (PEP 3333): for Flask, and for other servers that host the app."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from .. import errors
from .answer import Answer, Headers, Stream
from .http1 import Request, split_host

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_KEY = "qldb_emulator.request"
"""The environ's key for its :class:`Request`."""

_BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")  # the two fields whose keys have no prefix
_LENGTH_DIGITS = 18


# --- from another server ----------------------------------------------------------------------------------------


def request_of(environ: WSGIEnvironment) -> Request:
    """Return the request of an environ, without its body."""
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in _BARE:
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = environ[key]
    path: str = environ.get("PATH_INFO", "")  # UTF-8, its bytes as Latin-1 characters
    query = environ.get("QUERY_STRING", "")
    target = environ.get("RAW_URI")  # as it was sent, where the server tells it
    if not target:
        target = quote(path, safe="/~", encoding="latin-1") + (f"?{query}" if query else "")
    return Request(
        method=environ["REQUEST_METHOD"],
        target=target,
        path=path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace"),
        query=query,
        is_http10=environ.get("SERVER_PROTOCOL") == "HTTP/1.0",
        headers=headers,
        host=headers.get("host"),
        is_secure=environ.get("wsgi.url_scheme") == "https",
    )


def read_body(environ: WSGIEnvironment, limit: int) -> bytes:
    """Return the body of an environ.

    Raises SERIALIZATION and REQUEST_TOO_LARGE, the latter before it reads what a header says is too much, and after one
    byte too many of a body that tells no length.
    """
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        if not (length.isascii() and length.isdigit()):
            raise errors.SERIALIZATION(text="Content-Length is not a number")
        size = int(length) if len(length) <= _LENGTH_DIGITS else limit + 1
        if size > limit:
            raise errors.REQUEST_TOO_LARGE(limit=limit)
        data: bytes = stream.read(size)
        return data
    if not environ.get("wsgi.input_terminated"):
        return b""  # without a length and an end, reading would wait for ever
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise errors.REQUEST_TOO_LARGE(limit=limit)
    return data


# --- to Flask ---------------------------------------------------------------------------------------------------


def environ_of(request: Request) -> WSGIEnvironment:
    """Return the environ of a request."""
    path = request.target.partition("?")[0]
    name, port = split_host(request.host or "localhost")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.target,
        "SERVER_NAME": name,
        "SERVER_PORT": port or ("443" if request.is_secure else "80"),
        "SERVER_PROTOCOL": "HTTP/1.0" if request.is_http10 else "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if request.is_secure else "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        REQUEST_KEY: request,
    }
    for field, value in request.headers.items():
        key = field.upper().replace("-", "_")
        environ[key if key in _BARE else f"HTTP_{key}"] = value
    environ["CONTENT_LENGTH"] = str(len(request.body))
    if request.host is not None:
        environ["HTTP_HOST"] = request.host
    return environ


def call_app(app: WSGIApplication, request: Request) -> Answer | Stream:
    """Return a WSGI application's answer: as a whole if it has a length or is a list."""
    begun: list[Any] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], object]:
        begun[:] = status, headers
        return _no_write

    result = app(environ_of(request), start_response)
    status, headers = begun
    close = getattr(result, "close", lambda: None)
    has_length = any(name.lower() == "content-length" for name, _ in headers)
    if not has_length and type(result) is not list:
        return Stream(status, headers, iter(result), close)
    try:
        body = b"".join(result)
    finally:
        close()
    if not has_length:
        headers = [*headers, ("Content-Length", str(len(body)))]
    number, _, reason = status.partition(" ")
    return Answer(int(number), headers, body, reason=reason)


def _no_write(_data: bytes) -> object:
    raise NotImplementedError("the write callable of WSGI is for old programs; return an iterable")


# --- to another server ------------------------------------------------------------------------------------------


def start(answer: Answer | Stream, method: str, start_response: StartResponse) -> Iterable[bytes]:
    """Pass an answer to a server, as a WSGI application does at its end."""
    start_response(answer.status_line, answer.headers)
    if isinstance(answer, Stream):
        return _Closing(answer.pieces, answer.close)
    body = [b"" if method == "HEAD" else answer.body]
    return body if answer.after_response is None else _Closing(iter(body), answer.after_response)


class _Closing:
    """A body with work to do after it was sent: servers then call ``close``."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces = pieces
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
