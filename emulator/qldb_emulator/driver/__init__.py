"""A small driver of our own, for the command line, seeds and tests: the standard library and our Ion, nothing else.

Programs use the official drivers; this one has no pool, and gives Ion values as ``ion.values`` has them.  Its two
transports are modules to be imported by name, ``http`` and ``local``: a server that fills itself needs no HTTP client.
"""

from .session import LedgerSession, OpenTransaction, Result, Transport

__all__ = ["LedgerSession", "OpenTransaction", "Result", "Transport"]
