"""Sessions, their transactions and the statements in them.

In: one command of the session API, with the token of its session.
Out: its result; and at a commit, a proposal for the ledger's committer.
A transaction reads its snapshot and its own pending writes, and records read marks for everything it reads.
Open ``sessions`` first, then ``statements`` and ``reader``: that is the way of a statement.
"""
