"""The seam between a ledger and the log that its journal is kept in.

In: blocks that are ready to be appended, and changed facts of the control plane.
Out: the same blocks in one order, which every server that uses the log agrees on.
The log decides which block comes next; what a block means is decided in ``engine.ledger``.
Open ``seam`` first.
"""
