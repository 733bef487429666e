"""Programs are allowed, foreign web pages are not: host names, origins and sites, on every route and over a socket."""

from __future__ import annotations

import contextlib
import http.client
import socket

import pytest
from helpers.local_driver import new_emulator, new_ledger
from helpers.wire_support import SESSION_HEADERS

from qldb_emulator.errors import QldbError
from qldb_emulator.web.access import Access, is_host_pattern, is_loopback
from qldb_emulator.web.admin import ROUTES
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.http1 import Request
from qldb_emulator.web.server import Server

MACHINE = socket.gethostname()


def refusal(access: Access, host: str | None, **headers: str) -> str | None:
    """Return the error of a request; None if it is let in."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        access.check(Request("GET", "/", "/", "", host is None, fields, host))
    except QldbError as error:
        return error.shape.removesuffix("NotAllowedException")
    return None


def listening(name: str, address: str, *allowed: str) -> Access:
    access = Access(allowed)
    access.listens_on(name, address)
    return access


LOOPBACK = listening("127.0.0.1", "127.0.0.1")
WIDE = listening("0.0.0.0", "0.0.0.0")


@pytest.mark.parametrize(
    ("host", "on_loopback", "on_all"),
    [
        ("localhost", True, True),
        ("LOCALHOST:7532", True, True),
        ("localhost.:7532", True, True),
        ("127.0.0.1:8000", True, True),
        ("127.1.2.3", True, True),
        ("[::1]:7532", True, True),
        ("[::ffff:127.0.0.1]", True, True),
        ("host.docker.internal:7532", True, True),
        ("host.containers.internal", True, True),
        (None, True, True),
        ("qldb:7532", False, True),
        ("qldb_1", False, True),
        ("192.168.1.20:7532", False, True),
        ("[fd00::1]", False, True),
        ("172.17.0.2", False, True),
        ("qldb.localhost", False, True),
        ("gateway.docker.internal", False, True),
        (MACHINE, MACHINE == "localhost", True),
        ("evil.example:7532", False, False),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("127.0.0.1.nip.io", False, False),
        ("evil.internal.example", False, False),
        ("internal.", False, True),
        ("xlocalhost.example", False, False),
        ("", False, False),
        (":7532", False, False),
        ("0x7f.1", False, False),
    ],
)
def test_host_names(host, on_loopback, on_all):
    assert (refusal(LOOPBACK, host), refusal(WIDE, host)) == (
        None if on_loopback else "Host",
        None if on_all else "Host",
    )
    assert refusal(WIDE, host) == (None if on_all else "Host"), "an answer is remembered rightly"


def test_the_name_that_the_server_was_told_to_listen_on_is_its_own():
    access = listening("qldb.team.example", "10.0.0.7")
    assert [refusal(access, host) for host in ("qldb.team.example:7532", "10.0.0.7", "other.team.example")] == [
        None,
        None,
        "Host",
    ]


def test_names_can_be_allowed_also_all_below_one():
    access = listening("127.0.0.1", "127.0.0.1", "QLDB.example", "*.svc.cluster.local")
    hosts = ("qldb.example", "x.qldb.example", "qldb.default.svc.cluster.local:7532", "svc.cluster.local")
    assert [refusal(access, host) for host in hosts] == [None, "Host", None, "Host"]


@pytest.mark.parametrize(
    ("text", "is_pattern"),
    [
        *(("qldb", True), ("qldb.example", True), ("*.example.test", True), ("10.0.0.1", True), ("::1", True)),
        *(
            ("*", False),
            ("", False),
            ("a b", False),
            ("h:80", False),
            ("http://h", False),
            ("a..b", False),
            ("é", False),
        ),
    ],
)
def test_what_can_be_allowed(text, is_pattern):
    assert is_host_pattern(text) is is_pattern


@pytest.mark.parametrize(
    ("name", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("h", False)],
)
def test_what_is_loopback(name, loopback):
    assert is_loopback(name) is loopback


OWN = "localhost:7532"


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"origin": "http://localhost:7532"}, False),
        ({"origin": "https://LOCALHOST:7532", "sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://127.0.0.1:7532"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "http://evil.example,http://localhost:7532"}, True),
        ({"origin": "chrome-extension://localhost:7532"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "Cross-Site"}, True),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "same-origin,cross-site"}, True),
        ({"origin": "http://localhost:7532", "sec_fetch_site": "cross-site"}, True),
    ],
)
def test_origins_and_sites(headers, refused):
    assert (refusal(LOOPBACK, OWN, **headers) == "Origin") is refused


@pytest.mark.parametrize(
    ("is_secure", "scheme", "is_refused"),
    [(True, "https", False), (True, "http", True), (False, "http", False), (False, "https", False)],
)
def test_with_tls_a_page_that_came_without_it_is_foreign(is_secure, scheme, is_refused):
    """Without TLS of its own the server may stand behind a proxy that has it."""
    fields = {"host": "localhost:7532", "origin": f"{scheme}://localhost:7532"}
    request = Request("GET", "/", "/", "", False, fields, "localhost:7532", is_secure=is_secure)
    refused = pytest.raises(QldbError) if is_refused else contextlib.nullcontext()
    with refused:
        Access().check(request)


def test_an_origin_without_a_host_is_foreign():
    assert refusal(LOOPBACK, None, origin="http://localhost") == "Origin"


@pytest.fixture(scope="module")
def server():
    with new_emulator(has_admin=True) as emulator:
        new_ledger(emulator)
        with Server(create_dispatcher(emulator)) as running:
            yield running


def ask(server: Server, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    connection.request(method, path, b"{}" if method in ("POST", "PATCH") else None, headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


EVERY_ROUTE = [
    *sorted({(route.method, route.rule) for route in ROUTES}),
    *[("GET", "/"), ("GET", "/ledgers"), ("POST", "/ledgers"), ("POST", "/ledgers/cars/digest"), ("POST", "/")],
    *[("POST", "/ledgers/cars/journal-s3-exports"), ("OPTIONS", "/ledgers"), ("GET", "/nothing")],
]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:7532", "Origin": "http://evil.example:7532"},
        {"Origin": "http://evil.example", "Content-Type": "text/plain"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=["rebound name", "another origin", "null", "cross-site"],
)
def test_no_route_answers_the_page_of_another(server, headers):
    for method, rule in EVERY_ROUTE:
        path = rule.replace("<ledger>", "cars").replace("<snapshot>", "x").replace("<fault_id>", "x")
        api = SESSION_HEADERS if (method, path) == ("POST", "/") else {}
        status, body = ask(server, method, path, {**api, **headers})
        assert (status, b"NotAllowedException" in body) == (403, True), (method, path)


def test_a_page_of_our_own_may_use_every_kind_of_route(server):
    own = f"{server.host}:{server.port}"
    headers = {"Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}
    for method, path in (
        ("GET", "/ledgers"),
        ("GET", "/_qldb/ledgers"),
        ("GET", "/metrics"),
        ("POST", "/_qldb/faults"),
    ):
        status, body = ask(server, method, path, headers)
        assert status == 200 or b"the member kind is required" in body, (method, path, body)


def test_the_refusal_names_the_option_that_helps(server):
    status, body = ask(server, "GET", "/", {"Host": "qldb.team.example:7532"})
    assert (status, b"--allow-host qldb.team.example " in body) == (403, True)


@pytest.mark.parametrize("host", ["qldb:7532", "host.docker.internal:7532", "172.17.0.2:49153", "localhost:49153"])
def test_a_server_in_a_container_answers_to_the_names_that_containers_use(host):
    with new_emulator() as emulator, Server(create_dispatcher(emulator), "0.0.0.0") as running:
        running.host = "127.0.0.1"
        assert ask(running, "GET", "/ledgers", {"Host": host})[0] == 200
        assert ask(running, "GET", "/ledgers", {"Host": "evil.example"})[0] == 403
