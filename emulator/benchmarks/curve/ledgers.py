"""The ledgers of a curve: one for each size, the same but for their length."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger.ledger import Ledger
from qldb_emulator.settings import Settings
from qldb_emulator.storage import DataDirectory, LedgerFile

from ..bench import BenchError
from ..documents import INDEXED, TABLE, vin
from ..fill import append_inserts, create_ledger, fill_up
from ..local_driver import REGION

LEDGER = "curve"
OWNERS = "Owner"
FEW = 10
"""How many owners there are in a ledger of any size; each names a registration."""
_FIRST_BLOCKS = 5  # genesis, two tables, an index, the owners
_SAMPLE = 50_000


@dataclass(frozen=True, slots=True)
class Filled:
    """A ledger of the curve.

    name: in the emulator that measures.  blocks: in its journal, each with one registration but the first few.
    documents: registrations, numbered from 0.  data_dir: where the ledger ``LEDGER`` is as it was filled.
    """

    name: str
    blocks: int
    data_dir: Path

    @property
    def documents(self) -> int:
        return self.blocks - _FIRST_BLOCKS

    @property
    def path(self) -> Path:
        """The file as it was filled."""
        return self.data_dir / REGION / f"{LEDGER}.qldb"


def filled(directory: Path, blocks: int, say: Callable[[str], None]) -> Filled:
    """Return a ledger of so many blocks in a directory of its own; filled unless it is there.

    Raises BenchError for too few blocks, or a file that is there but has another number of them.
    """
    found = Filled(f"of-{blocks}", blocks, directory / str(blocks))
    if not found.data_dir.exists():
        say(f"filling a ledger of {blocks:,} blocks")
        unfinished = directory / f"{blocks}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _fill(unfinished, found)
        unfinished.rename(found.data_dir)
    with LedgerFile.open(found.path, "off") as file:
        tip = file.tip()
    if tip is None or tip.sequence_no + 1 != blocks:
        raise BenchError(f"{found.path} does not have {blocks:,} blocks; remove it")
    return found


def _fill(data_dir: Path, wanted: Filled) -> None:
    if wanted.documents < FEW:
        raise BenchError(f"a ledger of {wanted.blocks} blocks has no room for {FEW} documents")
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED, OWNERS: None})
        cars = (vin(wanted.documents * number // FEW) for number in range(FEW))
        append_inserts(emulator, LEDGER, OWNERS, ({"Name": f"Owner of {car}", "Car": car} for car in cars))
        fill_up(emulator, LEDGER, wanted.blocks)


def copy_into(directory: DataDirectory, source: Filled, name: str) -> Filled:
    """Return the same ledger under another name in another directory, where operations may write to it."""
    path = directory.path(REGION, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with LedgerFile.open(source.path, "off") as file:
        file.fork(path, {"name": name})
    return Filled(name, source.blocks, source.data_dir)


class Curve:
    """What operations are measured with: an emulator that has the ledgers, smallest first.

    directory: for files that an operation leaves behind.  sample: how many documents of a ledger are known by id.
    """

    def __init__(
        self, emulator: Emulator, ledgers: list[Filled], directory: Path, random: Random, sample: int = _SAMPLE
    ) -> None:
        self.emulator = emulator
        self.ledgers = ledgers
        self.directory = directory
        self.random = random
        self._sample = sample
        self._ids: dict[str, list[str]] = {}

    def ledger(self, of: Filled) -> Ledger:
        """Return the open ledger."""
        ledger = self.emulator.ledgers.find(REGION, of.name)
        assert ledger is not None
        return ledger

    def document_ids(self, of: Filled) -> list[str]:
        """Return the ids of some registrations from all over the ledger: all of a small one."""
        if of.name not in self._ids:
            ledger = self.ledger(of)
            table = ledger.catalogue.active(TABLE)
            assert table is not None
            wanted = set(self.random.sample(range(of.documents), min(of.documents, self._sample)))
            rows = (
                row for batch in ledger.file.scan_documents(table.number, ledger.tip().sequence_no) for row in batch
            )
            self._ids[of.name] = [row[0] for number, row in enumerate(rows) if number in wanted]
        return self._ids[of.name]
