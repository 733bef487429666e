"""The seam between a ledger and the log that its journal is kept in.

In: blocks that are ready, one server's next to another's; changed facts of the control plane.
Out: the same blocks, in one order that every server agrees on.
The log decides which block comes next.  What a block means is decided in ``engine.ledger``.
Open ``seam`` first: the four verbs and their errors.  ``sqlite`` keeps the journal in the ledger's own file.
"""
