"""A follower, its database and the ledger's server are killed again and again: every block is there exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.postgres import Postgres, postgres_if_installed
from helpers.support import ROOT

from qldb_emulator.driver import LedgerSession
from qldb_emulator.driver.http import HttpTransport
from qldb_emulator.tables import open_target
from qldb_emulator.tables.layout import BLOCKS, layouts_from_plain

ROUNDS = 5
WRITES = 20
WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres | None]:
    with postgres_if_installed() as running:
        yield running


def command(*arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator")}
    words = [sys.executable, "-m", "qldb_emulator", *map(str, arguments)]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = command("serve", "--data-dir", folder, "--port", 0)
    assert process.stderr is not None
    url = next(line.split("Ready on ")[1].split()[0] for line in process.stderr if "Ready on " in line)
    return process, url


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_on_every_side_lose_and_repeat_nothing(kind, tmp_path, server):
    if kind == "postgresql" and server is None:
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    target = f"sqlite:{tmp_path / 'target.db'}" if server is None or kind == "sqlite" else server.database("crash")
    folder = tmp_path / "data"
    chance = random.Random(7)
    process, url = serve(folder)
    acknowledged = 0
    try:
        transport = HttpTransport(url)
        transport.call("CreateLedger", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
        driver = LedgerSession(transport, "cars")
        driver.run("CREATE TABLE Car")
        for number in range(ROUNDS):
            follower = command("follow", "cars", "--to", target, "--data-dir", folder)
            for _ in range(WRITES):
                driver.run("INSERT INTO Car ?", {"n": acknowledged})
                acknowledged += 1
                time.sleep(chance.random() * 0.01)
            if kind == "postgresql" and server is not None and number % 2:
                server.kill()
                server.start()
            if number % 3 == 2:
                kill(process)
                process, url = serve(folder)
                transport.close()
                transport = HttpTransport(url)
                driver = LedgerSession(transport, "cars")
            time.sleep(chance.random() * 0.3)
            kill(follower)
        transport.close()
    finally:
        kill(process)
    done = command("follow", "cars", "--to", target, "--data-dir", folder, "--once")
    _, errors = done.communicate(timeout=WAIT_SECONDS)
    assert done.returncode == 0, errors
    opened = open_target(target)
    try:
        (layout,) = layouts_from_plain(json.loads(opened.verification()["tables"])["tables"], opened.dialect)
        rows = list(opened.read(layout.history, (("n", "INT"), ("block", "INT"), ("id", "TEXT"))))
        blocks = [block for (block,) in opened.read("blocks", BLOCKS[:1])]
    finally:
        opened.close()
    assert [n for n, _, _ in rows] == list(range(acknowledged))
    assert blocks == list(range(len(blocks)))
