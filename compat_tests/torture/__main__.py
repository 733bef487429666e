"""``scripts/torture``: attacks a server and exits with 1 if anything was lost, failed or never answered."""

from __future__ import annotations

import argparse
import sys
import time

from . import kills, malformed, threads

ATTACKS = {"kills": kills.run, "threads": threads.run, "malformed": malformed.run}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills of the server (default: 20)")
    parser.add_argument("--seconds", type=float, default=20, help="length of each other attack (default: 20)")
    parser.add_argument("--seed", type=int, default=None, help="makes the choices repeatable (default: the time)")
    parser.add_argument("--only", choices=ATTACKS, action="append", help="this attack alone; may be repeated")
    options = parser.parse_args()
    options.seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {options.seed}", flush=True)
    failures = 0
    for name in options.only or ATTACKS:
        began = time.monotonic()
        findings = ATTACKS[name](options)
        print(f"{findings.report()} ({time.monotonic() - began:.0f} s)", flush=True)
        failures += len(findings.failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
