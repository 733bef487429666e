"""The Merkle tree of the journal: its nodes, its root, inclusion proofs.

Neighbours (0,1), (2,3) ... are combined with ``dot``; a last odd node is carried up unchanged, until one is left
(source: recorded, journal.md 0 and 4.2).  Seven leaves::

    level 3                 (3,0)            *  ragged: not a power of two of leaves below
    level 2         (2,0)           (2,1)    *  ragged: (1,2) with 6 carried up
    level 1     (1,0)   (1,1)   (1,2)   |
    level 0     0   1   2   3   4   5   6

Node (level, index) covers the leaves ``index << level`` up to, not including, ``(index + 1) << level``.  It is
*perfect* when all of them exist: then it never changes again.  A ledger stores only perfect nodes.  A ragged node is
the fold of the perfect nodes along the right edge, at most log2(size) of them.  So the digest at any past tip, and any
proof under it, takes O(log size) stored nodes, and no node is ever rewritten.

This module does no input or output: callers pass ``read``, which returns the hashes of many perfect nodes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .dot import dot

NodeID = tuple[int, int]
"""A perfect node: (level, index); level 0 has the leaves, index 0 is leftmost."""

Node = tuple[int, int, bytes]
"""A perfect node with its hash, (level, index, hash): what a ledger stores."""

Read = Callable[[Sequence[NodeID]], Mapping[NodeID, bytes]]
"""Returns the hashes of many perfect nodes at once."""


class ProofRangeError(ValueError):
    """A leaf index or a tree size outside the tree."""


class MissingNodeError(LookupError):
    """A node that the tree must have was not read: the stored tree is damaged."""


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over all leaves; empty bytes for none, the leaf itself for one."""
    if len(leaves) == 4:  # the entries of most blocks of ours: a third of the time that two levels take
        return dot(dot(leaves[0], leaves[1]), dot(leaves[2], leaves[3]))
    level = leaves
    while len(level) > 1:
        level = _level_above(level)
    return level[0] if level else b""


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the sibling hashes from leaf *index* to the root, for a small tree in memory.

    Requires 0 <= index < len(leaves); raises ProofRangeError.  A level where the node is carried up adds nothing.
    """
    _check_range(index, len(leaves))
    level, siblings = list(leaves), []
    while len(level) > 1:
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        level = _level_above(level)
        index >>= 1
    return siblings


def fold(leaf_hash: bytes, proof: Iterable[bytes]) -> bytes:
    """Return ``dot`` over a proof, leaf side first: equals the digest when the proof holds."""
    for sibling in proof:
        leaf_hash = dot(leaf_hash, sibling)
    return leaf_hash


def right_edge(size: int) -> list[NodeID]:
    """Return the perfect nodes that make up a tree of *size* leaves, largest first: one for each bit set in *size*."""
    if size < 0:
        raise ProofRangeError(f"a tree has no {size} leaves")
    return [(level, (size >> level) - 1) for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def inclusion_nodes(index: int, size: int) -> list[list[NodeID]]:
    """Return the parts of the proof of leaf *index* among *size* leaves, leaf side first: perfect nodes per sibling.

    Every sibling is one perfect node, except the one ragged sibling that a proof can have: that is its right edge,
    largest first.
    Requires 0 <= index < size; raises ProofRangeError.
    """
    _check_range(index, size)
    elements = []
    level, width = 0, size
    while width > 1:
        sibling = index ^ 1
        if sibling < width:
            if (sibling + 1) << level <= size:
                elements.append([(level, sibling)])
            else:
                elements.append([node for node in right_edge(size) if node[0] < level])
        index >>= 1
        width = (width + 1) >> 1
        level += 1
    return elements


def proof_length(index: int, size: int) -> int:
    """Return the number of hashes in the proof of leaf *index* among *size* leaves.  Raises ProofRangeError."""
    return len(inclusion_nodes(index, size))


def digest(size: int, read: Read) -> bytes:
    """Return the root over the first *size* leaves, from perfect nodes.  One call of *read*; empty bytes for no leaves.

    Raises ProofRangeError, and MissingNodeError when the stored tree has a hole.
    """
    return RightEdge.read(size, read).root()


def proof(index: int, size: int, read: Read) -> list[bytes]:
    """Return the sibling hashes of leaf *index* among *size* leaves, leaf side first.  One call of *read*.

    Requires 0 <= index < size; raises ProofRangeError, and MissingNodeError when the stored tree has a hole.
    """
    elements = inclusion_nodes(index, size)
    hashes = _fetch(read, [node for element in elements for node in element])
    return [_fold_edge(element, hashes) for element in elements]


class RightEdge:
    """A tree that only grows, represented by its right edge: at most log2(size) hashes of memory."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)  # of perfect nodes, largest first

    @classmethod
    def read(cls, size: int, read: Read) -> RightEdge:
        """Return the edge of a stored tree.  One call of *read*.  Raises ProofRangeError, MissingNodeError."""
        edge = right_edge(size)
        hashes = _fetch(read, edge)
        return cls(size, [hashes[node] for node in edge])

    def copy(self) -> RightEdge:
        """Return a copy that grows independently."""
        return RightEdge(self.size, self._hashes)

    def append(self, leaf_hash: bytes) -> list[Node]:
        """Add the next leaf.  Return the perfect nodes that it completes, itself first: two on average."""
        level, index = 0, self.size
        nodes = [(level, index, leaf_hash)]
        while index & 1:
            leaf_hash = dot(self._hashes.pop(), leaf_hash)
            level, index = level + 1, index >> 1
            nodes.append((level, index, leaf_hash))
        self._hashes.append(leaf_hash)
        self.size += 1
        return nodes

    def root(self) -> bytes:
        """Return the root over the leaves so far; empty bytes for none."""
        result = b""
        for hash_ in reversed(self._hashes):
            result = dot(hash_, result)
        return result


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    above = [dot(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _fold_edge(nodes: Sequence[NodeID], hashes: Mapping[NodeID, bytes]) -> bytes:
    result = b""
    for node in reversed(nodes):
        result = dot(hashes[node], result)
    return result


def _fetch(read: Read, wanted: Sequence[NodeID]) -> Mapping[NodeID, bytes]:
    if not wanted:
        return {}
    hashes = read(wanted)
    for node in wanted:
        if node not in hashes:
            raise MissingNodeError(f"the Merkle node at level {node[0]}, index {node[1]} is missing")
    return hashes


def _check_range(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise ProofRangeError(f"leaf {index} is not in a tree of {size} leaves")
