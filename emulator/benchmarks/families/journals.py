"""Journals as files: import against hashing, export against copying, and whether memory grows with the length."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.outgoing.exports import write_export
from qldb_emulator.engine.workbench.imports import fold
from qldb_emulator.ion.stream import read_items, read_stream
from qldb_emulator.ion.values import IonValue
from qldb_emulator.journal import hashing, merkle
from qldb_emulator.journal.exports import Export, OutputFormat
from qldb_emulator.journal.model import Block
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.journal.read_stored import read_block
from qldb_emulator.settings import Settings
from qldb_emulator.storage import LedgerFile
from qldb_emulator.verify import Audit, choose_journal, open_container, read_blocks

from ..alternate import Case, alternate, timed
from ..bench import Bench, BenchError, in_unit
from ..fill import registrations
from ..peak import peak_mb
from ..rows import Family, Row, Samples, control

SMALL, SMALL_TEXT, LARGE = "small", "small-text", "large"


@dataclass(frozen=True, slots=True)
class Journals:
    """A small and a large ledger's file, and the exports of both as Ion binary, of the small one as Ion text, too.

    blocks: how many the small one has.
    """

    large_file: LedgerFile
    small: Path
    small_text: Path
    large: Path
    blocks: int


@contextmanager
def journals(bench: Bench) -> Iterator[Journals]:
    """Fill the ledgers and export them."""
    data_dir = bench.directory / "ledgers"
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        registrations(emulator, SMALL, bench.scale.small, bench.say)
        registrations(emulator, LARGE, bench.scale.large, bench.say)
        paths = {name: emulator.directory.path("us-east-1", name) for name in (SMALL, LARGE)}
    with LedgerFile.open(paths[SMALL], "off") as small:
        export(small, bench.directory / SMALL)
        export(small, bench.directory / SMALL_TEXT, "ION_TEXT")
    with LedgerFile.open(paths[LARGE], "off") as large:
        export(large, bench.directory / LARGE)
        here = bench.directory
        yield Journals(large, here / SMALL, here / SMALL_TEXT, here / LARGE, bench.scale.small)


def export(file: LedgerFile, directory: Path, output_format: OutputFormat = "ION_BINARY") -> None:
    """Write an export."""

    def put(key: str, contents: bytes, content_type: str) -> None:
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)

    strand_id = file.meta("strand_id")
    write_export(file, Export("E" * 22, "bench", strand_id, 0, 0, 1 << 45, "", "", output_format=output_format), put)


def turns(bench: Bench, left: Case, right: Case, note: str) -> Samples:
    """Run each side once or a few times in a repetition: a run takes a thousand blocks."""
    means = alternate([left, right], bench.scale.repetitions, bench.scale.starts, bench.random)
    return in_unit(means[0], means[1], "ms", note)


# --- Import ----------------------------------------------------------------------------------------------------


def values(directory: Path) -> Iterator[IonValue]:
    """Yield every block of an export as a value, and nothing made of it."""
    container = open_container(str(directory))
    for part in choose_journal(container).parts:
        with container.open(part.name) as stream:
            yield from read_stream(stream.read)


def parse_alone(directory: Path) -> None:
    """Read every block; keep nothing."""
    for _ in values(directory):
        pass


def hash_alone(directory: Path) -> None:
    """Decode every block and compute each hash that a verification compares; compare and keep nothing."""
    for value in values(directory):
        _hash(block_from_ion(value))


def octets_alone(directory: Path) -> None:
    """Read every block as a verification does, with each hash over its octets; compare and keep nothing."""
    container = open_container(str(directory))
    for part in choose_journal(container).parts:
        with container.open(part.name) as stream:
            for _ in read_items(stream.read, quick=read_block):
                pass


def _hash(block: Block) -> None:
    hashing.header_hash(block.address, block.transaction_id, block.timestamp)
    info = block.transaction_info or {}
    hashing.transaction_info_hash(info)
    for statement in info.get("statements", ()):
        hashing.statement_digest(statement["statement"])
    for revision in block.revisions or ():
        if "data" in revision:
            hashing.revision_hash(revision["metadata"], revision["data"])
    merkle.root(block.entries_hash_list)
    hashing.dot(block.entries_hash, block.previous_block_hash)


def import_into(directory: Path, target: Path) -> None:
    """Verify every block and fold it, as the command does."""
    container = open_container(str(directory))
    journal = choose_journal(container)
    audit = Audit("bench", journal)
    with LedgerFile.appearing(target, "off") as file, file.without_log():
        fold(file, audit.blocks(read_blocks(container, journal)))
    if audit.report().verdict != "whole":
        raise BenchError(str(audit.report().findings))


def measure_control(bench: Bench) -> Samples:
    small = bench.shared(journals).small
    return turns(bench, timed(lambda: hash_alone(small)), timed(lambda: hash_alone(small)), "")


def importing(bench: Bench, source: Path) -> Case:
    """Import into a new ledger file, which is thrown away."""
    numbers = count()

    def run() -> float:
        target = bench.directory / f"imported-{next(numbers)}.qldb"
        taken = timed(lambda: import_into(source, target))()
        target.unlink()
        return taken

    return run


def measure_import(bench: Bench) -> Samples:
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks of one registration each, Ion binary, not synced; each side reads the files"
    return turns(bench, importing(bench, made.small), timed(lambda: hash_alone(made.small)), note)


def measure_import_of_octets(bench: Bench) -> Samples:
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks of one registration each, Ion binary, not synced; the same reader on both sides"
    return turns(bench, importing(bench, made.small), timed(lambda: octets_alone(made.small)), note)


def compare_with_parsing(bench: Bench, source: Path) -> Samples:
    made = bench.shared(journals)
    note = f"{made.blocks:,} blocks of one registration each, not synced; the same reader reads the same files"
    return turns(bench, importing(bench, source), timed(lambda: parse_alone(source)), note)


def measure_import_of_binary(bench: Bench) -> Samples:
    return compare_with_parsing(bench, bench.shared(journals).small)


def measure_import_of_text(bench: Bench) -> Samples:
    return compare_with_parsing(bench, bench.shared(journals).small_text)


# --- Export ----------------------------------------------------------------------------------------------------


def measure_export(bench: Bench) -> Samples:
    made = bench.shared(journals)
    numbers = count()

    def exporting() -> float:
        target = bench.directory / f"exported-{next(numbers)}"
        taken = timed(lambda: export(made.large_file, target))()
        shutil.rmtree(target)
        return taken

    def copying() -> float:
        target = bench.directory / f"copied-{next(numbers)}"

        def copy() -> None:
            with target.open("wb") as file:
                for _, ion in made.large_file.blocks():
                    file.write(ion)

        taken = timed(copy)()
        target.unlink()
        return taken

    means = alternate([exporting, copying], bench.scale.repetitions, 1, bench.random)
    note = f"{bench.scale.large:,} blocks, Ion binary, files of a thousand blocks against one"
    return in_unit(means[0], means[1], "ms", note)


# --- Memory ----------------------------------------------------------------------------------------------------


def import_peak_mb(source: Path, data_dir: Path) -> float:
    """Return the most memory that a process takes to import a directory."""
    taken = peak_mb(["import", str(source), "--as", "bench", "--data-dir", str(data_dir)])
    shutil.rmtree(data_dir)
    return taken


def measure_memory(bench: Bench) -> Samples:
    made = bench.shared(journals)
    data_dir = bench.directory / "memory"
    # Once: the peak of a process that does the same again is the same, and the large one takes its time.
    large, small = import_peak_mb(made.large, data_dir), import_peak_mb(made.small, data_dir)
    note = f"peak of the process; {bench.scale.large:,} blocks against {bench.scale.small:,}; SQLite's cache is 64 MB"
    return Samples((large,), (small,), "MB", note)


FAMILY = Family(
    "journals, as files",
    control("journals-control", "read and hash a small journal", measure_control),
    (
        Row(
            "import-hashing",
            "import with full verification",
            "decoding the same blocks and hashing them",
            1.6,
            "design 10",
            measure_import,
        ),
        Row(
            "import-octets",
            "import with full verification",
            "reading the same blocks with their hashes, without decoding them",
            1.6,
            "ours: a harder goal than against decoding",
            measure_import_of_octets,
        ),
        Row(
            "import-binary",
            "import of an export in Ion binary, with full verification",
            "parsing its values and nothing else",
            round(1 / 0.27, 2),
            "measurements.md G8: 0.27 of the rate of parsing; there of documents, here of whole blocks",
            measure_import_of_binary,
        ),
        Row(
            "import-text",
            "import of an export in Ion text, with full verification",
            "parsing its values and nothing else",
            round(1 / 0.33, 2),
            "measurements.md G8: 0.33 of the rate of parsing; there of documents, here of whole blocks",
            measure_import_of_text,
        ),
        Row(
            "export-copy",
            "export of a ledger",
            "reading its blocks and writing them to a file",
            1.1,
            "ours: at least as fast",
            measure_export,
        ),
        Row(
            "import-memory",
            "memory of an import of a large journal",
            "of a small one",
            3.0,
            "ours: independent of length, but for a cache of fixed size",
            measure_memory,
        ),
    ),
)
