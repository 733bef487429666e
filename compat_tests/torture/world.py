"""The server under attack, an S3 and a Kinesis that outlive it, and the clients that are pointed at them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer
from pyqldb.config.retry_config import RetryConfig
from pyqldb.driver.qldb_driver import QldbDriver

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from server import COMMAND, ServerProcess

REGION = "us-east-1"
KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": REGION}
NO_RETRIES = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
ROLE = "arn:aws:iam::123456789012:role/torture"


@contextmanager
def outside_services() -> Iterator[str]:
    """The endpoint of an S3 and a Kinesis in this process: they survive the kills of the server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request would bury the findings
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_EC2_METADATA_DISABLED="true")
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        moto.stop()


def client(service: str, url: str) -> Any:
    """A boto3 client that does not retry by itself."""
    return boto3.client(service, endpoint_url=url, config=NO_RETRIES, **KEYS)


def driver(ledger: str, url: str, retries: int = 4) -> QldbDriver:
    """An unmodified pyqldb driver."""
    return QldbDriver(ledger, endpoint_url=url, retry_config=RetryConfig(retry_limit=retries), **KEYS)


def rows(qldb_driver: QldbDriver, statement: str, *parameters: Any) -> list[Any]:
    """One statement in a transaction of its own."""
    return qldb_driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def admin(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """(status, answer) of a request to the admin interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def command(*arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Runs the product's command."""
    return subprocess.run([*COMMAND.split(), *arguments], capture_output=True, text=True, timeout=timeout, check=False)


def tracebacks(server: ServerProcess) -> list[str]:
    """Lines of the server's log that no log may have."""
    return [line.strip() for line in server.log if "Traceback" in line or "Internal" in line]
