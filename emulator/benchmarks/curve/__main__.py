"""The command behind ``scripts/bench --growth``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..bench import BenchError, Tools
from ..machine import facts, of_this_build
from . import journal, process, proofs, reads, writes
from .ledgers import Curve, Filled, copy_into, filled
from .measure import DEFAULT, Effort, measure
from .memory import Footprint, footprint
from .operation import Operation
from .results import Measured, as_json, footprint_line, head, line

ROOT = Path(__file__).resolve().parents[3]
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MEMORY = "memory"
# Writing makes ledgers longer and deleting takes documents away, so that comes last.
OPERATIONS: tuple[Operation, ...] = (
    *reads.OPERATIONS,
    *proofs.OPERATIONS,
    *reads.WHOLE,
    *journal.OPERATIONS,
    *process.OPERATIONS,
    *writes.OPERATIONS,
)

Say = Callable[[str], None]


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench --growth",
        description="What every operation takes with ledgers of growing size, and its ratio to the smallest",
    )
    parser.add_argument("--sizes", type=_sizes, default=SIZES, metavar="BLOCKS,...", help="blocks of the ledgers")
    parser.add_argument("--slow", action="store_true", help="import and verify also more than 100,000 blocks: minutes")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this (may be repeated)")
    parser.add_argument("--list", action="store_true", help="show the operations, and measure nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument("--directory", type=Path, default=ROOT / "build", help="where ledgers may be put for a while")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="fill the ledgers there and leave them for other runs")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which the ledgers take turns")
    options = parser.parse_args(given)
    unknown = set(options.only) - {operation.name for operation in OPERATIONS} - {MEMORY}
    if unknown:
        parser.error(f"there is no operation {', '.join(sorted(unknown))}; --list shows them")
    return options


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(size) for size in text.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid list of numbers {text!r}; an example is 1000,10000") from error
    if sizes[0] <= 0:
        raise argparse.ArgumentTypeError("a ledger has at least one block")
    return sizes


@contextmanager
def curve_of(sources: Sequence[Filled], directory: Path, seed: int, say: Say) -> Iterator[Curve]:
    """Copies of the ledgers in one emulator, unsynced; the smallest a second time at the end."""
    with Emulator(Settings(is_ephemeral=True)) as emulator:
        say("copying the ledgers")
        copies = [copy_into(emulator.directory, source, source.name) for source in sources]
        copies.append(copy_into(emulator.directory, sources[0], f"{sources[0].name}-again"))
        os.sync()  # the system would write the large one to the disk while it is measured
        yield Curve(emulator, copies, directory, Random(seed))


def run(curve: Curve, operations: Sequence[Operation], effort: Effort, say: Say) -> Iterator[Measured]:
    """Yield each operation, measured on every ledger.  Raises BenchError."""
    sizes = tuple(of.blocks for of in curve.ledgers[:-1])
    for operation in operations:
        say(operation.name)
        *figures, again = measure(curve, operation, effort)
        yield Measured(operation, sizes, tuple(figures), again)


def main(given: Sequence[str]) -> int:
    """Measure and report.  Returns 1, and says why, when something could not be measured."""
    options = arguments(given)
    if options.list:
        for operation in OPERATIONS:
            print(f"{operation.name:<18} {operation.what} ({operation.source})")
        print(f"{MEMORY:<18} of a process with each of the ledgers")
        return 0
    options.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="growth-", dir=options.directory) as directory:
        tempfile.tempdir = directory  # the emulator's ledgers too: the system's place for small files may be memory
        try:
            known, measured, footprints = report(options, Path(directory))
        except BenchError as error:
            print(error, file=sys.stderr)
            return 1
    if options.json is not None:
        text = json.dumps(as_json(known, measured, footprints), indent=1, ensure_ascii=False)
        of_this_build(options.json).write_text(text + "\n")
    return 0


def report(options: argparse.Namespace, directory: Path) -> tuple[dict[str, str], list[Measured], list[Footprint]]:
    """Measure what is asked for and print it as it comes."""
    sources = [filled(options.keep or directory, size, _say) for size in options.sizes]
    known = facts(directory, Tools())
    print("\n".join(f"{name}: {value}" for name, value in known.items()) + "\n", flush=True)
    effort = replace(DEFAULT, slow_blocks=max(options.sizes)) if options.slow else DEFAULT
    measured, footprints = [], []
    wanted = [each for each in OPERATIONS if not options.only or each.name in options.only]
    if wanted:
        print(head(options.sizes), flush=True)
        with curve_of(sources, directory, options.seed, _say) as curve:
            for each in run(curve, wanted, effort, _say):
                measured.append(each)
                print(line(each), flush=True)
    if not options.only or MEMORY in options.only:
        for source in sources:
            _say(f"memory with {source.blocks:,} blocks")
            footprints.append(footprint(source, directory))
            print(footprint_line(footprints[-1]), flush=True)
    return known, measured, footprints


def _say(text: str) -> None:
    print(f"  ... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
