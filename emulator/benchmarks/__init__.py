"""Measures the cost of the server as ratios: ``scripts/bench``.

Every ratio is between two things run side by side in one run, because milliseconds drift by a third between runs on a
shared machine while ratios hold.  ``rows`` says what a row is, ``families/`` has the rows, one file for each family,
``alternate`` is the method and ``ratios`` the arithmetic.  ``curve/`` is what the same operations cost with ledgers of
growing size: ``scripts/bench --growth``.
"""
