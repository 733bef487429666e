"""RFC 9112 as the parser has it: what is a request, what is refused, and in how many pieces it may come."""

from __future__ import annotations

import pytest

from qldb_emulator.web.http1 import (
    CHUNK_LINE_BYTES,
    EMPTY_LINES_MAX,
    FIELDS_MAX,
    HEAD_BYTES,
    TRAILER_BYTES,
    BodyTooLargeError,
    NotHttpError,
    RequestParser,
    TlsClientError,
    split_host,
)

LIMIT = 1_000
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


def request_with(*fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: h") -> bytes:
    return b"\r\n".join([line, *([host] if host else []), *fields, b"", b""])


def read(data: bytes):
    return RequestParser(LIMIT).feed(data)


def feed_in_pieces(data: bytes, size: int) -> None:
    parser = RequestParser(LIMIT)
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])


def test_a_request_of_the_session_api():
    body = b'{"StartSession":{"LedgerName":"cars"}}'
    fields = (b"X-Amz-Target:QLDBSession.SendCommand", b"content-length: \t %d \t" % len(body))
    request = read(request_with(*fields, line=b"POST / HTTP/1.1", host=b"Host: localhost:7532") + body)
    assert (request.method, request.target, request.path, request.query, request.body) == ("POST", "/", "/", "", body)
    assert request.headers == {
        "host": "localhost:7532",
        "x-amz-target": "QLDBSession.SendCommand",
        "content-length": str(len(body)),
    }
    assert (request.host, request.is_http10, request.keeps_alive) == ("localhost:7532", False, True)


@pytest.mark.parametrize(
    ("line", "target", "path", "query", "host"),
    [
        (b"GET /a%2Fb%c3%a9?x=%20&y HTTP/1.1", "/a%2Fb%c3%a9?x=%20&y", "/a/bé", "x=%20&y", "h"),
        (b"GET /%ff HTTP/1.1", "/%ff", "/�", "", "h"),
        (b"GET http://other:81/p?q HTTP/1.1", "/p?q", "/p", "q", "other:81"),
        (b"GET HTTPS://other HTTP/1.1", "/", "/", "", "other"),
        (b"GET http://other?q HTTP/1.1", "/?q", "/", "q", "other"),
        (b"OPTIONS * HTTP/1.1", "*", "*", "", "h"),
        (b"GET //a// HTTP/1.1", "//a//", "//a//", "", "h"),
    ],
)
def test_the_target_is_split(line, target, path, query, host):
    request = read(request_with(line=line))
    assert (request.target, request.path, request.query, request.host) == (target, path, query, host)


@pytest.mark.parametrize(
    ("fields", "line", "keeps"),
    [
        ((), b"GET / HTTP/1.1", True),
        ((b"Connection: keep-alive",), b"GET / HTTP/1.1", True),
        ((b"Connection: Keep-Alive, CLOSE",), b"GET / HTTP/1.1", False),
        ((b"Connection: x", b"Connection: close"), b"GET / HTTP/1.1", False),
        ((b"Connection: not-close",), b"GET / HTTP/1.1", True),
        ((b"Connection: keep-alive",), b"GET / HTTP/1.0", False),
        ((), b"GET / HTTP/1.7", True),
    ],
)
def test_whether_the_connection_lives_on(fields, line, keeps):
    assert read(request_with(*fields, line=line)).keeps_alive is keeps


def test_repeated_fields_are_joined_and_http_10_needs_no_host():
    request = read(request_with(b"A: 1", b"a: 2", line=b"GET / HTTP/1.0", host=b""))
    assert (request.headers, request.host, request.is_http10) == ({"a": "1,2"}, None, True)


