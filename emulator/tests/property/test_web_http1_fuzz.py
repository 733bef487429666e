"""The parser of HTTP with any bytes: its named error or requests, the same in any pieces, and as h11 reads them."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.web.http1 import HttpError, RequestParser

LIMIT = 300

# Pieces of requests, right and wrong: what they make together is nearly HTTP.
lines = st.sampled_from(
    [
        *(b"GET / HTTP/1.1", b"POST /ledgers?x=%20 HTTP/1.1", b"GET /a%2fb HTTP/1.0", b"OPTIONS * HTTP/1.1"),
        *(b"GET http://h/ HTTP/1.1", b"G@T / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET /", b"PRI * HTTP/2.0", b""),
    ]
)
fields = st.sampled_from(
    [
        *(
            b"Host: localhost",
            b"host: h:1",
            b"Host: a b",
            b"Content-Length: 5",
            b"content-length: 0",
            b"Content-Length: 999",
        ),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Expect: 100-continue", b"Connection: close"),
        *(
            b"X_Amz_Target: x",
            b"A : b",
            b" folded",
            b"A: \x00",
            b"A: b\rc",
            b"A: b\nc",
            b"A: \xff\t",
            b"novalue",
            b":",
            b"B:",
        ),
    ]
)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
bodies = st.sampled_from(
    [
        b"",
        b"hello",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        b"zz\r\n",
        b"5\nhello",
        b"FFFFF\r\n",
        b"0",
    ]
)


@st.composite
def nearly_requests(draw: st.DrawFn) -> bytes:
    parts = [draw(lines), draw(ends)]
    for field in draw(st.lists(fields, max_size=4)):
        parts += [field, draw(ends)]
    return b"".join([*parts, draw(ends), draw(bodies)])


streams = st.one_of(
    st.binary(max_size=80),
    st.lists(nearly_requests(), min_size=1, max_size=3).map(b"".join),
    st.tuples(nearly_requests(), st.binary(max_size=5), nearly_requests()).map(b"".join),
)


def outcome(pieces: list[bytes]) -> tuple[list[tuple], str | None]:
    """Return (every request, what ended them)."""
    parser = RequestParser(LIMIT)
    found = []
    try:
        for piece in pieces:
            request = parser.feed(piece)
            while request is not None:
                found.append((request.method, request.target, request.host, request.headers, request.body))
                request = parser.next_request()
    except HttpError as error:
        return found, str(error)
    return found, None


@given(streams, st.data())
@settings(max_examples=1500, deadline=None)
def test_any_bytes_in_any_pieces_give_the_same_requests_and_the_same_refusal(data, draw):
    whole = outcome([data])
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]
    assert outcome(pieces) == whole
    assert outcome([data[at : at + 1] for at in range(len(data))]) == whole


tokens = st.text(st.sampled_from("abcXYZ019-!#$%&'*+.^`|~"), min_size=1, max_size=8)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)
paths = st.text(st.sampled_from("abc/%20?&=._-~"), max_size=12).map(lambda text: f"/{text}")
NOT_FREE = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade"}


@st.composite
def valid_requests(draw: st.DrawFn) -> bytes:
    """Return a request as RFC 9112 allows it."""
    body = draw(st.binary(max_size=40))
    method = draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE"]))
    head = [f"{method} {draw(paths)} HTTP/1.1", "Host: localhost:7532"]
    for name, value in draw(st.lists(st.tuples(tokens, values), max_size=4)):
        if name.lower() not in NOT_FREE:
            before, after = draw(st.sampled_from(["", " ", " \t"])), draw(st.sampled_from(["", " "]))
            head.append(f"{name}:{before}{value}{after}")
    if draw(st.booleans()):
        head.append(f"Content-Length: {len(body)}")
        sent = body
    else:
        head.append("Transfer-Encoding: chunked")
        cut = draw(st.integers(0, len(body)))
        chunks = [part for part in (body[:cut], body[cut:]) if part]
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in chunks) + b"0\r\n\r\n"
    return "\r\n".join([*head, "", ""]).encode("latin-1") + sent


def by_h11(data: bytes) -> tuple:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key, text = name.decode(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return request.method.decode(), request.target.decode(), headers.get("host"), headers, body


@given(valid_requests())
@settings(max_examples=600, deadline=None)
def test_what_the_rfc_allows_is_read_as_h11_reads_it(data):
    assert outcome([data]) == ([by_h11(data)], None)


@given(nearly_requests())
@settings(max_examples=600, deadline=None)
def test_what_h11_refuses_is_refused(data):
    """The other direction: h11 is more lenient in places (bare LF, folded lines), and never stricter."""
    found, _ = outcome([data])
    if found:
        by_h11(data)


def test_h11_is_an_oracle_that_can_disagree():
    with pytest.raises(h11.RemoteProtocolError):
        by_h11(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
