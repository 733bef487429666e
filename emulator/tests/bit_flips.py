"""Flips bits of a ledger file and classifies the answers of queries; alone, it counts over many flips::

PYTHONPATH=emulator:emulator/tests python emulator/tests/bit_flips.py 2000
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger

from qldb_emulator.cli.options import Unreadable
from qldb_emulator.cli.verify import audit_ledger_file
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import dumps_text
from qldb_emulator.settings import Settings

NAMED = "LedgerFileUnusableException"
DOCUMENTS = 60
BITS_MAX = 4
WORST_FIRST = ("bare exception", "wrong", "named error", "right")

Ask = Callable[[Emulator, LocalSession], Any]


def begin(root: Path, seed: str = "flips") -> Emulator:
    clock = ManualClock(tick_ms=1)
    emulator = Emulator(Settings(data_dir=root), clock, RandomIds(clock, seed))
    emulator.directory.durability = "off"  # thousands of ledgers are opened and closed
    return emulator


def make(root: Path) -> dict[str, Ask]:
    """Return a ledger with some pages of every table, and what is asked of it."""
    with begin(root) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("CREATE INDEX ON Car (vin)")
        ids: list[str] = []
        for start in range(0, DOCUMENTS, 20):
            documents = [{"vin": f"V{n}", "n": n, "text": f"document {n} " * 9} for n in range(start, start + 20)]
            rows = session.run(f"INSERT INTO Car <<{', '.join('?' * 20)}>>", *documents)
            ids += [row["documentId"] for row in rows]
        for n in range(0, DOCUMENTS, 2):
            session.run("UPDATE Car SET n = n + 1000 WHERE vin = ?", f"V{n}")
        session.run("DELETE FROM Car WHERE vin = 'V5'")
        tip = emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)["DigestTipAddress"]
        rows = session.run("SELECT metadata, blockAddress FROM _ql_committed_Car AS c WHERE c.data.n = 7")
    address = {"IonText": dumps_text(rows[0]["blockAddress"])}
    revision = {"Name": "cars", "BlockAddress": address, "DigestTipAddress": tip}
    revision["DocumentId"] = rows[0]["metadata"]["id"]
    block = {"Name": "cars", "BlockAddress": address}
    return {
        # First what writes no block: the digest must not depend on which statements fail.
        "GetDigest": lambda emulator, _: emulator.call("GetDigest", {"Name": "cars"}, CONTEXT)["Digest"],
        "GetRevision": lambda emulator, _: emulator.call("GetRevision", revision, CONTEXT),
        "GetBlock": lambda emulator, _: emulator.call("GetBlock", block, CONTEXT),
        "scan": lambda _, session: session.run("SELECT * FROM Car"),
        "filter": lambda _, session: session.run("SELECT * FROM Car WHERE n < 30"),
        "count": lambda _, session: session.run("SELECT COUNT(*) FROM Car"),
        "index": lambda _, session: [session.run("SELECT * FROM Car WHERE vin = ?", f"V{n}") for n in (1, 2, 30, 59)],
        "id": lambda _, session: [session.run("SELECT * FROM Car BY i WHERE i = ?", ids[n]) for n in (0, 31, 58)],
        "committed": lambda _, session: session.run("SELECT * FROM _ql_committed_Car"),
        "history": lambda _, session: session.run("SELECT * FROM history(Car)"),
        "catalogue": lambda _, session: session.run("SELECT * FROM information_schema.user_tables"),
    }


def outcomes(root: Path, questions: dict[str, Ask], expected: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (question, "right", "named error", "wrong" or "bare exception", what) of each question."""
    with begin(root, "asking") as emulator:
        for name, ask in questions.items():
            try:
                found = ask(emulator, LocalSession(emulator, "cars"))
            except QldbError as error:
                yield name, "named error" if error.shape == NAMED else "wrong", f"{error.shape}: {error}"
            except Exception as error:
                yield name, "bare exception", repr(error)
            else:
                yield name, "right" if found == expected.get(name, found) else "wrong", repr(found)


def flipped(data: bytes, random: Random) -> bytes:
    """Return one to BITS_MAX bits, at random places or side by side."""
    changed = bytearray(data)
    start = random.randrange(len(data) * 8)
    for number in range(random.randint(1, BITS_MAX)):
        bit = start + number if random.random() < 0.5 else random.randrange(len(data) * 8)
        bit %= len(data) * 8
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Flips:
    """A ledger, its answers, and what becomes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.questions = make(root / "sound")
        self.path = root / "sound" / REGION / "cars.qldb"
        self.data = self.path.read_bytes()
        with begin(self._copy(self.data), "asking") as emulator:
            self.expected = {
                name: ask(emulator, LocalSession(emulator, "cars")) for name, ask in self.questions.items()
            }

    def _copy(self, data: bytes) -> Path:
        copy = self.root / "flipped"
        shutil.rmtree(copy, ignore_errors=True)
        (copy / REGION).mkdir(parents=True)
        (copy / REGION / "cars.qldb").write_bytes(data)
        return copy

    def flip(self, seed: int) -> tuple[list[tuple[str, str, str]], bool]:
        """See check, for flips that follow from a seed."""
        return self.check(flipped(self.data, Random(seed)))

    def check(self, data: bytes) -> tuple[list[tuple[str, str, str]], bool]:
        """Return the outcomes of every question to a file, and whether verify finds something wrong with it."""
        copy = self._copy(data)
        try:
            is_found = audit_ledger_file(copy / REGION / "cars.qldb", "").verdict != "whole"
        except Unreadable:
            is_found = True
        return list(outcomes(copy, self.questions, self.expected)), is_found


def main() -> None:
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        flips = Flips(Path(folder))
        found: Counter[tuple[str, str]] = Counter()
        per_flip: Counter[str] = Counter()
        for seed in range(count):
            results, is_found = flips.flip(seed)
            found.update((name, outcome) for name, outcome, _ in results)
            outcome = next(each for each in WORST_FIRST if each in {result[1] for result in results})
            per_flip[f"{outcome}, {'found' if is_found else 'not found'} by verify"] += 1
            for name, each, what in results:
                if each == "bare exception" or (each == "wrong" and not is_found):
                    print(seed, name, each, what[:300])
        for (name, outcome), number in sorted(found.items()):
            print(f"{name:12} {outcome:16} {number:6} {number / count:8.2%}")
        print(dict(per_flip))


if __name__ == "__main__":
    main()
