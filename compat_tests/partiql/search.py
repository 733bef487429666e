"""Compares the emulator with the library QLDB ran, statement by statement.

    python search.py --statements 500000 --seed 7
    python search.py --seconds 60

Prints the seed, then every difference that no row of ``differences.toml`` documents, shrunk to its smallest statement,
and at the end the score.  The exit status is 1 when there is one, 0 when there is none or the library cannot be run.
``--write FILE`` keeps the score, for docs/conformance.md.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "emulator"))

from differences import Difference, Differences
from library import Answer, Library, NoLibrary, Request
from ours import Ours
from statements import TABLES, Statements

from qldb_emulator.partiql.syntax.lexer import lexemes

BATCH = 200
SHOWN_MOST = 25
SHRINK_SECONDS = 20


class Search:
    """One run.  tried, documented: how many statements, and how many of their differences each row explains."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.ours = Ours(TABLES)
        self.differences = Differences()
        self.statements = Statements(seed)
        self.tried = 0
        self.documented: Counter[str] = Counter()
        self.undocumented: dict[str, Difference] = {}
        self.undocumented_count = 0

    def run(self, most: int, seconds: float) -> None:
        """Compare until so many statements or seconds have gone by; the library works on the next batch meanwhile."""
        end = time.monotonic() + seconds
        drawn: Iterator[Request] = iter(self.statements.next, None)
        batch = list(islice(drawn, min(BATCH, most)))
        self.library.send(batch)
        while batch:
            answers = self.library.receive(len(batch))
            following = (
                [] if time.monotonic() > end else list(islice(drawn, min(BATCH, most - self.tried - len(batch))))
            )
            if following:
                self.library.send(following)
            for request, theirs in zip(batch, answers, strict=True):
                self._compare(request, theirs)
            self.tried += len(batch)
            batch = following

    def _compare(self, request: Request, theirs: Answer) -> None:
        difference = self.differences.between(request, self._ours(request), theirs)
        if difference is None:
            return
        if difference.row is not None:
            self.documented[difference.row] += 1
            return
        self.undocumented_count += 1
        self.undocumented.setdefault(difference.kind, difference)

    def _ours(self, request: Request) -> Answer:
        try:
            return self.ours.ask(request)
        except Exception as error:
            return Answer(None, "CRASH", None, None, "", repr(error))

    def shrunk(self, difference: Difference) -> Difference:
        """The smallest statement found that still differs undocumented, in the same way."""
        end = time.monotonic() + SHRINK_SECONDS
        best = difference
        improved = True
        while improved and time.monotonic() < end:
            improved = False
            for text in _smaller(best.request.statement):
                request = Request(text, best.request.parameters, best.request.is_parsed_only)
                found = self.differences.between(request, self._ours(request), self.library.ask(request))
                if found is not None and found.row is None and found.kind == best.kind:
                    best, improved = found, True
                    break
        return best


def _smaller(statement: str) -> Iterator[str]:
    """The statement with some of its words left out, long runs first."""
    words = [statement[start:end] for lexeme, start, end in lexemes(statement) if lexeme]
    length = len(words)
    size = length // 2
    while size:
        for start in range(length - size + 1):
            yield " ".join(words[:start] + words[start + size :])
        size = size // 2 if size > 4 else size - 1


def score(search: Search, seed: int) -> dict[str, object]:
    """What a run found, as data."""
    return {
        "seed": seed,
        "tried": search.tried,
        "equal": search.tried - search.documented.total() - search.undocumented_count,
        "documented": dict(search.documented.most_common()),
        "undocumented": search.undocumented_count,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statements", type=int, default=10**9, help="how many statements to compare at most")
    parser.add_argument("--seconds", type=float, default=None, help="for how long (60 unless --statements is given)")
    parser.add_argument("--seed", type=int, default=None, help="a number; a random one unless given")
    parser.add_argument("--write", type=Path, default=None, help="a file for the score")
    parser.add_argument(
        "--shown", type=int, default=SHOWN_MOST, help="how many kinds of differences to shrink and show"
    )
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    default = 60.0 if options.statements == 10**9 else 10.0**9
    print(f"seed {seed}", flush=True)
    try:
        library = Library(TABLES)
    except NoLibrary as error:
        print(f"skipped: {error}")
        return 0
    with library:
        search = Search(library, seed)
        search.run(options.statements, default if options.seconds is None else options.seconds)
        for difference in list(search.undocumented.values())[: options.shown]:
            print(search.shrunk(difference).described(), flush=True)
        unused = search.differences.stale(library, search._ours)
    for name in unused:
        print(f"differences.toml: the example of {name!r} does not differ so any more")
    found = score(search, seed)
    print(json.dumps(found, indent=1))
    if options.write is not None:
        options.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if search.undocumented_count or unused else 0


if __name__ == "__main__":
    sys.exit(main())
