"""The formulas of the journal's hashes."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.ion.codec import loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import Timestamp
from qldb_emulator.journal import hashing
from qldb_emulator.journal.hashing import CommitDigest, dot, statement_digest
from qldb_emulator.journal.model import BlockAddress

HASHES = st.binary(min_size=32, max_size=32)


def test_dot_agrees_with_the_vector_of_the_rust_driver():
    """From the unit test in its src/qldb_hash.rs, whose author checked it against the Java driver."""
    a, b = sha256(b"1").digest(), sha256(b"2").digest()
    assert dot(a, b).hex() == "940ed9abddfb5ef28004408546bc5043cda391232b6afe07267f9f8ed2b500c9"


@given(HASHES, HASHES)
def test_dot_commutes(a, b):
    assert dot(a, b) == dot(b, a)


@given(HASHES)
def test_an_empty_side_of_dot_is_neutral(a):
    assert dot(a, b"") == a
    assert dot(b"", a) == a


@given(HASHES, HASHES, st.integers(0, 32))
def test_dot_puts_the_smaller_first_in_signed_order_from_the_last_byte(a, b, shared):
    b = b[: 32 - shared] + a[32 - shared :]  # a shared tail makes the comparison go on
    signed = [[byte - 256 if byte > 127 else byte for byte in reversed(side)] for side in (a, b)]
    assert dot(a, b) == sha256(a + b if signed[0] < signed[1] else b + a).digest()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param([], "1MUXNMbN+vr2W7uYINo4DYM3qNVPLvZAE6NlIPDH7K0=", id="no statement"),
        pytest.param([("SELECT 1",)], "Gibs2ni1cMo5rCtCBoWy2J/nTxjW7BttfeWg0Vnnw4U=", id="one"),
        pytest.param(
            [("SELECT VALUE name FROM T WHERE a = ? AND b = ?", "{x:1}", '"s"')],
            "/G/jMwgNfbGfG7VfEpncEGZN0/bMZMkZ58hcFmIZTyI=",
            id="two parameters",
        ),
        pytest.param([("CREATE TABLE Foo",)], "m6G326JgMZH90LtoEGFn9bI/ZQZVMsncRD3YGESFt5Q=", id="DDL"),
        pytest.param(
            [
                (
                    "INSERT INTO Foo ?",
                    "{a:1,b:2.5,c:2020-01-01T00:00:00.000Z,d:[1,null],e:annot::sym,f:{{aGk=}},g:1e0}",
                ),
                ("SELECT * FROM Foo",),
            ],
            "s6KYHIRxQ3p/WCRnwOLSTh23+6RHAleCFeTsz8/sW/4=",
            id="a document of many types, then a query",
        ),
        pytest.param(
            [("SELECT * FROM Foo",), ("SELECT * FROM Foo",)],
            "DDFY3Hn2RzDBoO4LTqHLvIB3uXn3ewr+zG5OAubp1WI=",
            id="the same twice",
        ),
    ],
)
def test_commit_digests_are_those_of_the_python_and_node_drivers(statements, expected):
    """Recorded from pyqldb and the Node.js driver, transaction id as below."""
    digest = CommitDigest("I1pH6SCujBW0JYpPoLQT02")
    for text, *parameters in statements:
        digest.add(statement_digest(text, [hash_value(loads(parameter)) for parameter in parameters]))
    assert digest.value == b64decode(expected)


def test_a_statement_digest_takes_a_known_hash_of_its_text():
    assert statement_digest("not looked at", (), hash_value("SELECT 1")) == statement_digest("SELECT 1")


def test_revision_hashes_follow_their_formulas():
    metadata: dict[str, Any] = {"id": "x", "version": 1}
    data = {"a": 1}
    assert hashing.revision_hash(metadata, data) == dot(hash_value(metadata), hash_value(data))
    assert hashing.revision_hash_of(metadata, hash_value(data)) == hashing.revision_hash(metadata, data)
    assert hashing.deletion_hash(metadata) == dot(hash_value(metadata), sha256(b"").digest())
    assert list(hashing.deletion_candidates(metadata).values()) == [
        hash_value(metadata),
        hashing.deletion_hash(metadata),
        dot(hash_value(metadata), hash_value(None)),
    ]


def test_our_own_entries_follow_their_formulas():
    address = BlockAddress("s", 3)
    time = Timestamp.from_epoch_ms(1_600_000_000_000)
    assert hashing.header_hash(address, "t", time) == hash_value(
        {"blockAddress": {"strandId": "s", "sequenceNo": 3}, "transactionId": "t", "blockTimestamp": time}
    )
    a, b = sha256(b"1").digest(), sha256(b"2").digest()
    assert hashing.statements_hash([a, b]) == dot(a, b)
    assert hashing.statements_hash([a]) == a
    assert hashing.statements_hash([]) == sha256(b"").digest()
    assert hashing.block_hash(a, b) == dot(a, b)
    assert hashing.block_hash(a, b"") == a
