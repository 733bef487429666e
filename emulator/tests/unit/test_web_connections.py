"""More connections than the limit, clients that are slow, and TLS."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from helpers.wire_support import SESSION_HEADERS, TRANSACTION_ID, FakeEmulator

from qldb_emulator.clock import ManualClock, SystemClock
from qldb_emulator.limits import Limits
from qldb_emulator.web import connection as connections
from qldb_emulator.web import server as servers
from qldb_emulator.web import tls
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.occasionally import OccasionalLog
from qldb_emulator.web.server import Server

GET = b"GET /ledgers HTTP/1.1\r\nHost: localhost\r\n\r\n"
START = b'{"SessionToken":"abcd","StartTransaction":{}}'


def new_server(limit: int = 100, **options: object) -> Server:
    emulator = FakeEmulator(Limits(connections=limit))
    emulator.answers["StartTransaction"] = {"TransactionId": TRANSACTION_ID}
    return Server(create_dispatcher(emulator), **options)


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def exchange(client: socket.socket, data: bytes = GET) -> bytes:
    client.sendall(data)
    return client.recv(65_536)


def until_closed(client: socket.socket) -> bytes:
    pieces = []
    while piece := client.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.fixture
def _fresh_logs(monkeypatch):
    for module, names in (
        (servers, ["_too_many"]),
        (connections, ["_tls_to_plain", "_plain_to_tls", "_handshake_failed"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, OccasionalLog(module.logger))


# --- too many ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_fresh_logs")
def test_a_connection_too_many_gets_503_and_the_log_one_line(caplog):
    caplog.set_level(logging.WARNING)
    with new_server(limit=3) as server, contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(3)]
        assert all(exchange(client).startswith(b"HTTP/1.1 200") for client in held)
        for _ in range(5):
            with connect(server) as client:
                client.sendall(GET)
                head, _, body = until_closed(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"Connection: close" in head
            assert json.loads(body)["__type"] == "TooManyConnectionsException"
            assert "has 3 connections" in json.loads(body)["Message"]
        target = b"X-Amz-Target: QLDBSession.SendCommand\r\n"
        with connect(server) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n%bContent-Length: 2\r\n\r\n{}" % target)
            assert b"application/x-amz-json-1.0" in until_closed(client)
        assert all(exchange(client).startswith(b"HTTP/1.1 200") for client in held), "the others are served on"
        held.pop().close()
        deadline = time.monotonic() + 5
        status = b""
        while status != b"200" and time.monotonic() < deadline:
            with connect(server) as client:
                status = exchange(client).split(b" ")[1]
        assert status == b"200", "a place that is free again is given away"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert "3 connections are open" in lines[0]


@pytest.mark.usefixtures("_fresh_logs")
def test_many_connections_too_many_at_a_time_are_all_answered():
    answers = []
    with new_server(limit=1) as server, connect(server) as held:
        assert exchange(held).startswith(b"HTTP/1.1 200")

        def client() -> None:
            with connect(server) as one:
                answers.append(exchange(one).split(b" ")[1])

        threads = [threading.Thread(target=client) for _ in range(servers.REFUSALS_MAX + 40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert answers == [b"503"] * (servers.REFUSALS_MAX + 40)


@pytest.mark.usefixtures("_fresh_logs")
def test_a_silent_connection_too_many_is_closed(monkeypatch):
    monkeypatch.setattr(connections, "REFUSAL_SECONDS", 1)
    with new_server(limit=1) as server, connect(server) as held, connect(server) as silent:
        assert exchange(held).startswith(b"HTTP/1.1 200")
        assert until_closed(silent).startswith(b"HTTP/1.1 503")


def test_lines_of_one_kind_are_counted_while_they_are_left_out(caplog, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("qldb_emulator.web.occasionally.time.monotonic", lambda: now[0])
    log = OccasionalLog(logging.getLogger("qldb_emulator.test"))
    for at in (100.0, 100.1, 109.9, 110.1):
        now[0] = at
        log.warn("so %d", 1)
    assert [record.getMessage() for record in caplog.records] == ["so 1", "so 1 (2 more since the last such line)"]


# --- slow clients -----------------------------------------------------------------------------------------------


def test_a_request_that_begins_and_does_not_go_on_ends_its_connection(monkeypatch):
    monkeypatch.setattr(connections, "PIECE_SECONDS", 1)
    with new_server() as server, connect(server) as slow, connect(server) as idle:
        slow.sendall(GET[:-2])
        assert until_closed(slow) == b""
        assert exchange(idle).startswith(b"HTTP/1.1 200"), "a connection that is only idle lives on"


def test_a_request_that_drips_ends_its_connection(monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with new_server() as server, connect(server) as slow:
        slow.settimeout(0.02)
        end = None
        for byte in GET * 10:
            slow.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                end = slow.recv(1)
                break
        assert end == b""


# --- TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("trustme")
    names = tls.certificate_names("127.0.0.1", ["qldb.team.example", "*.svc.cluster.local"])
    return tls.made_certificate(tmp_path_factory.mktemp("tls") / "new", names, SystemClock())


@pytest.fixture
def server(made):
    with new_server(tls=tls.server_context(made.certificate)) as running:
        yield running


def trusting(made: tls.MadeCertificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(made.authority))


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "qldb.team.example", "a.svc.cluster.local"])
def test_a_client_that_trusts_the_authority_is_served(server, made, name):
    with connect(server) as plain, trusting(made).wrap_socket(plain, server_hostname=name) as client:
        for _ in range(3):
            assert exchange(client).startswith(b"HTTP/1.1 200")
        headers = "".join(f"{key}: {value}\r\n" for key, value in SESSION_HEADERS.items())
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(START)}\r\n\r\n"
        assert TRANSACTION_ID.encode() in exchange(client, head.encode() + START)
    assert server.url.startswith("https://127.0.0.1:")


def test_a_large_body_and_a_body_too_large_come_through_tls(server, made):
    limit = Limits().request_bytes
    with connect(server) as plain, trusting(made).wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(b"POST /ledgers/x/digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n")
        client.sendall(b" " * 3_000_000)
        assert client.recv(65_536).startswith(b"HTTP/1.1 ")
    with connect(server) as plain, trusting(made).wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(b"POST /ledgers HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (limit + 1))
        assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.usefixtures("_fresh_logs")
def test_a_client_that_does_not_trust_is_told_in_the_log(server, caplog):
    with connect(server) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    deadline = time.monotonic() + 5
    while "the TLS handshake with 127.0.0.1 failed" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "the TLS handshake with 127.0.0.1 failed" in caplog.text


@pytest.mark.usefixtures("_fresh_logs")
def test_plain_http_to_a_tls_port_is_answered_in_plain_http_and_logged(server, caplog):
    with connect(server) as client:
        client.sendall(GET)
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"use an https:// URL" in answer
    assert "speaks plain HTTP, but the server speaks TLS" in caplog.text


@pytest.mark.usefixtures("_fresh_logs")
def test_tls_to_a_plain_port_is_refused_at_once_and_logged(caplog):
    with new_server() as plain_server, connect(plain_server) as plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    assert "speaks TLS, but the server speaks plain HTTP" in caplog.text


def test_a_silent_tls_client_does_not_block_others_and_is_dropped(server, made, monkeypatch):
    monkeypatch.setattr(connections, "HANDSHAKE_SECONDS", 1)
    with connect(server) as silent, connect(server) as dripping:
        dripping.sendall(b"\x16\x03\x01")
        with connect(server) as plain, trusting(made).wrap_socket(plain, server_hostname="localhost") as client:
            assert exchange(client).startswith(b"HTTP/1.1 200")
        assert until_closed(silent) == b""
        assert until_closed(dripping) == b""


def test_a_stop_ends_idle_tls_connections(made):
    server = new_server(tls=tls.server_context(made.certificate))
    server.start()
    with connect(server) as plain, trusting(made).wrap_socket(plain, server_hostname="localhost") as client:
        exchange(client)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < connections.IDLE_SECONDS / 2


def test_a_certificate_is_kept_while_it_fits_and_lasts(made, tmp_path):
    clock = ManualClock(SystemClock().now_ms())
    names = ["localhost", "127.0.0.1"]
    first = tls.made_certificate(tmp_path, names, clock)
    kept = first.certificate.read_bytes(), first.authority.read_bytes()
    assert (first.certificate.stat().st_mode & 0o777, sorted(p.name for p in tmp_path.iterdir())) == (
        0o600,
        ["ca.pem", "server.pem"],
    )
    tls.made_certificate(tmp_path, names, clock)
    assert (first.certificate.read_bytes(), first.authority.read_bytes()) == kept
    tls.made_certificate(tmp_path, [*names, "qldb"], clock)
    renewed = first.certificate.read_bytes()
    assert renewed != kept[0]
    late = ManualClock(clock.now_ms() + (tls.DAYS - tls.RENEW_DAYS + 1) * tls.DAY_MS)
    tls.made_certificate(tmp_path, names, late)
    assert first.certificate.read_bytes() != renewed
    first.certificate.write_text("nonsense")
    tls.made_certificate(tmp_path, names, clock)
    tls.server_context(first.certificate)


def test_what_cannot_be_used_for_tls_is_a_clear_error(made, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(tls.TlsError, match="cannot be read: No such file"):
        tls.server_context(tmp_path / "none.pem")
    with pytest.raises(tls.TlsError, match="PEM form"):
        tls.server_context(tmp_path / "empty.pem")
    with pytest.raises(tls.TlsError, match="belong together"):
        tls.server_context(made.authority, made.certificate)
    with pytest.raises(tls.TlsError, match="cannot be kept"):
        tls.made_certificate(tmp_path / "file" / "x", ["localhost"], SystemClock())


def test_without_trustme_the_text_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(tls.TlsError, match=r"pip install 'trustme"):
        tls.made_certificate(tmp_path, ["localhost"], SystemClock())


def test_openssl_can_use_a_certificate_of_its_own(tmp_path):
    """--tls-cert and --tls-key with two files of another tool."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key.pem -out cert.pem"
    try:
        subprocess.run(
            [*command.split(), "-addext", "subjectAltName=DNS:localhost"], cwd=tmp_path, check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context = tls.server_context(tmp_path / "cert.pem", tmp_path / "key.pem")
    trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with (
        new_server(tls=context) as server,
        connect(server) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        assert exchange(client).startswith(b"HTTP/1.1 200")
