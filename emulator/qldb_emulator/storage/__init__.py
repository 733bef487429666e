"""Ledgers as SQLite files: documents, journal blocks, indexes and catalogue as bytes and numbers.

In: rows, through a ``Writer``, in one SQLite transaction.
Out: rows as of a block's sequence number, so that readers and the writer never wait for each other.
Nothing here knows Ion, PartiQL or the rules of a transaction.
Open ``ledger_file`` first.
"""

from .batches import BatchWriter
from .connections import Durability
from .directory import DataDirectory
from .errors import DirectoryInUseError, StorageError, StorageVersionError
from .ledger_file import LedgerFile
from .lock import DirectoryLock
from .reads import Reads
from .rows import Counts, DocumentInfo, DocumentRow, IndexRow, NodeId, RevisionRow, TableRow, Tip
from .schema import LIVE, SCHEMA_VERSION
from .writer import Writer

__all__ = [
    "LIVE",
    "SCHEMA_VERSION",
    "BatchWriter",
    "Counts",
    "DataDirectory",
    "DirectoryInUseError",
    "DirectoryLock",
    "DocumentInfo",
    "DocumentRow",
    "Durability",
    "IndexRow",
    "LedgerFile",
    "NodeId",
    "Reads",
    "RevisionRow",
    "StorageError",
    "StorageVersionError",
    "TableRow",
    "Tip",
    "Writer",
]
