"""PartiQL as QLDB had it, as functions of data: no input or output, no clock, no randomness.

The one idea: a statement's text becomes a program of closures, step by step, and every step is plain data.
In: the text, a ``Catalogue`` of tables and, when the program runs, a ``Data`` that reads documents (the engine's).
Out: rows of Ion values, or ``Change`` objects that the engine applies.
Open ``prepare`` first; then ``syntax``, ``planning`` and ``execution`` in this order, all above ``language``.
"""
