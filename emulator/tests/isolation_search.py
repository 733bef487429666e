"""Many seeds of ``run_over_a_faulty_log``: ``isolation_search.py --seeds 3000 --first 0 --servers 2``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":  # as a program it finds the package and its neighbours by itself
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers.isolation_auditor import audit
from helpers.isolation_workload import run_over_a_faulty_log


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for an interleaving that a faulty log makes wrong.")
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--servers", type=int, default=0, help="default: 1, 2, 3 and 4 in turn")
    parser.add_argument("--steps", type=int, default=80)
    options = parser.parse_args()
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(options.first, options.first + options.seeds):
        records = run_over_a_faulty_log(seed, options.steps, options.servers or seed % 4 + 1)
        outcomes.update(str(record.outcome) for record in records)
        wrong += [f"seed {seed}: {text}" for text in audit(records)]
    seconds = time.monotonic() - began
    print(f"{options.seeds} seeds in {seconds:.0f} s: {dict(outcomes)}; {len(wrong)} findings")
    print("\n".join(wrong[:20]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
