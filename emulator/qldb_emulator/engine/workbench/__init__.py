"""Tools for developers and tests that the service never had.

In: requests of the admin interface, the command line and test fixtures.
Out: snapshots, forks and differences of ledgers, imported journals, faults on demand, a log of recent statements.
Open ``snapshots`` first.
"""
