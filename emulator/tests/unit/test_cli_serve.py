"""``serve`` when something is in its way: one sentence, the right exit code, nothing lost; and how it stops."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_driver import new_ledger
from support import ROOT

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

COMMAND = [sys.executable, "-m", "qldb_emulator"]


def environment(**more: str) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT / "emulator"), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **more}


def serve(*options: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *options], stderr=subprocess.PIPE, text=True, env=environment(**more)
    )


def refused(*options: str, **more: str) -> tuple[int, str]:
    process = serve("--log-level", "error", *options, **more)
    _, text = process.communicate(timeout=30)
    return process.returncode, text


@contextmanager
def running(*options: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = serve(*options, **more)
    assert process.stderr is not None
    try:
        yield process, next(line.split("Ready on ")[1].split()[0] for line in process.stderr if "Ready on " in line)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_stops_it_cleanly(number: int) -> None:
    with running("--ephemeral") as (process, _):
        process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_busy_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = refused("--ephemeral", "--port", str(port))
    assert (code, text) == (
        1,
        f"Error: Port {port} on 127.0.0.1 is in use by another process; choose another port\n",
    )


def test_a_directory_in_use_names_its_owner(tmp_path: Path) -> None:
    with running("--data-dir", str(tmp_path)) as (process, _):
        code, text = refused("--data-dir", str(tmp_path))
        assert code == 1
        assert text == (
            f"Error: The data directory {tmp_path} is in use by process {process.pid}. "
            "Stop it, or choose another data directory.\n"
        )


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        new_ledger(emulator)
    file = tmp_path / "us-east-1" / "cars.qldb"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = file.read_bytes()
    with running("--data-dir", str(tmp_path)) as (_, url):
        shell = [*COMMAND, "shell", "cars", "--url", url, "-c", "SELECT 1 FROM x"]
        answer = subprocess.run(shell, capture_output=True, text=True, env=environment(), check=False)
        assert answer.returncode == 1
        assert "was written by a newer version of the emulator" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--data-dir", "/dev/null/x"), 1, "/dev/null/x"),
        (("--host", "256.0.0.1", "--ephemeral"), 1, "Cannot listen on 256.0.0.1"),
        (("--port", "70000"), 2, "70000 is not in the range"),
        (("--account", "x"), 2, "an account id has twelve digits"),
        (("--sample", "none"), 2, "'none' is not"),
        (("--ephemeral", "--data-dir", "x"), 2, "--ephemeral keeps nothing"),
        (("--seed", "/none", "--ephemeral"), 1, "there is no /none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_options_are_told_in_a_sentence(options: tuple[str, ...], code: int, text: str) -> None:
    found, said = refused(*options)
    assert (found, text in said, "Traceback" in said) == (code, True, False), said


def test_the_command_line_goes_before_the_environment(tmp_path: Path) -> None:
    with running(QLDB_EMULATOR_EPHEMERAL="1", QLDB_EMULATOR_DATA_DIR=str(tmp_path / "unused")):
        assert not (tmp_path / "unused").exists()
    with running("--data-dir", str(tmp_path / "used"), QLDB_EMULATOR_EPHEMERAL="1"):
        assert (tmp_path / "used").is_dir()