REFUSED = [
    ("no Host", request_with(host=b""), "has no Host"),
    ("two Hosts", request_with(b"Host: h"), "host twice"),
    ("two Hosts in other case", request_with(b"hOST: h"), "twice"),
    ("a Host with a path", request_with(host=b"Host: h/p"), "Host is not"),
    ("a Host with a user", request_with(host=b"Host: u@h"), "Host is not"),
    ("a Host with a blank", request_with(host=b"Host: a b"), "Host is not"),
    ("two Hosts in one", request_with(host=b"Host: a,b c"), "Host is not"),
    ("a target with a user", request_with(line=b"GET http://u@h/ HTTP/1.1"), "Host is not"),
    ("bare LF between fields", b"GET / HTTP/1.1\nHost: h\r\n\r\n", "CR LF"),
    ("bare LF only", b"GET / HTTP/1.1\nHost: h\n\n", "CR LF"),
    ("bare LF before a request", b"\n" + request_with(), "CR LF"),
    ("bare CR in a value", request_with(b"A: 1\r2"), "CR LF"),
    ("bare CR between fields", b"GET / HTTP/1.1\rHost: h\r\n\r\n", "CR LF"),
    ("CR CR LF", request_with(b"A: 1\r"), "CR LF"),
    ("NUL in a value", request_with(b"A: 1\x002"), "control"),
    ("escape in a value", request_with(b"A: \x1b[2J"), "control"),
    ("DEL in a value", request_with(b"A: \x7f"), "control"),
    ("NUL in the target", request_with(line=b"GET /\x00 HTTP/1.1"), "control"),
    ("underscore", request_with(b"X_Amz_Target: QLDBSession.SendCommand"), "underscore"),
    ("underscore in Content_Length", request_with(b"Content_Length: 5"), "underscore"),
    ("blank before the colon", request_with(b"A : 1"), "blank before its colon"),
    ("tab before the colon", request_with(b"Content-Length\t: 1"), "blank before its colon"),
    ("no name", request_with(b": 1"), "without a name"),
    ("no colon", request_with(b"A"), "without a colon"),
    ("a name that is not ASCII", request_with("é: 1".encode()), "without a name"),
    ("obs-fold", request_with(b"A: 1", b" 2"), "second line"),
    ("obs-fold with a tab", request_with(b"A: 1", b"\tContent-Length: 5"), "second line"),
    ("fold of the first line", request_with(b" A: 1", host=b""), "second line"),
    ("two equal lengths", request_with(b"Content-Length: 1", b"Content-Length: 1") + b"x", "twice"),
    ("two lengths", request_with(b"Content-Length: 1", b"Content-Length: 2") + b"xx", "twice"),
    ("a list of lengths", request_with(b"Content-Length: 1, 1") + b"x", "not a number"),
    ("a negative length", request_with(b"Content-Length: -1"), "not a number"),
    ("a signed length", request_with(b"Content-Length: +1") + b"x", "not a number"),
    ("a length in hexadecimal", request_with(b"Content-Length: 0x1") + b"x", "not a number"),
    ("a length with an underscore", request_with(b"Content-Length: 1_0") + b"x" * 10, "not a number"),
    ("an empty length", request_with(b"Content-Length:"), "not a number"),
    ("a length of other digits", request_with("Content-Length: ²".encode("latin-1")), "not a number"),
    ("both", request_with(b"Transfer-Encoding: chunked", b"Content-Length: 1"), "both"),
    ("an encoding in 1.0", request_with(b"Transfer-Encoding: chunked", line=b"GET / HTTP/1.0"), "HTTP/1.0"),
    ("gzip", request_with(b"Transfer-Encoding: gzip, chunked"), "not chunked"),
    ("chunked twice", request_with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), "not chunked"),
    ("chunked with a vertical tab", request_with(b"Transfer-Encoding: \x0bchunked"), "control"),
    ("identity", request_with(b"Transfer-Encoding: identity"), "not chunked"),
    ("no request line", b"nonsense\r\n\r\n", "first line"),
    ("HTTP/0.9", b"GET /\r\n\r\n", "version"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "target is not a path|version"),
    ("version in lower case", request_with(line=b"GET / http/1.1"), "version"),
    ("two blanks", request_with(line=b"GET  / HTTP/1.1"), "first line"),
    ("a blank in the target", request_with(line=b"GET /a b HTTP/1.1"), "version"),
    ("a tab in the line", request_with(line=b"GET\t/ HTTP/1.1"), "first line"),
    ("a blank at the end", request_with(line=b"GET / HTTP/1.1 "), "version"),
    ("a blank at the start", request_with(line=b" GET / HTTP/1.1"), "first line"),
    ("a target that is not ASCII", request_with(line="GET /é HTTP/1.1".encode()), "first line"),
    ("a relative target", request_with(line=b"GET a HTTP/1.1"), "not a path"),
    ("CONNECT", request_with(line=b"CONNECT h:80 HTTP/1.1"), "not a path"),
    ("another scheme", request_with(line=b"GET ftp://h/ HTTP/1.1"), "not a path"),
    ("a method with a bracket", request_with(line=b"G(T / HTTP/1.1"), "first line"),
    ("too many fields", request_with(*[b"A: 1"] * FIELDS_MAX), "fields"),
    ("a long head", request_with(b"A: " + b"x" * HEAD_BYTES), "bytes"),
    ("a head without end", b"GET / HTTP/1.1\r\nA: " + b"x" * (HEAD_BYTES + 100), "bytes"),
    ("empty lines", b"\r\n" * (EMPTY_LINES_MAX + 1) + request_with(), "empty lines"),
    ("a chunk's size that is no number", CHUNKED + b"zz\r\n", "hexadecimal"),
    ("no chunk size", CHUNKED + b"\r\n", "hexadecimal"),
    ("a signed chunk size", CHUNKED + b"+1\r\nx\r\n0\r\n\r\n", "hexadecimal"),
    ("a chunk size with 0x", CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n", "hexadecimal"),
    ("a chunk size with a blank", CHUNKED + b"1 \r\nx\r\n0\r\n\r\n", "hexadecimal"),
    ("a chunk size with an underscore", CHUNKED + b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", "hexadecimal"),
    ("a chunk size of 16 digits", CHUNKED + b"0" * 15 + b"1\r\nx\r\n0\r\n\r\n", "hexadecimal"),
    ("a long chunk line", CHUNKED + b"1;" + b"e" * CHUNK_LINE_BYTES + b"\r\nx\r\n0\r\n\r\n", "bytes"),
    ("a chunk line with bare LF", CHUNKED + b"1\nx\r\n0\r\n\r\n", "CR LF"),
    ("a chunk extension with NUL", CHUNKED + b"1;\x00\r\nx\r\n0\r\n\r\n", "control"),
    ("a chunk that is too long", CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", "longer than its size"),
    ("a chunk that ends with LF", CHUNKED + b"1\r\nx\n0\r\n\r\n", "longer than its size"),
    ("trailers without end", CHUNKED + b"0\r\n" + b"A: 1\r\n" * TRAILER_BYTES, "trailers"),
    ("one long trailer", CHUNKED + b"0\r\nA: " + b"x" * TRAILER_BYTES + b"\r\n\r\n", "trailers"),
    ("a trailer that is no field", CHUNKED + b"0\r\nnonsense\r\n\r\n", "colon"),
    ("a trailer with bare LF", CHUNKED + b"0\r\nA: 1\n\r\n", "CR LF"),
]


@pytest.mark.parametrize(("data", "reason"), [pytest.param(d, r, id=name) for name, d, r in REFUSED])
def test_what_is_refused(data, reason):
    with pytest.raises(NotHttpError, match=reason):
        read(data)


@pytest.mark.parametrize(("data", "reason"), [pytest.param(d, r, id=name) for name, d, r in REFUSED])
def test_it_is_refused_for_the_same_reason_when_it_comes_byte_by_byte(data, reason):
    size = 1 if len(data) < 5_000 else 997
    with pytest.raises(NotHttpError, match=reason):
        feed_in_pieces(data, size)


def test_a_client_that_speaks_tls_is_recognised_at_once():
    with pytest.raises(TlsClientError):
        read(bytes.fromhex("16030100c8010000c40303"))


@pytest.mark.parametrize(
    "data",
    [
        request_with(b"Content-Length: %d" % (LIMIT + 1)),
        request_with(b"Content-Length: " + b"9" * 5_000),
        CHUNKED + b"%x\r\n" % (LIMIT + 1),
        CHUNKED + (b"%x\r\n" % LIMIT) + b"x" * LIMIT + b"\r\n1\r\n",
    ],
    ids=["by length", "by an endless length", "by one chunk", "by two chunks"],
)
def test_a_body_that_is_too_large_is_refused_before_it_comes(data):
    with pytest.raises(BodyTooLargeError) as raised:
        read(data)
    assert raised.value.request.headers["host"] == "h"


def test_the_largest_body_is_taken_and_chunks_are_joined():
    body = b"x" * LIMIT
    assert read(request_with(b"Content-Length: %d" % LIMIT) + body).body == body
    chunks = b"1;name=value\r\nx\r\n3E7 ; e\r\n" + b"x" * 999 + b"\r\n000\r\nTrailer: 1\r\nOther:\r\n\r\n"
    assert read(CHUNKED + chunks).body == body


def test_requests_follow_each_other_and_empty_lines_between_them_are_passed_over():
    parser = RequestParser(LIMIT)
    data = (
        b"\r\n" + request_with(b"Content-Length: 2") + b"ab\r\n\r\n" + request_with(line=b"GET /2 HTTP/1.1") + b"\r\n"
    )
    first, second = parser.feed(data), parser.next_request()
    assert (first.body, second.path, parser.next_request(), parser.has_begun) == (b"ab", "/2", None, False)


def test_a_client_that_waits_before_its_body_is_told_to_continue_once():
    parser = RequestParser(LIMIT)
    head = request_with(b"Expect: 100-Continue", b"Content-Length: 2")
    assert (parser.feed(head), parser.take_continue(), parser.take_continue()) == (None, True, False)
    assert (parser.feed(b"a"), parser.take_continue()) == (None, False)
    assert (parser.feed(b"b").body, parser.take_continue()) == (b"ab", False)
    parser.feed(head + b"a")
    assert parser.take_continue() is False
    old = RequestParser(LIMIT)
    old.feed(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert old.take_continue() is False


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("h", ("h", "")),
        ("h:80", ("h", "80")),
        ("[::1]", ("[::1]", "")),
        ("[::1]:80", ("[::1]", "80")),
        ("", ("", "")),
        ("h:", ("h", "")),
    ],
)
def test_a_host_is_split(host, parts):
    assert split_host(host) == parts
