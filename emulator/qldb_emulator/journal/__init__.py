"""Blocks of a journal and the proofs about them: pure functions, no input or output.

In: what a transaction did, or the Ion of a block, an export or a stream record.
Out: blocks, their hashes, digests and proofs, and the Ion of each.
The hashes are those of the service; the Merkle tree needs O(log n) stored nodes for any digest.
Open ``block`` first.
"""
