"""The operations of the control plane: a ledger's life, tags, streams, exports, digests and proofs.

In: the members of a request, which the service model has checked.
Out: the members of the result, or a QldbError.
Each operation is a function; ``engine.service`` has the table of them, and checks who may call them.
Open ``ledgers`` first.
"""
