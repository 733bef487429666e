"""A server as a test fixture: its start and stop times, and whether it leaves threads or files behind."""

from __future__ import annotations

import gc
import http.client
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from werkzeug.serving import WSGIRequestHandler, make_server

from qldb_emulator.testing import LocalServer

from ..bench import Bench, BenchError
from ..rows import Family, Row, Samples, control

_POLL_SECONDS = 0.02  # how often werkzeug's server looks whether it is to stop; its default would be half a second


def ask(port: int, path: str) -> http.client.HTTPConnection:
    """Send one request on a connection of its own, which stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise BenchError(f"the server in this process answered {response.status}")
    return connection


def held() -> tuple[int, int]:
    """Return how many threads there are in this process, and how many open file descriptors."""
    gc.collect()
    return threading.active_count(), len(os.listdir("/dev/fd"))


def local_server() -> float:
    """Start, one request, stop while its client is still connected.  Raises BenchError when something is left."""
    before = held()
    began = time.perf_counter_ns()
    server = LocalServer()
    server.start()
    idle = ask(urlsplit(server.url).port or 0, "/ledgers")
    server.stop()
    taken = time.perf_counter_ns() - began
    idle.close()
    after = held()
    if after[0] > before[0] or after[1] > before[1]:
        raise BenchError(f"(threads, descriptors) were {before} before a fixture and {after} after it")
    return taken


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def trivial(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Yield the least that an app can do."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"{}"]


def werkzeug_server() -> float:
    """Return the same with werkzeug's server and a trivial app."""
    began = time.perf_counter_ns()
    server = make_server("127.0.0.1", 0, trivial, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_SECONDS})
    thread.start()
    idle = ask(server.port, "/")
    server.shutdown()
    thread.join()
    taken = time.perf_counter_ns() - began
    idle.close()
    return taken


def measure_control(bench: Bench) -> Samples:
    return bench.compare(local_server, local_server, "ms")


def measure_fixture(bench: Bench) -> Samples:
    note = (
        f"start, a request, stop with an idle client; no thread or descriptor is left behind; "
        f"werkzeug polls every {_POLL_SECONDS * 1000:.0f} ms for its stop, where its default is 500"
    )
    return replace(bench.compare(local_server, werkzeug_server, "ms"), note=note)


FAMILY = Family(
    "fixtures, in process",
    control("fixtures-control", "testing.LocalServer from start to stop", measure_control),
    (
        Row(
            "fixture",
            "testing.LocalServer from start to stop",
            "werkzeug's make_server with a trivial app",
            1.0,
            "measurements.md G16",
            measure_fixture,
        ),
    ),
)
