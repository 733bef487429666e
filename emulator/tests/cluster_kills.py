"""Kills servers and their PostgreSQL under a load, and says what was lost or done twice.  See scripts/kill-cluster."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":  # as a program it finds the package and its neighbours by itself
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers.cluster import Cluster, cluster
from helpers.cluster_load import Load, digests, make_ledger
from helpers.postgres import Postgres, postgres, programs

DYING = (str(Path(__file__).parent / "helpers" / "dying_server.py"),)
KINDS = ("server", "postmaster", "after the log's commit", "before the log's commit")
COMMITS_A_ROUND = 8
ROUNDS_A_GENERATION = 50


def kill_round(kind: str, choice: random.Random, servers: Cluster, database: Postgres, load: Load) -> None:
    """One kill, and everything up again."""
    if kind == "postmaster":
        database.kill()
        time.sleep(choice.random() * 0.5)
        database.start()
    else:
        victim = choice.choice(servers.servers)
        if kind == "server":
            victim.kill()
        else:
            number = signal.SIGUSR1 if kind == "after the log's commit" else signal.SIGUSR2
            # The server that owns the ledger appends next; another one may never do.
            for server in servers.servers:
                os.kill(server.process.pid, number)
            deadline = time.monotonic() + 30
            while all(server.is_running for server in servers.servers):
                assert time.monotonic() < deadline, f"no server appended: {dict(load.counts)}\n" + "".join(
                    line for server in servers.servers for line in server.log[-40:]
                )
                time.sleep(0.05)
                for server in servers.servers:  # Python may have taken a signal without running its handler
                    if server.is_running:
                        os.kill(server.process.pid, number)
        time.sleep(choice.random() * 0.5)
        for server in servers.servers:
            if not server.is_running or number_is_armed(kind):
                server.kill()
                server.start()
    load.wait_for_commits(COMMITS_A_ROUND)


def number_is_armed(kind: str) -> bool:
    """Whether every server was told to die, so that the others must start again as well."""
    return kind in KINDS[2:]


def generation(rounds: int, servers: int, seed: int, counts: Counter[str]) -> list[str]:
    """Some rounds on a new database.  Returns everything that is wrong."""
    choice = random.Random(seed)
    with (
        postgres() as database,
        tempfile.TemporaryDirectory() as folder,
        cluster(Path(folder), database.url, servers, program=DYING) as made,
    ):
        make_ledger(made.url)
        load = Load(made.url, seed=seed)
        load.begin()
        try:
            load.wait_for_commits(COMMITS_A_ROUND)
            for _ in range(rounds):
                kind = choice.choice(KINDS)
                kill_round(kind, choice, made, database, load)
                counts[f"kills: {kind}"] += 1
        finally:
            load.end()
        wrong = load.findings()
        counts.update(load.counts)
        counts["longest pause, ms"] = max(counts["longest pause, ms"], int(load.longest * 1000))
        told = digests([server.url for server in made.servers])
        if len(told) != 1:
            wrong.append(f"the servers have different digests: {told}")
        for server in made.servers:
            wrong += [line for line in server.log if "Traceback" in line]
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/kill-cluster", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills (default: 20)")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if programs() is None or not (shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()):
        print("skipped: needs PostgreSQL and HAProxy (apt-get install postgresql haproxy)")
        return 0
    counts: Counter[str] = Counter()
    left, seed = options.rounds, options.seed
    while left > 0:
        wrong = generation(min(left, ROUNDS_A_GENERATION), options.servers, seed, counts)
        left, seed = left - ROUNDS_A_GENERATION, seed + 1
        print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())), flush=True)
        if wrong:
            print(f"seed {seed - 1}: {len(wrong)} findings:\n" + "\n".join(wrong[:20]))
            return 1
    print("nothing lost, nothing twice, nothing out of order; equal digests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
