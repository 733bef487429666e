"""A small driver for the command line, seeds and tests; it needs only the standard library and ``ion``.

In: statements with Ion values as parameters, and a transport: ``http`` or ``local``.
Out: rows as the Ion values of ``ion.values``, page by page, or a QldbError.
It has no pool.  Programs use the official drivers.
Open ``session`` first.

Import the transports by name: a server that fills itself needs no HTTP client.
"""

from .session import Cursor, LedgerSession, OpenTransaction, Result, Transport

__all__ = ["Cursor", "LedgerSession", "OpenTransaction", "Result", "Transport"]
