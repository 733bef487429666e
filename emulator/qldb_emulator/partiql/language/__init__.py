"""What values are and what is done to them: operators, functions, CAST, LIKE, order, and the errors they raise.

The one idea: every operation is a plain function of Ion values; it knows no statement, so its errors have no position.
In: Ion values (``ion.values``), MISSING and Bag (``values``).
Out: the same, or a PartiqlError from ``faults``.
The model is partiql-lang-kotlin 0.2.7; ``compat_tests/partiql`` compares this room with it.
Open ``semantics`` first.
"""
