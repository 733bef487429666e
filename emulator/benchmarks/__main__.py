"""The command behind ``scripts/bench``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from . import scale
from .bench import Tools
from .machine import facts, of_this_build
from .report import as_json, family_text, goal_text, head
from .runner import all_rows, run

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Ratios of things measured side by side: median [least..greatest] of the repetitions, then goal",
        epilog="scripts/bench --growth [OPTIONS] measures every operation with ledgers of growing size instead",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="some minutes: small ledgers, few repetitions")
    size.add_argument("--full", action="store_true", help="with a ledger of 1,000,000 blocks, which takes long to fill")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="only this row (may be repeated)")
    parser.add_argument("--list", action="store_true", help="show the rows and their goals, and measure nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument("--directory", type=Path, default=ROOT / "build", help="where ledgers may be put for a while")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which the sides take turns")
    parser.add_argument("--client", type=Path, help="a Python with pyqldb")
    parser.add_argument("--peers", type=Path, help="the directory of the command moto_server")
    parser.add_argument("--node-modules", type=Path, help="where the Node.js driver is; its rows are skipped without")
    parser.add_argument("--libraries", type=Path, help="a Python with amazon.ion, ionhash, lark, py-partiql-parser")
    parser.add_argument("--go-load", type=Path, help="the program of clients/go; its rows are skipped without")
    given = parser.parse_args()
    unknown = set(given.only) - {row.name for row in all_rows()}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; --list shows them")
    return given


def main() -> int:
    """Measure and report.  Returns 1 when a row could not be measured; a missed goal is a result, not a failure."""
    given = arguments()
    if given.list:
        for row in all_rows():
            print(f"{row.name:<19} {goal_text(row):<11} {row.what} / {row.against} ({row.source})")
        return 0
    size = scale.QUICK if given.quick else scale.FULL if given.full else scale.DEFAULT
    tools = Tools(
        given.client, given.peers and given.peers / "moto_server", given.node_modules, given.libraries, given.go_load
    )
    given.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.directory) as directory:
        tempfile.tempdir = directory  # ephemeral ledgers too: the system's place for small files may be memory
        known = facts(Path(directory), tools)
        print(head(known, size.name), flush=True)
        families = []
        for family in run(size, Path(directory), tools, given.only, given.seed):
            families.append(family)
            print(family_text(family), flush=True)
    if given.json is not None:
        text = json.dumps(as_json(known, size.name, families), indent=1, ensure_ascii=False)
        of_this_build(given.json).write_text(text + "\n")
    return 1 if any(result.has_failed for family in families for result in family.all_results()) else 0


if __name__ == "__main__":
    sys.exit(main())
