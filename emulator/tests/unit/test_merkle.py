"""The Merkle tree compared with an obviously correct recursion, for every small size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import pytest

from qldb_emulator.journal import merkle
from qldb_emulator.journal.dot import dot
from qldb_emulator.journal.merkle import MissingNodeError, Node, NodeID, ProofRangeError, RightEdge

LEAVES = [sha256(f"leaf {number}".encode()).digest() for number in range(130)]


def slow_dot(a: bytes, b: bytes) -> bytes:
    """Return the operator as its definition says: signed bytes, from the last to the first."""
    signed = [[byte - 256 if byte > 127 else byte for byte in reversed(side)] for side in (a, b)]
    return sha256(a + b if signed[0] < signed[1] else b + a).digest()


def split(size: int) -> int:
    """Return the largest power of two below *size*: how many leaves are left of the root."""
    return 1 << (size - 1).bit_length() - 1


def recursive_root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    left = split(len(leaves))
    return slow_dot(recursive_root(leaves[:left]), recursive_root(leaves[left:]))


def recursive_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    left = split(len(leaves))
    if index < left:
        return [*recursive_proof(leaves[:left], index), recursive_root(leaves[left:])]
    return [*recursive_proof(leaves[left:], index - left), recursive_root(leaves[:left])]


class Store:
    """Perfect nodes as a ledger keeps them; counts the reads."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.nodes: dict[NodeID, bytes] = {}
        self.calls: list[int] = []
        for index, leaf in enumerate(leaves):
            self.append(index, leaf)
        self.calls.clear()

    def append(self, index: int, leaf: bytes) -> list[Node]:
        nodes = RightEdge.read(index, self.read).append(leaf)
        for level, position, hash_ in nodes:
            assert (level, position) not in self.nodes, "a node was written twice"
            self.nodes[level, position] = hash_
        return nodes

    def read(self, wanted: Sequence[NodeID]) -> Mapping[NodeID, bytes]:
        self.calls.append(len(wanted))
        return {node: self.nodes[node] for node in wanted if node in self.nodes}


STORE = Store(LEAVES)
SIZES = range(1, len(LEAVES) + 1)


def test_the_root_of_no_leaves_is_empty_and_of_one_leaf_the_leaf():
    assert merkle.root([]) == b""
    assert merkle.digest(0, STORE.read) == b""
    assert RightEdge().root() == b""
    assert merkle.root([LEAVES[0]]) == LEAVES[0]


def test_a_last_odd_node_is_carried_up_unchanged():
    a, b, c, d, e = LEAVES[:5]
    assert merkle.root([a, b, c]) == dot(dot(a, b), c)
    assert merkle.root([a, b, c, d, e]) == dot(dot(dot(a, b), dot(c, d)), e)


@pytest.mark.parametrize("size", SIZES)
def test_every_way_to_the_root_agrees_with_the_recursion(size):
    edge = RightEdge()
    for leaf in LEAVES[:size]:
        edge.append(leaf)
    expected = recursive_root(LEAVES[:size])
    assert merkle.root(LEAVES[:size]) == expected
    assert merkle.digest(size, STORE.read) == expected
    assert edge.root() == expected


def test_an_edge_read_or_copied_grows_as_the_one_that_was_there_from_the_beginning():
    edge = RightEdge()
    for size, leaf in enumerate(LEAVES):
        copy, read = edge.copy(), RightEdge.read(size, STORE.read)
        nodes = edge.append(leaf)
        assert copy.root() == read.root() == merkle.root(LEAVES[:size])
        assert copy.append(leaf) == read.append(leaf) == nodes
        assert nodes == [(level, index, STORE.nodes[level, index]) for level, index, _ in nodes]


@pytest.mark.parametrize("size", range(1, 71))
def test_every_proof_agrees_with_the_recursion_and_folds_to_the_root(size):
    leaves = LEAVES[:size]
    root = merkle.root(leaves)
    for index in range(size):
        proof = merkle.proof(index, size, STORE.read)
        assert proof == recursive_proof(leaves, index)
        assert proof == merkle.path(leaves, index)
        assert len(proof) == merkle.proof_length(index, size)
        assert merkle.fold(leaves[index], proof) == root


def test_only_perfect_nodes_are_stored_each_once():
    store = Store()
    for size, leaf in enumerate(LEAVES, start=1):
        nodes = store.append(size - 1, leaf)
        assert all((position + 1) << level == size for level, position, _ in nodes)
    assert len(store.nodes) == sum(len(LEAVES) >> level for level in range(8))


@pytest.mark.parametrize("size", [1, 2, 1_000, 1_000_000, 2**20, 2**20 - 1])
def test_digest_and_proof_read_a_logarithmic_number_of_nodes_in_one_call(size):
    calls: list[int] = []

    def read(wanted: Sequence[NodeID]) -> dict[NodeID, bytes]:
        calls.append(len(wanted))
        for level, index in wanted:
            assert (index + 1) << level <= size, "asked for a node that is not perfect"
        return dict.fromkeys(wanted, LEAVES[0])

    merkle.digest(size, read)
    for index in {0, size // 2, size - 1}:
        merkle.proof(index, size, read)
    assert len(calls) <= 4
    assert max(calls) <= 2 * size.bit_length()


@pytest.mark.parametrize(
    ("index", "tip", "length"),
    [
        pytest.param(19, 19, 3, id="19 at 19"),
        pytest.param(19, 35, 6, id="19 at 35"),
        pytest.param(90, 91, 5, id="90 at 91"),
        pytest.param(112, 113, 4, id="112 at 113"),
        pytest.param(100, 123, 7, id="100 at 123"),
    ],
)
def test_proof_lengths_are_those_of_captured_receipts(index, tip, length):
    assert merkle.proof_length(index, tip + 1) == length


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3), (0, -1)])
def test_a_leaf_outside_the_tree_is_refused(index, size):
    with pytest.raises(ProofRangeError, match=f"leaf {index} is not in a tree of {size} leaves"):
        merkle.proof(index, size, STORE.read)
    with pytest.raises(ProofRangeError):
        merkle.path(LEAVES[: max(size, 0)], index)


def test_negative_sizes_and_indexes_are_refused():
    with pytest.raises(ProofRangeError, match="no -1 leaves"):
        merkle.digest(-1, STORE.read)
    with pytest.raises(ProofRangeError, match="no -1 leaves"):
        RightEdge.read(-1, STORE.read)


def test_a_hole_in_the_stored_tree_is_named():
    store = Store(LEAVES[:7])
    del store.nodes[1, 2]
    with pytest.raises(MissingNodeError, match="level 1, index 2 is missing"):
        merkle.digest(7, store.read)
    with pytest.raises(MissingNodeError):
        merkle.proof(0, 7, store.read)
