"""Writes ``docs/first-minutes.md``: what a new user types from README to a proof, what is answered, and the time.

Everything is really run, in a new clone and a new home directory.  Commands and programs are taken from the pages.
It needs the network, for the packages.

    python docs/make/first_minutes.py [--port 7532]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-minutes.md"
LINES_SHOWN = 24
LINE_WIDTH = 128
START_SECONDS = 600

HEAD = """# The first ten minutes

A transcript: what a new user types, from the first command of the README to a proof, with what is answered and how
long it takes. `docs/make/first_minutes.py` ran it in a new clone and a new home directory, and wrote this page; the
time to read and to type is yours. The programs are those of the [README](../README.md) and of [a proof](proof.md).

"""


class User:
    """A shell in a new clone.  Every step is a section of the page."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.started = time.monotonic()
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "PIP_CERT", "SSL_CERT_FILE") if name in os.environ}
        keep |= {name: value for name, value in os.environ.items() if name.startswith(("PYENV", "PIP_", "UV_"))}
        self.environment = {**keep, "HOME": str(folder), "QLDB_EMULATOR_PORT": str(port)}
        if port != 7532:
            self.environment["QLDB_EMULATOR_URL"] = f"http://127.0.0.1:{port}"
        self.server: subprocess.Popen[bytes] | None = None

    def say(self, text: str) -> None:
        """Add a sentence to the page."""
        self.lines += [text, ""]

    def section(self, title: str) -> None:
        """Begin a part of the page, with the time since the start."""
        seconds = int(time.monotonic() - self.started)
        self.lines += [f"## {seconds // 60}:{seconds % 60:02} {title}", ""]

    def types(self, command: str, shown: str | None = None) -> None:
        """Run a command in the clone, and show it with its output.  Raises SystemExit if it fails."""
        began = time.monotonic()
        activate = "[ -f ../venv/bin/activate ] && . ../venv/bin/activate"
        script = f"cd {self.folder}/qldb-emulator 2>/dev/null; {activate}\n{command}"
        done = subprocess.run(
            ["bash", "-c", script], env=self.environment, capture_output=True, text=True, timeout=START_SECONDS
        )
        if done.returncode:
            raise SystemExit(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        self._show(shown or command, done.stderr + done.stdout, time.monotonic() - began)

    def starts_server(self, command: str) -> None:
        """Start the server in the background, and wait until it is ready."""
        began = time.monotonic()
        log = self.folder / "server.log"
        self.server = subprocess.Popen(
            ["bash", "-c", f"cd qldb-emulator && exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stderr=log.open("wb"),
            start_new_session=True,
        )
        while not re.search("Ready\\.$", log.read_text(), re.M):
            if self.server.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise SystemExit(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        self._show(f"{command} &", log.read_text(), time.monotonic() - began)

    def stops_server(self) -> None:
        """End the server, as Ctrl-C does."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGINT)
            self.server.wait(30)
            self.server = None

    def _show(self, command: str, output: str, seconds: float) -> None:
        plain = output.replace(str(self.folder), "~").replace(str(ROOT), "~/source")
        # Where the interpreter of this machine is says nothing to a reader.
        plain = plain.replace(os.path.realpath(shutil.which("python3") or "python3"), "/usr/bin/python3")
        plain = plain.replace(shutil.which("python3") or "python3", "/usr/bin/python3")
        lines = [
            line[: LINE_WIDTH - 1] + "…" if len(line) > LINE_WIDTH else line for line in plain.rstrip().splitlines()
        ]
        if len(lines) > LINES_SHOWN:
            lines = [*lines[: LINES_SHOWN - 2], f"… {len(lines) - LINES_SHOWN + 2} more lines"]
        self.lines += ["```", f"$ {command}", *lines, "```", "", f"{seconds:.1f} s.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=7532, help="of the server (default: 7532)")
    options = parser.parse_args()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", options.port)) == 0:
            raise SystemExit(f"Port {options.port} is in use; --port names another")
    folder = Path(tempfile.mkdtemp(prefix="first-minutes-"))
    user = User(folder, options.port)
    try:
        walk(user)
    finally:
        user.stops_server()
        shutil.rmtree(folder, ignore_errors=True)
    PAGE.write_text(HEAD + facts() + "\n".join(user.lines).rstrip() + "\n")
    print(f"wrote {PAGE.relative_to(ROOT)}")


def walk(user: User) -> None:
    """The way of a new user."""
    user.section("Get it, start it")
    user.types(
        f"git clone --quiet {ROOT} {user.folder}/qldb-emulator", "git clone https://… qldb-emulator && cd qldb-emulator"
    )
    user.starts_server("scripts/serve")
    user.section("A ledger without any SDK")
    for command in python_free():
        user.types(command)
    user.section("A program with pyqldb")
    user.types("python3 -m venv ../venv && ../venv/bin/pip install --quiet pyqldb boto3", "pip install pyqldb boto3")
    program(user, "README.md", range(2), "cars.py")
    user.say("Two versions of one document, then a digest and the proof of the last block.")
    user.section("A proof, computed by yourself")
    program(user, "docs/proof.md", range(4), "deed.py")
    user.section("Verify everything, without the server's help")
    user.types("scripts/qldb-emulator verify deeds --data-dir ~/.qldb-emulator")
    user.types("scripts/qldb-emulator export deeds ~/deeds --data-dir ~/.qldb-emulator")
    user.types("sed -i s/Maria/Mario/ $(grep -rl Maria ~/deeds) && ! scripts/qldb-emulator verify ~/deeds")
    user.say("One changed word in a copy of the journal is found, and named.")
    user.section("Done")


def program(user: User, page: str, which: range, name: str) -> None:
    """Save the programs of a page as one file, and run it."""
    texts = list(fenced(ROOT / page, "python"))
    (user.folder / "qldb-emulator" / name).write_text("\n\n".join(texts[number] for number in which))
    user.types(f'eval "$(scripts/qldb-emulator env)" && python {name}')


def python_free() -> Iterator[str]:
    """The README's commands for a ledger without an SDK, in a checkout."""
    text = next(block for block in fenced(ROOT / "README.md", "sh") if "ledgers create boats" in block)
    for line in text.splitlines():
        command = line.partition("   #")[0].strip()
        if command.startswith("qldb-emulator"):
            yield f"scripts/{command}"


def fenced(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of a language on a page."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def facts() -> str:
    """On what the times were measured."""
    uv = "with uv" if shutil.which("uv") else "with pip"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    load = os.getloadavg()[0]
    return (
        f"Measured at commit {commit.strip()} on {os.cpu_count()} processors (load {load:.0f} from other work), Python "
        f"{platform.python_version()}, environments {uv},\npackages over the network. The numbers before the titles "
        "are minutes and seconds since the start.\n\n"
    )


if __name__ == "__main__":
    main()
