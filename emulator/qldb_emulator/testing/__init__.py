"""A QLDB for tests: in the test's own process, on a free port, with forks that take milliseconds.

::

    with LocalServer() as server:
        server.create_ledger("cars")
        with server.driver("cars") as driver: ...

The pytest plugin is made of this; so can be a fixture of any other framework.  ``container`` has the same for a
container.
"""

from .server import LocalServer, Seed, TestLedger

__all__ = ["LocalServer", "Seed", "TestLedger"]
