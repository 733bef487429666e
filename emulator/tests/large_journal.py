"""Writes a large journal as an export, for trying commands on one: a program, not a test.

::

    PYTHONPATH=emulator python emulator/tests/large_journal.py DIRECTORY --blocks 1000000 --block-bytes 2100
    PYTHONPATH=emulator python emulator/tests/large_journal.py DIRECTORY --blocks 200000 --blocks-per-file 2
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from qldb_emulator.ion.codec import dumps
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Document, IonValue, Timestamp
from qldb_emulator.journal.block import ChangedDocument, ExecutedStatement, NewRevision, TransactionResult, build_block
from qldb_emulator.journal.encode import encode_block
from qldb_emulator.journal.hashing import statement_digest
from qldb_emulator.journal.model import BlockAddress

STRAND_ID = "LargeJournalOfTheTests"
TABLE_ID = "LargeTableOfTheJournal"
STATEMENT = "INSERT INTO Parcels ?"
EMPTY_BLOCK_BYTES = 1_000  # of a block with a document without a note, about
START_MS = 1_600_000_000_000


def blocks(count: int, note_bytes: int) -> Iterator[bytes]:
    """Yield blocks as Ion binary, a document of this size in each."""
    previous: tuple[BlockAddress | None, bytes] = (None, b"")
    for number in range(count):
        document: dict[str, IonValue] = {"Number": number, "City": "Tacoma", "Note": f"{number:08d}" + "n" * note_bytes}
        now = Timestamp.from_epoch_ms(START_MS + number)
        data_hash = hash_value(document)
        document_id = f"Document{number:014d}"
        block = build_block(
            previous,
            STRAND_ID,
            TransactionResult(
                transaction_id=f"Transact{number:014d}",
                statements=[ExecutedStatement(STATEMENT, now, statement_digest(STATEMENT, [data_hash]))],
                documents={document_id: ChangedDocument("Parcels", TABLE_ID, (0,))},
                revisions=[NewRevision(document_id, 0, Document(document.items(), dumps(document)), data_hash)],
            ),
            now,
        )
        previous = block.address, block.block_hash
        yield encode_block(block)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--block-bytes", type=int, default=EMPTY_BLOCK_BYTES, help="of a block, about")
    parser.add_argument("--blocks-per-file", type=int, help="default: all blocks in one file")
    given = parser.parse_args()
    given.directory.mkdir(parents=True)
    rest = blocks(given.blocks, max(given.block_bytes - EMPTY_BLOCK_BYTES, 0))
    each = given.blocks_per_file or given.blocks
    for first in range(0, given.blocks, each):
        last = min(first + each, given.blocks) - 1
        with (given.directory / f"{STRAND_ID}.{first}-{last}.ion").open("wb") as file:
            file.writelines(islice(rest, each))


if __name__ == "__main__":
    main()
