"""What tests of several folders share: makers of values, ledgers and journals, oracles, and servers to test against.

In: the package under test, the conformance suites beside the checkout, programs of the machine (PostgreSQL, HAProxy).
Out: strategies, fixtures' parts, cases and judges.  Nothing here begins with ``test_``.
Open ``support`` first.
"""
