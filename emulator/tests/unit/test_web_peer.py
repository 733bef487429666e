"""A request knows whether its client is still there."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest
from helpers.wire_support import TRANSACTION_ID, FakeEmulator

from qldb_emulator.clock import SystemClock
from qldb_emulator.context import CommandResult, client_is_there
from qldb_emulator.web import peer, tls
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

BODY = b'{"SessionToken":"abcd","StartTransaction":{}}'
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def eventually(condition) -> bool:
    """Whether a condition holds within five seconds."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


class _Waiting(FakeEmulator):
    """Its command runs until the test lets it end, and returns the request's context."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.release = threading.Event(), threading.Event()

    def send_command(self, command, session_token, members, context):
        self.context = context
        self.entered.set()
        assert self.release.wait(10)
        return CommandResult({"TransactionId": TRANSACTION_ID})


@pytest.fixture
def emulator():
    return _Waiting()


@pytest.mark.parametrize(
    ("sent", "ways"),
    [
        pytest.param(REQUEST, ("_poll", "_peek"), id="one request"),
        pytest.param(REQUEST * 2, ("_poll",), id="another request is waiting"),
    ],
)
def test_a_running_command_learns_that_its_client_has_left(emulator, monkeypatch, sent, ways):
    for way in ways:
        monkeypatch.setattr(peer, "_CLOSED", peer._CLOSED if way == "_poll" else 0)
        emulator.entered.clear()
        emulator.release.clear()
        with Server(create_dispatcher(emulator)) as server:
            with socket.create_connection((server.host, server.port)) as client:
                client.sendall(sent)
                assert emulator.entered.wait(5)
                assert not emulator.context.is_client_gone()
            assert eventually(emulator.context.is_client_gone), way
            emulator.release.set()


@pytest.mark.parametrize("way", ["_poll", "_peek"])
def test_over_tls_a_running_command_learns_it_too(emulator, monkeypatch, tmp_path, way):
    pytest.importorskip("trustme")
    monkeypatch.setattr(peer, "_CLOSED", peer._CLOSED if way == "_poll" else 0)
    made = tls.made_certificate(tmp_path, ["localhost"], SystemClock())
    trusting = ssl.create_default_context(cafile=str(made.authority))
    with Server(create_dispatcher(emulator), tls=tls.server_context(made.certificate)) as server:
        plain = socket.create_connection((server.host, server.port))
        with trusting.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(REQUEST)
            assert emulator.entered.wait(5)
            assert not emulator.context.is_client_gone()
        if way == "_poll":
            assert eventually(emulator.context.is_client_gone)
        emulator.release.set()


def test_asking_after_the_connection_has_ended_is_harmless(emulator):
    with Server(create_dispatcher(emulator)) as server:
        with socket.create_connection((server.host, server.port)) as client:
            client.sendall(REQUEST)
            emulator.release.set()
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        assert eventually(emulator.context.is_client_gone)


def test_without_a_connection_the_client_is_always_there():
    assert client_is_there() is False
