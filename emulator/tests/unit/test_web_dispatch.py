"""Where requests go: who answers which, the same bytes by any server, and Flask only when it is needed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from helpers.local_driver import new_emulator
from helpers.support import ROOT
from helpers.wire_support import SESSION_HEADERS, TRANSACTION_ID, FakeEmulator, environ_of

from qldb_emulator.limits import Limits
from qldb_emulator.web import flask_app
from qldb_emulator.web.admin import ROUTES
from qldb_emulator.web.app import create_app, create_dispatcher
from qldb_emulator.web.gateway import Gateway
from qldb_emulator.web.health import HEALTH_ROUTES
from qldb_emulator.web.routes import PREFIX, Admin
from qldb_emulator.web.server import Server

START = b'{"SessionToken":"abcd","StartTransaction":{}}'
LIMIT = 200
ARN = "/tags/arn:aws:qldb:us-east-1:123456789012:ledger"


def fake_emulator() -> FakeEmulator:
    """Return two of these give the same ids, and so the same answers."""
    fake = FakeEmulator(Limits(request_bytes=LIMIT))
    fake.answers["StartTransaction"] = {"TransactionId": TRANSACTION_ID}
    fake.answers["ListLedgers"] = {"Ledgers": []}
    fake.answers["ListTagsForResource"] = {"Tags": {}}
    return fake


def call(app: Any, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of a WSGI application's answer."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    parts = app(environ, lambda status, headers, exc_info=None: begun.append((status, headers)))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    [(status, headers)] = begun
    return status, headers, body


PRODUCT = '"name":"qldb-emulator"'
UNKNOWN = "UnknownOperationException"
NOT_THERE = "AdminNotFoundException"
OFF = "AdminOffException"


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", "200 OK", PRODUCT),
        ("GET", "", "200 OK", PRODUCT),
        ("GET", "///", "200 OK", PRODUCT),
        ("get", "/", "200 OK", PRODUCT),
        ("HEAD", "/", "200 OK", ""),
        ("POST", "/", "404 Not Found", UNKNOWN),
        ("OPTIONS", "/", "404 Not Found", UNKNOWN),
        ("PROPFIND", "/", "404 Not Found", UNKNOWN),
        ("GET", "/ledgers", "200 OK", '"Ledgers":[]'),
        ("get", "/ledgers", "404 Not Found", UNKNOWN),
        ("GET", "//ledgers", "404 Not Found", UNKNOWN),
        ("GET", "/ledgers/", "400 Bad Request", "InvalidParameterException"),
        ("GET", "/%6cedgers", "200 OK", '"Ledgers":[]'),
        ("GET", f"{ARN}%2Fcars", "200 OK", '"Tags":{}'),
        ("GET", f"{ARN}/cars", "200 OK", '"Tags":{}'),
        ("HEAD", "/ledgers", "404 Not Found", ""),
        ("GET", "/nothing", "404 Not Found", UNKNOWN),
        ("GET", "/%ff%fe", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb/health", "200 OK", PRODUCT),
        ("HEAD", "/_qldb/health", "200 OK", ""),
        ("GET", "//_qldb/health", "200 OK", PRODUCT),
        ("GET", "/%5fqldb%2Fhealth", "200 OK", PRODUCT),
        ("POST", "/_qldb/health", "404 Not Found", NOT_THERE),
        ("PROPFIND", "/_qldb/health", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb/health/", "404 Not Found", NOT_THERE),
        ("GET", "/_qldb//health", "404 Not Found", UNKNOWN),
        ("GET", "/_QLDB/health", "404 Not Found", UNKNOWN),
        ("GET", "/_qldbx", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb/ready", "200 OK", PRODUCT),
        ("GET", "/_localstack/health", "200 OK", '"qldb":"running"'),
        ("POST", "/_localstack/health", "404 Not Found", UNKNOWN),
        ("POST", "/metrics", "404 Not Found", UNKNOWN),
        ("GET", "/metrics/", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb", "200 OK", '"routes":['),
        ("POST", "/_qldb", "404 Not Found", NOT_THERE),
        ("GET", "/_qldb/", "200 OK", '"routes":['),
        ("POST", "/_qldb/", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb//", "404 Not Found", UNKNOWN),
        ("GET", "/_qldb/faults", "403 Forbidden", OFF),
        ("OPTIONS", "/_qldb/faults", "404 Not Found", NOT_THERE),
    ],
)
def test_who_answers(method: str, path: str, status: str, text: str) -> None:
    answered, _, body = call(create_app(fake_emulator()), environ_of(method, path))
    assert (answered, bool(body)) == (status, method != "HEAD")
    assert text in body.decode()


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "x", "get")
PATHS = (
    *("/", "//", "/ledgers", "//ledgers", "/ledgers/", "/ledgers/cars", "/ledgers%2Fcars", "/ledgers/ca%2frs/digest"),
    *("/%6cedgers", "/ledgers%0a", "/%ff%fe", "/nothing", "/./ledgers", "/ledgers;x", f"{ARN}%2fcars", f"{ARN}/cars"),
    *("/_qldb", "/_qldb/", "/_qldb//", "//_qldb/health", "/_qldb/health", "/_qldb/health/", "/_qldb/healt%68"),
    *("/_qldb%2fready", "/_qldb//health", "/_qldbx", "/_qldb/faults", "/_qldb/nothing/at/all", "/_localstack/health"),
    *("/_localstack", "/metrics/", "//metrics/x"),
)
VARIANTS: tuple[tuple[str, dict[str, str], bytes], ...] = (
    ("", {}, b""),
    ("max_results=x&max_results=1", {}, b""),
    ("%ff=%ff&;=&&", {"Origin": "http://evil.example"}, b""),
    ("", SESSION_HEADERS, START),
    ("", {"X-Amz-Target": "QLDBSession.Other"}, b"{}"),
    ("", {}, b"["),
    ("", {"Host": "h:80", "Cookie": "session=x", "Content-Type": "text/plain"}, b"{}"),
)


def over_socket(server: Server, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    """Return the whole answer of a running server, as it came."""
    sent = {"Host": "localhost:7532", "Connection": "close", **headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
        pieces = []
        while piece := connection.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("path", PATHS)
def test_our_server_and_any_other_that_hosts_the_app_give_the_same_bytes(path: str) -> None:
    """Every header but those that a server adds to what an application says; request ids, too."""
    app = create_app(fake_emulator())
    with Server(create_dispatcher(fake_emulator())) as server:
        for method in METHODS:
            for query, headers, body in VARIANTS:
                target = f"{path}?{query}" if query else path
                head, _, ours = over_socket(server, method, target, headers, body).partition(b"\r\n\r\n")
                environ = environ_of(method, path, query, {**headers, "Content-Length": str(len(body))}, body)
                status, pairs, theirs = call(app, environ)
                lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in pairs)]
                added = ("Connection: ", "Date: ", "Server: ")
                kept = [line for line in head.decode("latin-1").split("\r\n") if not line.startswith(added)]
                assert (kept, ours) == (lines, theirs), (method, target, headers, body)


def test_only_health_stands_outside_the_prefix() -> None:
    """The dispatcher asks Flask for nothing else: a route outside would never be reached."""
    assert [route for route in ROUTES if not route.rule.startswith(f"{PREFIX}/") and route not in HEALTH_ROUTES] == []


def test_health_and_its_errors_are_the_admin_interfaces_own() -> None:
    with new_emulator() as emulator:
        dispatcher = create_dispatcher(emulator)
        dispatcher.admin.is_ready = False
        status, headers, body = call(dispatcher, environ_of("GET", "/_qldb/ready"))
        assert (status, dict(headers)["Content-Type"]) == ("503 Service Unavailable", "application/json")
        assert json.loads(body)["status"] == "starting"
        status, headers, _ = call(dispatcher, environ_of("GET", "/_qldb/health", body=b"["))
        assert (status, dict(headers)["x-amzn-ErrorType"]) == ("400 Bad Request", "AdminRequestException")
        status, headers, body = call(dispatcher, environ_of("GET", "/metrics"))
        assert (status, dict(headers)["Content-Type"]) == ("200 OK", "text/plain; version=0.0.4; charset=utf-8")
        assert b"qldb_sessions 0" in body


def test_the_app_is_made_once_however_many_ask_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    build_flask = flask_app.build_flask

    def slow(gateway: Gateway, admin: Admin) -> Any:
        time.sleep(0.05)
        made.append(build_flask(gateway, admin))
        return made[-1]

    monkeypatch.setattr(flask_app, "build_flask", slow)
    dispatcher = create_dispatcher(fake_emulator())
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(call(dispatcher, environ_of("GET", "/_qldb/"))[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses, made) == (["200 OK"] * 8, [dispatcher.flask_app()])


PROCESS = """
import os, signal, socket, sys, threading, time
from qldb_emulator.cli import main

