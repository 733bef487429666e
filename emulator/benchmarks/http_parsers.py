"""Compares our HTTP parser with httptools and h11 (docs/design/002-own-front.md).

Run it with: PYTHONPATH=emulator python -m benchmarks.http_parsers
"""

from __future__ import annotations

import time
from collections.abc import Callable

from qldb_emulator.web.http1 import RequestParser

ROUNDS, REQUESTS = 5, 5_000

BODY = (
    b'{"SessionToken":"AAAAAAAAAAAAAAAAAAAAAA","ExecuteStatement":{"TransactionId":"I1pH6SCujBW0JYpPoLQT02",'
    b'"Statement":"SELECT * FROM Person WHERE GovId = ?","Parameters":[{"IonBinary":"4AEA6iEB"}]}}'
)
# The fields that pyqldb's request has, in its order.
FIELDS = (
    b"Host: 127.0.0.1:7532",
    b"Accept-Encoding: identity",
    b"X-Amz-Target: QLDBSession.SendCommand",
    b"Content-Type: application/x-amz-json-1.0",
    b"User-Agent: Boto3/1.40.60 md/Botocore#1.40.60 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2 "
    b"md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.40.60 QLDB Driver for Python v3.2.4",
    b"X-Amz-Date: 20261128T171500Z",
    b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261128/us-east-1/qldb/aws4_request, "
    b"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + b"0" * 64,
    b"amz-sdk-invocation-id: 6e5ee9d5-2d2d-4a0e-9d1a-b1d2f3a4c5d6",
    b"amz-sdk-request: attempt=1",
    b"Content-Length: %d" % len(BODY),
)
REQUEST = b"\r\n".join((b"POST / HTTP/1.1", *FIELDS, b"", b"")) + BODY


def ours() -> Callable[[], object]:
    """Return the parser of ``web``."""
    parser = RequestParser(1 << 20)
    return lambda: parser.feed(REQUEST)


def by_httptools() -> Callable[[], object]:
    """llhttp, with callbacks that do no more than collect."""
    import httptools

    class Collector:
        headers: dict[str, str]
        body: bytes
        url: bytes

        def on_message_begin(self) -> None:
            self.headers = {}

        def on_url(self, url: bytes) -> None:
            self.url = url

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

        def on_body(self, body: bytes) -> None:
            self.body = body

    collector = Collector()
    parser = httptools.HttpRequestParser(collector)

    def one() -> object:
        parser.feed_data(REQUEST)
        url = httptools.parse_url(collector.url)
        return parser.get_method(), url.path, url.query, collector.headers, collector.body

    return one


def by_h11() -> Callable[[], object]:
    """h11, whose state machine needs an answer before the next request."""
    import h11

    connection = h11.Connection(h11.SERVER)
    response = h11.Response(status_code=200, headers=[("content-length", "0")])

    def one() -> object:
        connection.receive_data(REQUEST)
        request, body, _ = (connection.next_event() for _ in range(3))
        connection.send(response)
        connection.send(h11.EndOfMessage())
        connection.start_next_cycle()
        return request, body

    return one


def main() -> None:
    """Alternate, and print the best round of each."""
    sides = {"ours": ours(), "httptools": by_httptools(), "h11": by_h11()}
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, one in sides.items():
            began = time.perf_counter()
            for _ in range(REQUESTS):
                one()
            best[name] = min(best[name], (time.perf_counter() - began) / REQUESTS * 1e6)
    for name, microseconds in best.items():
        print(f"{name:10} {microseconds:6.1f} µs a request of {len(REQUEST)} bytes")


if __name__ == "__main__":
    main()
