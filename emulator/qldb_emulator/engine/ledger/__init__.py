"""A ledger is a journal and what is folded from it.

In: proposals of transactions (``committer``), blocks of other servers and of imports (``fold``), changes of facts.
Out: snapshots to read at, blocks in order, digests and proofs.
A block is built, appended to the log and applied in one SQLite transaction; nothing else writes derived rows.
Open ``committer`` first: it tells a commit from top to bottom.
"""
