"""Fails over between two PostgreSQL nodes under a load, and says what was lost.  See scripts/failover."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

if __name__ == "__main__":  # as a program it finds the package and its neighbours by itself
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers.cluster import cluster
from helpers.cluster_load import Load, digests, make_ledger
from helpers.patroni import is_installed, patroni

COMMITS_BETWEEN = 30


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="failovers (default: 3; each takes half a minute)")
    parser.add_argument("--servers", type=int, default=2)
    options = parser.parse_args()
    if not is_installed():
        print("skipped: needs PostgreSQL, Patroni and etcd (apt-get install postgresql patroni etcd-server haproxy)")
        return 0
    promoted: list[float] = []
    committing: list[float] = []
    with (
        patroni() as nodes,
        tempfile.TemporaryDirectory() as folder,
        cluster(Path(folder), nodes.url, options.servers) as made,
    ):
        make_ledger(made.url)
        load = Load(made.url)
        load.begin()
        try:
            for number in range(1, options.rounds + 1):
                load.wait_for_commits(COMMITS_BETWEEN)
                primary = nodes.primary()
                assert primary is not None
                began = time.monotonic()
                primary.kill()
                nodes.wait_for_another(primary)
                promoted.append(time.monotonic() - began)
                # Strict: there is no commit before the other node is back as the standby.
                primary.start()
                load.wait_for_commits(1)
                committing.append(time.monotonic() - began)
                nodes.wait_until_whole()
                print(
                    f"failover {number}: promoted after {promoted[-1]:.1f} s, commits after {committing[-1]:.1f} s; "
                    f"{dict(load.counts)}",
                    flush=True,
                )
            load.wait_for_commits(COMMITS_BETWEEN)
        finally:
            load.end()
        wrong = load.findings()
        told = digests([server.url for server in made.servers])
        if len(told) != 1:
            wrong.append(f"the servers have different digests: {told}")
        for server in made.servers:
            wrong += [line for line in server.log if "Traceback" in line or "does not hold block" in line]
    print(
        f"{options.rounds} failovers: promoted after {median(promoted):.1f} s (median; at most {max(promoted):.1f}), "
        f"commits again after {median(committing):.1f} s (at most {max(committing):.1f}); {dict(load.counts)}"
    )
    print("\n".join(wrong[:20]) or "nothing lost, nothing twice, nothing out of order; equal digests")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
