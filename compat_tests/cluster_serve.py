"""``serve`` that is two servers over one PostgreSQL behind HAProxy, for suites that start ``qldb-emulator``.

``QLDB_EMULATOR_COMMAND="python cluster_serve.py"`` makes them start this.  It takes serve's options, says ``Ready on``
with the balancer's address, and stops on SIGTERM.  QLDB_CLUSTER_DATABASE is the PostgreSQL (see ``with_cluster.py``).
What only a server alone can do (TLS, a seed for all ids, a stream file, AWS's doubles in its own process) is started as
one server, and every other command is run as it is.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "emulator" / "tests"), str(ROOT / "emulator")]

import psycopg  # noqa: E402
from helpers.cluster import cluster  # noqa: E402

ALONE = {"--tls", "--tls-cert", "--deterministic", "--stream-file", "--with-aws", "--help"}
SERVERS = 2


def value_of(arguments: list[str], option: str) -> str | None:
    """Take an option and its value out of arguments."""
    if option not in arguments:
        return None
    place = arguments.index(option)
    value = arguments[place + 1]
    del arguments[place : place + 2]
    return value


def database_of(name: str) -> str:
    """The URL of a database, made when it is not there."""
    server = os.environ["QLDB_CLUSTER_DATABASE"]
    with psycopg.connect(server, autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchall():
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{server.rsplit('/', 1)[0]}/{name}"


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] != ["serve"] or ALONE & set(arguments):
        command = [sys.executable, "-m", "qldb_emulator", *arguments]
        os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": str(ROOT / "emulator")})
    options = arguments[1:]
    port = int(value_of(options, "--port") or 0)
    level = value_of(options, "--log-level")
    folder = value_of(options, "--data-dir")
    is_ephemeral = "--ephemeral" in options
    options = [option for option in options if option not in ("--ephemeral", "--admin")]
    path = Path(tempfile.mkdtemp(prefix="qldb-cluster-")) if is_ephemeral or folder is None else Path(folder)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        if is_ephemeral:
            stack.callback(shutil.rmtree, path, ignore_errors=True)
        name = "suite" + sha256(str(path).encode()).hexdigest()[:12]
        path.mkdir(parents=True, exist_ok=True)
        made = stack.enter_context(cluster(path, database_of(name), SERVERS, *options, port=port))
        for server in made.servers:
            print("".join(line for line in server.log if "Ready" not in line), file=sys.stderr, end="")
        print(f"Ready on {made.url} - level {level}\nReady.", file=sys.stderr, flush=True)
        stopped.wait()
        tracebacks = [line for server in made.servers for line in server.log if "Traceback" in line]
        if tracebacks:
            print("".join(line for server in made.servers for line in server.log), file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
