"""A small driver of our own, for the command line, seeds and tests: the standard library and our Ion, nothing else.

Programs use the official drivers.  This one has no pool, and its rows are the Ion values of ``ion.values``.  Import its
two transports by name, ``http`` and ``local``: a server that fills itself needs no HTTP client.
"""

from .session import Cursor, LedgerSession, OpenTransaction, Result, Transport

__all__ = ["Cursor", "LedgerSession", "OpenTransaction", "Result", "Transport"]
