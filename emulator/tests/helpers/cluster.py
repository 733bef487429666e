"""Servers over one PostgreSQL behind HAProxy, as processes of their own, on free ports of this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

START_SECONDS = 30
_PACKAGE = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class ServerProcess:
    """A running ``qldb-emulator serve``.  url: its endpoint.  log: what it said, a line each."""

    def __init__(
        self,
        data_dir: Path,
        journal: str | None,
        *options: str,
        port: int = 0,
        program: Sequence[str] = ("-m", "qldb_emulator"),
    ) -> None:
        self._command = [sys.executable, *program, "serve", "--data-dir", str(data_dir)]
        if journal is not None:
            self._command += ["--journal", journal]
        self._command += ["--admin", *options]
        self.port = port
        self.url = ""
        self.log: list[str] = []
        self.start()

    def start(self) -> None:
        """Start it, on the port it had before, and wait until it is ready."""
        environment = {**os.environ, "PYTHONPATH": str(_PACKAGE)}
        self.process = subprocess.Popen(
            [*self._command, "--port", str(self.port)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(START_SECONDS):
            self.process.kill()
            raise RuntimeError("the server did not say that it is ready:\n" + "".join(self.log))
        self.port = int(self.url.rsplit(":", 1)[1])

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line)
            if found := re.search(r"Ready on (https?://\S+)", line):
                self.url = found[1]
                ready.set()
        ready.set()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.is_running:
            self.process.terminate()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(30)
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


HAPROXY = """
defaults
    mode http
    timeout connect 3s
    timeout client 130s
    timeout server 130s
    option redispatch
    retries 3
frontend qldb
    bind {bind}
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /_qldb/health
    default-server check inter 1s fall 2 rise 1
{servers}
"""


def haproxy_text(bind: str, urls: Sequence[str]) -> str:
    """A configuration that goes round servers."""
    lines = [f"    server s{number} {url.partition('://')[2]}" for number, url in enumerate(urls, 1)]
    return HAPROXY.format(bind=bind, servers="\n".join(lines))


@contextmanager
def haproxy(folder: Path, urls: Sequence[str], port: int = 0) -> Iterator[str]:
    """HAProxy before servers; the URL of its one port."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    port = port or free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(haproxy_text(f"127.0.0.1:{port}", urls))
    process = subprocess.Popen([program, "-f", str(configuration)], stderr=subprocess.DEVNULL, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_ready(url: str) -> None:
    """Wait until a server answers that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_qldb/ready", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Cluster:
    """url: of the balancer.  servers: processes that may be killed and started."""

    def __init__(self, url: str, servers: list[ServerProcess]) -> None:
        self.url = url
        self.servers = servers


@contextmanager
def cluster(
    folder: Path,
    journal: str,
    count: int = 2,
    *options: str,
    port: int = 0,
    program: Sequence[str] = ("-m", "qldb_emulator"),
) -> Iterator[Cluster]:
    """Servers over a journal, each with a data directory below ``folder``, behind HAProxy."""
    with ExitStack() as stack:
        servers = []
        for number in range(1, count + 1):
            server = ServerProcess(folder / f"server{number}", journal, *options, program=program)
            stack.callback(server.stop)
            servers.append(server)
        url = stack.enter_context(haproxy(folder, [server.url for server in servers], port))
        yield Cluster(url, servers)