HEAVY = ["flask", "werkzeug", "jinja2", "http.client", "ssl", "asyncio", "boto3", "moto"]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

def ask(method, path, body=b"", target=""):
    head = f"{method} {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
    head += f"Content-Length: {len(body)}\\r\\n"
    head += f"X-Amz-Target: {target}\\r\\n" if target else ""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"\\r\\n" + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.split(b" ", 2)[1].decode()

def client():
    while True:
        try:
            ask("GET", "/_qldb/ready")
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    seen = [
        ask("POST", "/ledgers", b'{"Name":"cars","PermissionsMode":"ALLOW_ALL"}'),
        ask("GET", "/ledgers"),
        ask("POST", "/", b'{"StartSession":{"LedgerName":"cars"}}', "QLDBSession.SendCommand"),
        ask("POST", "/", b'{"StartSession":{"LedgerName":"none"}}', "QLDBSession.SendCommand"),
        *[ask("GET", path) for path in ("/", "/_qldb/health", "/_localstack/health", "/metrics", "/nothing")],
    ]
    print(*seen, "|", *[name for name in HEAVY if name in sys.modules], flush=True)
    print(ask("GET", "/_qldb/faults"), "flask" in sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=client).start()
main(["serve", "--ephemeral", "--port", str(port)])
"""


def test_a_server_loads_flask_with_the_first_admin_request_and_not_before() -> None:
    """The whole command in a process of its own, with requests to both APIs and of health checks."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, timeout=60, cwd=ROOT / "emulator", check=True
    )
    assert done.stdout.splitlines() == ["200 200 200 400 200 200 200 200 404 |", "200 True"]


@pytest.mark.parametrize("path", ["/_qldb/requests", "/_qldb/", "/ledgers", "/", "/_qldb/live"])
def test_a_query_with_bytes_beyond_ascii_is_no_http_whichever_server_hosts_the_app(path: str) -> None:
    with new_emulator(has_admin=True) as emulator, Server(create_dispatcher(emulator)) as server:
        environ = environ_of("GET", path, "\xf1after=1")
        for app in (create_app(emulator), create_dispatcher(emulator)):
            status, _, body = call(app, environ)
            assert (status, b"SerializationException" in body) == ("400 Bad Request", True)
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(b"GET %b?\xf1after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
