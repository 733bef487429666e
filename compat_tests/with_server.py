"""Runs a command against fresh servers: ``with_server.py COMMAND...``; its exit code is ours.

The command finds in its environment QLDB_ENDPOINT, a server with QLDB's limits and the admin interface, and
QLDB_ENDPOINT_SHORT, one whose transactions expire after a second and which verifies every signature; both ephemeral.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "python"))

from server import ServerProcess, signing_keys


def main() -> int:
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
    }
    code = 1
    try:
        code = subprocess.call(sys.argv[1:], env=environment)
    finally:
        stopped = [process.stop() for process in (server, short)]
    tracebacks = [line for process in (server, short) for line in process.log if "Traceback" in line]
    if tracebacks:
        print("the server logged a traceback:\n" + "".join(server.log + short.log), file=sys.stderr)
    return code or any(stopped) or bool(tracebacks)


if __name__ == "__main__":
    sys.exit(main())
