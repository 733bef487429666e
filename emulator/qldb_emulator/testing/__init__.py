"""A QLDB for tests: in the test's own process, on a free port, with forks that take milliseconds.

In: a seed (files, or a function that gets a driver), and settings such as limits.
Out: a running server with the endpoint of both APIs, and ledgers, each a fork of a filled one.
The pytest plugin is built on it; fixtures of other frameworks can be, too.
Open ``server`` first; ``container`` runs the same server in a container.

::

    with LocalServer() as server:
        server.create_ledger("cars")
        with server.driver("cars") as driver: ...
"""

from .server import LocalServer, Seed, TestLedger

__all__ = ["LocalServer", "Seed", "TestLedger"]
