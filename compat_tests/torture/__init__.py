"""Attacks a running server with official clients: kills, everything at once, malformed requests.

Each attack is a module with ``run(options) -> Findings``.  In: the options of the command line, a seed among them.
Out: counts of what was tried, and every failure in words.  Begin with ``__main__.py``, then ``kills.py``.
"""
