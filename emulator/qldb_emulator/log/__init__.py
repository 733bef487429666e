"""The interface between a ledger and the log that keeps its journal.

In: blocks that are ready to be appended, and changed facts of the control plane.
Out: the same blocks in one order, which is the same for every server that uses the log.
The log decides which block comes next; what a block means is decided in ``engine.ledger``.
Open ``seam`` first.
"""
