"""A verified journal as tables that any tool reads, and the proof that each row is what the journal says.

In: the blocks of an export or of a ledger, each after its checks.
Out: Parquet or CSV files, an SQLite file, tables in PostgreSQL; a verdict on such tables later.
``build`` writes them once, ``follow`` keeps them up to date, ``check`` proves them.
Open ``rows`` first: what a row is made of.
"""

from __future__ import annotations

from .build import BrokenJournal, TablesReport, build_tables
from .check import TablesVerdict, verify_tables
from .follow import Follower, FollowError
from .opening import open_target
from .stores import ConnectionLost, open_store
from .targets import TargetError

__all__ = [
    "BrokenJournal",
    "ConnectionLost",
    "FollowError",
    "Follower",
    "TablesReport",
    "TablesVerdict",
    "TargetError",
    "build_tables",
    "open_store",
    "open_target",
    "verify_tables",
]
