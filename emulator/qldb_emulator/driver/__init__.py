"""A small driver of our own, for the command line, seeds and tests: the standard library and our Ion, nothing else.

Programs use the official drivers; this one has no pool, and gives Ion values as ``ion.values`` has them.
"""

from .http import HttpTransport
from .session import LedgerSession, OpenTransaction, Result, Transport

__all__ = ["HttpTransport", "LedgerSession", "OpenTransaction", "Result", "Transport"]
