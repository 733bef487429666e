"""One run of a family: its scale, its directory, and what its rows share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from .alternate import Case, alternate
from .rows import Samples, Unit
from .scale import Scale

Shared = TypeVar("Shared")
MORE_MICROSECONDS = 20
NANOSECONDS = {"ms": 1_000_000, "µs": 1_000}


class BenchError(Exception):
    """A row could not be measured; the text says why."""


class SkippedError(Exception):
    """A row was not measured because something optional is not on this machine; the text says what."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What runs outside this process.

    client: a Python with pyqldb.  moto_server: moto's command.  node_modules: where the Node.js driver is installed.
    libraries: a Python with the newest amazon.ion, ionhash, lark and py-partiql-parser.
    go_load: the program of ``clients/go``.
    None means that the rows which need it cannot run.
    """

    client: Path | None = None
    moto_server: Path | None = None
    node_modules: Path | None = None
    libraries: Path | None = None
    go_load: Path | None = None


class Bench:
    """What a row gets to measure with.  A context manager: what rows share is taken down at its end."""

    def __init__(self, scale: Scale, directory: Path, tools: Tools, seed: int) -> None:
        self.scale = scale
        self.directory = directory
        self.tools = tools
        self.random = Random(seed)
        self._stack = ExitStack()
        self._shared: dict[Any, Any] = {}

    def shared(self, make: Callable[[Bench], AbstractContextManager[Shared]]) -> Shared:
        """Return what ``make`` makes, made when first asked for and kept for the other rows of the family."""
        if make not in self._shared:
            self._shared[make] = self._stack.enter_context(make(self))
        made: Shared = self._shared[make]
        return made

    def compare(self, left: Case, right: Case, unit: Unit, note: str = "", share: int = 1) -> Samples:
        """Run both sides in turn, in this process.  In microseconds more often: one hiccup must not be half a mean.

        share: for a case that runs many of what it measures, how many times less often it needs to run.
        """
        count = max(1, self.scale.count * (MORE_MICROSECONDS if unit == "µs" else 1) // share)
        means = alternate([left, right], self.scale.repetitions, count, self.random)
        return in_unit(means[0], means[1], unit, note)

    def at_end(self, close: Callable[[], None]) -> None:
        """Call this when the family is over, too."""
        self._stack.callback(close)

    def say(self, text: str) -> None:
        """Tell the user what is going on."""
        print(f"  ... {text}", file=sys.stderr, flush=True)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._shared.clear()


def in_unit(left: tuple[float, ...], right: tuple[float, ...], unit: Unit, note: str = "") -> Samples:
    """Samples from nanoseconds."""
    size = NANOSECONDS[unit]
    return Samples(tuple(x / size for x in left), tuple(x / size for x in right), unit, note)


def package_environment() -> dict[str, str]:
    """Return the environment of a child process that imports our packages as this one does, and keeps its bytecode."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QLDB_EMULATOR_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    source = str(Path(__file__).resolve().parents[1])
    given = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = source if not given else f"{source}{os.pathsep}{given}"
    return environment
