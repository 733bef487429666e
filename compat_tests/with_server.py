"""Runs a command against fresh servers: ``with_server.py [--tls] COMMAND...``; its exit code is ours.

The command finds in its environment QLDB_ENDPOINT, a server with QLDB's limits and the admin interface, and
QLDB_ENDPOINT_SHORT, one whose transactions expire after a second and which verifies every signature; both ephemeral.
With --tls also QLDB_ENDPOINT_TLS, one that speaks TLS with a certificate that NODE_EXTRA_CA_CERTS names, and
QLDB_AWS_ENDPOINT, its S3 and Kinesis.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent / "python"))

from server import ServerProcess, signing_keys


@contextmanager
def tls_server() -> Iterator[tuple[ServerProcess, dict[str, str]]]:
    """A server with TLS and AWS's doubles, and what its clients find in their environment."""
    with TemporaryDirectory() as directory:
        server = ServerProcess("--data-dir", directory, "--tls", "--with-aws", "--log-level", "info")
        [aws] = {found[1] for line in server.log if (found := re.search(r"S3 and Kinesis: (http://\S+)", line))}
        variables = {
            "QLDB_ENDPOINT_TLS": server.url,
            "QLDB_AWS_ENDPOINT": aws,
            "NODE_EXTRA_CA_CERTS": str(Path(directory) / ".tls" / "ca.pem"),
        }
        yield server, variables


def main() -> int:
    if sys.argv[1] != "--tls":
        return run(sys.argv[1:], [], {})
    with tls_server() as (server, variables):
        return run(sys.argv[2:], [server], variables)


def run(command: list[str], more: list[ServerProcess], variables: dict[str, str]) -> int:
    """Run a command with the two servers of every suite; more are stopped and looked at as well."""
    server = ServerProcess("--ephemeral", "--log-level", "info")
    with signing_keys() as keys:
        short = ServerProcess("--ephemeral", "--limit", "transaction_seconds=1", "--auth", keys)
    environment = {
        **os.environ,
        "QLDB_ENDPOINT": server.url,
        "QLDB_ENDPOINT_SHORT": short.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **variables,
    }
    processes = [server, short, *more]
    code = 1
    try:
        code = subprocess.call(command, env=environment)
    finally:
        stopped = [process.stop() for process in processes]
    tracebacks = [line for process in processes for line in process.log if "Traceback" in line]
    if tracebacks:
        text = "".join(line for process in processes for line in process.log)
        print("the server logged a traceback:\n" + text, file=sys.stderr)
    if any(stopped):
        print(f"a server did not stop cleanly: exit codes {stopped}", file=sys.stderr)
    return code or any(stopped) or bool(tracebacks)


if __name__ == "__main__":
    sys.exit(main())
