"""A verified journal as tables that any tool reads, and the proof that each row is what the journal says.

Blocks go in, each after its checks; Parquet or CSV files, an SQLite file or tables of PostgreSQL come out: the history
of each table, its current state, the blocks, the verdict.  ``follow`` keeps them up to date from a running ledger.
Open ``rows.py`` first: what a row is made of.  Then ``build.py`` (from a journal to a target) and ``targets.py``.
"""

from __future__ import annotations

from .build import BrokenJournal, TablesReport, build_tables
from .check import TablesVerdict, verify_tables
from .follow import Follower, FollowError
from .stores import ConnectionLost, open_store
from .targets import TargetError, open_target

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
