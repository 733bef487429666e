"""Servers in processes of their own: the emulator, the stub, moto."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bench import BenchError, package_environment

START_SECONDS = 60
STOP_SECONDS = 20
POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Probe:
    """The request whose answer shows that a server is up.  below: the statuses that count."""

    method: str = "GET"
    path: str = "/"
    target: str | None = None
    body: str = ""
    below: int = 500


ANY_ANSWER = Probe()
EMULATOR_PROBE = Probe("GET", "/ledgers")
MOTO_PROBE = Probe("POST", "/", "DynamoDB_20120810.ListTables", "{}")


def free_port() -> int:
    """Return a port without a listener at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server.  ready_ms: from spawning it to its first answer."""

    port: int
    process: subprocess.Popen[bytes]
    ready_ms: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(command: Sequence[str], port: int, log: Path, probe: Probe = ANY_ANSWER) -> Iterator[ServerProcess]:
    """A server from its first answer until the end of the block.  Raises BenchError when it never answers."""
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=package_environment())
        try:
            while not answers(port, probe):
                if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise BenchError(f"{' '.join(command)} did not start:\n{tail(log)}")
                time.sleep(POLL_SECONDS)
            yield ServerProcess(port, process, (time.perf_counter() - began) * 1000)
        finally:
            stop(process)


def answers(port: int, probe: Probe) -> bool:
    """Whether a server gives a valid answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    headers = {} if probe.target is None else {"X-Amz-Target": probe.target}
    with contextlib.closing(connection):
        try:
            connection.request(probe.method, probe.path, probe.body or None, headers)
            return connection.getresponse().status < probe.below
        except OSError:
            return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL when that is not enough."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def emulator_command(port: int, data_dir: Path | None) -> list[str]:
    """Return the emulator as a user starts it: durable with a data directory, ephemeral without."""
    where = ["--ephemeral"] if data_dir is None else ["--data-dir", str(data_dir)]
    return [sys.executable, "-m", "qldb_emulator", "serve", "--port", str(port), *where]


def stub_command(port: int, inserted: int = 1) -> list[str]:
    """Return the canned-reply stub.  inserted: how many documents it says that an INSERT inserted."""
    return [sys.executable, "-m", "benchmarks.stub", str(port), str(inserted)]


def moto_command(moto_server: Path, port: int) -> list[str]:
    """moto's server, all services."""
    return [str(moto_server), "-H", "127.0.0.1", "-p", str(port)]


@contextmanager
def emulator_over(data_dir: Path) -> Iterator[ServerProcess]:
    """Yield a durable emulator over what a data directory holds."""
    port = free_port()
    log = data_dir.with_name(f"{data_dir.name}.log")
    with running(emulator_command(port, data_dir), port, log, EMULATOR_PROBE) as process:
        yield process


def pss_mb(process_id: int) -> float:
    """Return the proportional set size of a process in MB.

    Raises BenchError where the system does not tell (not Linux).
    """
    path = Path(f"/proc/{process_id}/smaps_rollup")
    if not path.exists():
        raise BenchError("memory is measured with /proc/<pid>/smaps_rollup, which this system does not have")
    for line in path.read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"{path} names no Pss")


def settle(process_id: int) -> None:
    """Wait until a process has nothing to do: its CPU time stands still for a quarter of a second."""
    path = Path(f"/proc/{process_id}/stat")
    ticks = -1
    for _ in range(40):
        fields = path.read_text().rsplit(")", 1)[1].split()
        now = int(fields[11]) + int(fields[12])
        if now == ticks:
            return
        ticks = now
        time.sleep(0.25)
    raise BenchError(f"process {process_id} ({os.path.basename(sys.executable)}) never comes to rest")
