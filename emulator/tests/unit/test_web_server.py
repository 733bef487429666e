"""The server over real sockets: whole answers, clean starts and stops, and refusals in the words of the API."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import botocore.exceptions
import botocore.session
import pytest
from helpers.wire_support import SESSION_HEADERS, TRANSACTION_ID, FakeEmulator

from qldb_emulator import errors
from qldb_emulator.context import CommandResult
from qldb_emulator.limits import Limits
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.dates import http_date
from qldb_emulator.web.listening import ListenError, PortInUseError
from qldb_emulator.web.server import Server
from qldb_emulator.wire.model import MODEL_DIRECTORY

START = b'{"SessionToken":"abcd","StartTransaction":{}}'
LIMIT = 100_000
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture
def emulator():
    fake = FakeEmulator(Limits(request_bytes=LIMIT))
    fake.answers["StartTransaction"] = {"TransactionId": TRANSACTION_ID}
    return fake


@pytest.fixture
def server(emulator):
    with Server(create_dispatcher(emulator)) as running:
        yield running


def _raw(server, data, shut=False):
    """Everything the server sends for some bytes, in the pieces that arrived, until it closes or falls silent."""
    pieces = []
    with socket.create_connection((server.host, server.port), timeout=5) as connection:
        connection.sendall(data)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        try:
            while piece := connection.recv(1 << 20):
                pieces.append(piece)
                connection.settimeout(0.1)
        except TimeoutError:
            pass
    return pieces


def _session_request(body, extra=""):
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_an_answer_arrives_in_one_piece_with_one_date(server):
    [answer] = _raw(server, _session_request(START))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    [date] = [line.removeprefix("date: ") for line in lines if line.startswith("date:")]
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 5
    assert lines[0] == "http/1.1 200 ok"
    assert f"content-length: {len(body)}" in lines
    # Each once and nothing else: clients take longer for a field than the server does.
    names = sorted(line.partition(":")[0] for line in lines[1:])
    assert names == ["content-length", "content-type", "date", "x-amzn-requestid"]


def test_a_date_is_what_the_standard_library_writes():
    """On every day of five years, at any time of the day."""
    for seconds in range(951_782_399, 1_109_462_400, 86_399):
        assert http_date(time.gmtime(seconds)) == formatdate(seconds, usegmt=True)


def test_one_connection_serves_many_requests(server, emulator):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    for _ in range(3):
        connection.request("POST", "/", START, SESSION_HEADERS)
        response = connection.getresponse()
        assert (response.status, len(response.read()) > 0) == (200, True)
        sock = connection.sock
        connection.request("GET", "/ledgers")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"{}")
        assert sock is connection.sock
    connection.close()
    assert len(emulator.received) == 6


def test_a_head_request_is_answered_without_a_body_and_the_connection_lives_on(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    for method, status in (("HEAD", 404), ("GET", 200), ("HEAD", 404)):
        connection.request(method, "/ledgers")
        response = connection.getresponse()
        assert (status, method == "GET") == (response.status, bool(response.read()))
    connection.close()


def test_a_chunked_body_is_read(server, emulator):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (START[:7], START[7:])) + b"0\r\n\r\n"
    [answer] = _raw(server, CHUNKED + chunks)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert emulator.received[0][0] == "StartTransaction"


CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        pytest.param(_session_request(b" " * (LIMIT + 1)), 413, b"RequestEntityTooLarge", id="too long"),
        pytest.param(_session_request(b" " * 5_000_000), 413, b"RequestEntityTooLarge", id="far too long"),
        pytest.param(
            CHUNKED + b"100000\r\n" + b" " * 0x100000 + b"\r\n0\r\n\r\n",
            413,
            b"RequestEntityTooLarge",
            id="too long in chunks",
        ),
        pytest.param(CHUNKED + b"zz\r\n", 400, b"SerializationException", id="chunks without a size"),
        pytest.param(b"nonsense\r\n\r\n", 400, b"SerializationException", id="not HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 300_000, 400, b"SerializationException", id="endless head"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            400,
            b"SerializationException",
            id="a length without digits",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, b"SerializationException", id="unknown encoding"
        ),
    ],
)
def test_what_the_server_refuses_is_refused_in_the_words_of_the_api(server, emulator, data, status, error):
    answer = b"".join(_raw(server, data))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert str(status).encode() == head.split()[1]
    assert b"x-amzn-errortype: " + error.lower() in head.lower()
    assert b"x-amzn-requestid: " in head.lower()
    assert body.startswith(b'{"__type":"')
    assert error in body
    assert emulator.received == []


def test_the_largest_body_allowed_is_taken(server):
    [answer] = _raw(server, _session_request(START.ljust(LIMIT)))
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_hangs_up_halfway_disturbs_no_other(server, emulator):
    assert _raw(server, _session_request(START)[:-5], shut=True) == []
    assert len(_raw(server, _session_request(START))) == 1
    assert len(emulator.received) == 1


def _client(name, server, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(MODEL_DIRECTORY))
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.insert(0, str(MODEL_DIRECTORY))
    return session.create_client(
        name, "eu-west-1", endpoint_url=server.url, aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret"
    )


def test_boto3_speaks_to_both_apis_on_one_port(server, emulator, monkeypatch):
    emulator.answers["CreateLedger"] = {"Name": "cars", "State": "CREATING", "CreationDateTime": 1568839243951}
    emulator.answers["DescribeLedger"] = errors.LEDGER_NOT_FOUND(name="cars", elsewhere="")
    control, session = (_client(name, server, monkeypatch) for name in ("qldb", "qldb-session"))
    created = control.create_ledger(Name="cars", PermissionsMode="STANDARD", Tags={"a": "é"})
    assert (created["State"], created["CreationDateTime"].timestamp()) == ("CREATING", 1568839243.951)
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.describe_ledger(Name="cars")
    started = session.send_command(SessionToken="abcd", StartTransaction={})
    assert started["StartTransaction"]["TransactionId"] == TRANSACTION_ID
    assert len(started["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]) == 22
    assert {("eu-west-1", "AKIDEXAMPLE")} == {
        (request[2].region, request[2].access_key) for request in emulator.received
    }
    control.close()
    session.close()


def test_boto3_gets_the_answer_to_a_body_that_is_too_long(server, monkeypatch):
    session = _client("qldb-session", server, monkeypatch)
    statement = {"TransactionId": TRANSACTION_ID, "Statement": "x", "Parameters": [{"IonText": "y" * 3_000_000}]}
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        session.send_command(SessionToken="abcd", ExecuteStatement=statement)
    assert raised.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    session.close()


def _threads():
    return [thread for thread in threading.enumerate() if thread is not threading.current_thread()]


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


def test_ten_starts_and_stops_leave_nothing_behind(emulator):
    dispatcher = create_dispatcher(emulator)
    before = _threads(), _descriptors()
    for _ in range(10):
        server = Server(dispatcher)
        server.start()
        # A driver's pool keeps its connection open across the stop.
        idle = http.client.HTTPConnection(server.host, server.port, timeout=5)
        idle.request("GET", "/ledgers")
        assert idle.getresponse().status == 200
        server.stop()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port), timeout=5)
        idle.close()
    assert before == (_threads(), _descriptors())


def test_a_server_that_never_started_stops_too(emulator):
    before = _threads(), _descriptors()
    Server(create_dispatcher(emulator)).stop()
    assert before == (_threads(), _descriptors())


def test_a_request_in_flight_is_answered_before_the_server_stops(emulator):
    entered, release = threading.Event(), threading.Event()

    def slow(*_):
        entered.set()
        release.wait(5)
        return CommandResult({"TransactionId": TRANSACTION_ID})

    emulator.send_command = slow
    server = Server(create_dispatcher(emulator))
    server.start()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    connection.request("POST", "/", START, SESSION_HEADERS)
    assert entered.wait(5)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    time.sleep(0.05)
    release.set()
    stopping.join(5)
    assert (connection.getresponse().status, stopping.is_alive()) == (200, False)
    connection.close()


def test_a_busy_port_is_a_clear_error(emulator, server):
    before = _threads(), _descriptors()
    with pytest.raises(PortInUseError, match=f"Port {server.port} on 127.0.0.1 is in use"):
        Server(create_dispatcher(emulator), port=server.port).start()
    assert before == (_threads(), _descriptors())


@pytest.mark.parametrize(
    ("host", "port"),
    [
        pytest.param("no-such-host.invalid", 0, id="unknown host"),
        pytest.param("127.0.0.1", 70_000, id="port out of range"),
        pytest.param("127.0.0.1", -1, id="negative port"),
        pytest.param("203.0.113.1", 0, id="an address of another machine"),
        pytest.param("a" * 300, 0, id="a host name that cannot be"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_a_clear_error(emulator, host, port):
    with pytest.raises(ListenError, match="Cannot listen on"):
        Server(create_dispatcher(emulator), host, port).start()


@pytest.mark.parametrize(
    ("host", "start"),
    [("127.0.0.1", "http://127.0.0.1:"), ("localhost", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:")],
)
def test_the_url_is_one_that_clients_can_use(emulator, host, start):
    with Server(create_dispatcher(emulator), host) as server:
        assert f"{start}{server.port}" == server.url
        assert len(_raw(server, _session_request(START))) == 1


PROCESS = """
import signal, sys
sys.path[:0] = {path!r}
from qldb_emulator.web.dates import http_date
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server
from helpers.wire_support import FakeEmulator
server = Server(create_dispatcher(FakeEmulator()))
signal.signal(signal.{name}, lambda *_: server.request_stop())
server.start()
print(server.port, flush=True)
server.serve_forever()
print("stopped", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_process_stops_on_a_signal(name):
    tests = Path(__file__).resolve().parents[1]
    code = PROCESS.format(path=[str(tests), str(tests.parent)], name=name)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    with process:
        port = int(process.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/ledgers")
        assert connection.getresponse().status == 200
        process.send_signal(getattr(signal, name))
        assert (process.stdout.readline(), process.wait(10)) == ("stopped\n", 0)
        connection.close()


def test_serving_in_a_thread_does_not_touch_the_interpreter(emulator):
    before = sys.getswitchinterval()
    with Server(create_dispatcher(emulator)):
        assert before == sys.getswitchinterval()
