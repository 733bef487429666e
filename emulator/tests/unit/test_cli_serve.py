"""``serve`` with obstacles: one sentence, the right exit code, no loss; and how it stops."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.local_driver import new_ledger
from helpers.support import ROOT

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


def answer(url: str, path: str = "/_qldb/ledgers", **headers: str) -> int:
    """Return the status of a GET, whose certificate is not looked at."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), context=context) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("options", "is_on"),
    [
        ((), True),
        (("--no-admin",), False),
        (("--host", "localhost"), True),
        (("--host", "0.0.0.0"), False),
        (("--host", "0.0.0.0", "--admin"), True),
        (("--host", "0.0.0.0", "--ephemeral"), True),
        (("--auth", "AUTH"), False),
        (("--auth", "AUTH", "--admin"), True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_when_the_admin_interface_is_on(tmp_path: Path, options: tuple[str, ...], is_on: bool) -> None:
    file = tmp_path / "auth.json"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "qldb:*", "Resource": "*"}]}
    file.write_text(json.dumps({"keys": [{"access_key": "A", "secret_key": "s", "user": "u", "policy": policy}]}))
    data = () if "--ephemeral" in options else ("--data-dir", str(tmp_path / "data"))
    with running(*data, *[str(file) if option == "AUTH" else option for option in options]) as (_, url):
        assert answer(url) == (200 if is_on else 403)


def test_host_names_are_allowed_by_option_and_by_environment() -> None:
    names = "qldb.team.example, *.svc.cluster.local"
    with running("--ephemeral", "--allow-host", "a.example", "--allow-host", "b.example") as (_, url):
        assert [answer(url, Host=host) for host in ("a.example:1", "b.example", "c.example")] == [200, 200, 403]
    with running("--ephemeral", QLDB_EMULATOR_ALLOW_HOST=names) as (_, url):
        hosts = ("qldb.team.example", "qldb.default.svc.cluster.local", "a.example")
        assert [answer(url, Host=host) for host in hosts] == [200, 200, 403]


def test_tls_with_a_made_certificate_says_how_to_trust_it(tmp_path: Path) -> None:
    pytest.importorskip("trustme")
    process = serve("--data-dir", str(tmp_path), "--tls")
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.endswith("Ready.\n"):
            break
    url = next(line.split("Ready on ")[1].split()[0] for line in lines if "Ready on " in line)
    authority = tmp_path / ".tls" / "ca.pem"
    trusted = ssl.create_default_context(cafile=str(authority))
    with urllib.request.urlopen(url, context=trusted) as response:
        assert (url.startswith("https://127.0.0.1:"), response.status) == (True, 200)
    process.terminate()
    process.communicate(timeout=20)
    for variable in ("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"):
        assert any(f"export {variable}={authority}" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--allow-host", "*"), "'*' is not a host name"),
        (("--allow-host", "http://a"), "is not a host name"),
        (("--tls-key", "k.pem"), "--tls-key needs --tls-cert"),
        (("--tls", "--tls-cert", "c.pem"), "takes no --tls-cert"),
        (("--tls-cert", "/nonexistent.pem"), "TLS: /nonexistent.pem cannot be read"),
        (("--tls-cert", "/etc/passwd"), "PEM form"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_sentence(options: tuple[str, ...], text: str) -> None:
    code, said = refused("--ephemeral", *options)
    assert (code != 0, text in said, "Traceback" in said) == (True, True, False), said


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
