"""Runs a command as ``with_server.py`` or a suite does, with every server replaced by two over one PostgreSQL.

``with_cluster.py COMMAND...``: the command finds QLDB_EMULATOR_COMMAND, which starts a cluster behind HAProxy where it
would start a server.  Needs PostgreSQL and HAProxy; without them it says so and succeeds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "emulator" / "tests"), str(ROOT / "emulator")]

from helpers.postgres import postgres, programs  # noqa: E402


def main() -> int:
    if programs() is None or not (shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()):
        print("skipped: needs PostgreSQL and HAProxy (apt-get install postgresql haproxy)")
        return 0
    with postgres() as server:
        environment = {
            **os.environ,
            "QLDB_CLUSTER_DATABASE": server.url,
            "QLDB_EMULATOR_COMMAND": f"{sys.executable} {Path(__file__).with_name('cluster_serve.py')}",
        }
        return subprocess.call(sys.argv[1:], env=environment)


if __name__ == "__main__":
    sys.exit(main())
