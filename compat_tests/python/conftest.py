"""One server for the session, a fresh ledger for each test that asks for one."""

from __future__ import annotations

import itertools
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from pyqldb.driver.qldb_driver import QldbDriver
from server import ServerProcess, signing_keys

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
REGION = "us-east-1"

os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION=REGION)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    process = ServerProcess("--ephemeral", "--log-level", "info")
    yield process
    assert process.stop() == 0, "".join(process.log)


@pytest.fixture(scope="session")
def hasty_server() -> Iterator[ServerProcess]:
    """A server whose transactions expire after a second, and which verifies signatures."""
    with signing_keys() as keys:
        process = ServerProcess("--ephemeral", "--limit", "transaction_seconds=1", "--auth", keys)
    yield process
    assert process.stop() == 0, "".join(process.log)


@pytest.fixture(scope="session")
def compat_seconds() -> float:
    """How long the tests under load take: a minute for those who have it."""
    return float(os.environ.get("QLDB_COMPAT_SECONDS", "4"))


def _admin(server: ServerProcess, method: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/_qldb{path}", data, method=method)) as reply:
        return json.load(reply)


def add_fault(server: ServerProcess, **rule: object) -> dict:
    return _admin(server, "POST", "/faults", rule)


def clear_faults(server: ServerProcess, fault_id: str | None = None) -> None:
    _admin(server, "DELETE", "/faults" if fault_id is None else f"/faults/{fault_id}")


@pytest.fixture(scope="session")
def qldb(server: ServerProcess):
    return control_plane(server)


def control_plane(server: ServerProcess):
    return boto3.client("qldb", endpoint_url=server.url, region_name=REGION)


@pytest.fixture
def ledger(qldb) -> str:
    name = f"compat-{next(_numbers)}"
    qldb.create_ledger(Name=name, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    return name


@pytest.fixture
def driver(server: ServerProcess, ledger: str) -> Iterator[QldbDriver]:
    with QldbDriver(ledger, endpoint_url=server.url, region_name=REGION) as made:
        yield made


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("needs the folder shared/ beside the checkout")
    return SHARED
