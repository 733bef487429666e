"""The operations of the control plane: a ledger's life, tags, streams, exports, digests and proofs.

In: the members of a request, checked by the service model.  Out: the members of the result, or a QldbError.
Each operation is a function of its own; ``engine.service`` has the table of them, and asks who may call them.
What is kept of a ledger are its facts (``ledger.facts``).
Open ``ledgers`` first.
"""
