"""A cluster on this machine that stays: PostgreSQL, servers over it, HAProxy on one port.  See scripts/cluster."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

if __name__ == "__main__":  # as a program it finds the package and its neighbours by itself
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers.cluster import cluster
from helpers.postgres import DURABLE, USER, Postgres, programs

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument("--port", type=int, default=7532, help="of HAProxy (default: 7532)")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--directory", type=Path, default=ROOT / "build" / "cluster")
    options = parser.parse_args()
    bin_folder = programs()
    if bin_folder is None or not (shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()):
        print("needs PostgreSQL and HAProxy: apt-get install postgresql haproxy", file=sys.stderr)
        return 1
    folder = options.directory.resolve()
    (folder / "postgres").mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder / "postgres", USER)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Postgres(folder / "postgres", bin_folder, DURABLE)
    database.start()
    try:
        with cluster(folder, database.url, options.servers, port=options.port) as made:
            print(
                f"export AWS_ENDPOINT_URL_QLDB={made.url} AWS_ENDPOINT_URL_QLDB_SESSION={made.url} "
                "AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
            )
            print(f"export QLDB_EMULATOR_JOURNAL={database.url}")
            print(f"# servers: {' '.join(server.url for server in made.servers)}; data in {folder}", flush=True)
            stopped.wait()
    finally:
        database.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
