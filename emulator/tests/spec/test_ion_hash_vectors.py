"""Ion Hash compared with published results: the official test suite, ionhash, and digests sent by drivers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from helpers import ion_oracle
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion import hash as ion_hash
from qldb_emulator.ion.codec import dumps, dumps_text, load_all, loads
from qldb_emulator.ion.values import Annotated

VECTORS = SHARED / "vectors"


class Identity:
    """The suite's hash function that leaves everything as it is."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def digest(self) -> bytes:
        return self.octets


HASHERS = {"identity": Identity, "md5": hashlib.md5}


def suite() -> list[Any]:
    """Return (value as binary, hasher, expected digest) of every test of the official suite."""
    path = VECTORS / "ion_hash_tests.ion"
    found = []
    for case in load_all(path.read_bytes()) if path.exists() else ():
        name = case.annotations[0] if type(case) is Annotated else None
        struct = case.value if type(case) is Annotated else case
        if "10n" in struct:
            data = b"\xe0\x01\x00\xea" + bytes(struct["10n"]) if struct["10n"][:1] != [0xE0] else bytes(struct["10n"])
        else:
            data = dumps(struct["ion"])
        for hasher, steps in struct["expect"].items():
            finals = [step.value for step in steps if step.annotations[0] in ("digest", "final_digest")]
            label = f"{name or dumps_text(struct.get('ion', struct.get('10n')))[:60]}.{hasher}"
            found.append(pytest.param(data, hasher, bytes(finals[-1]), id=label))
    return found


@needs_shared
@pytest.mark.parametrize(("data", "hasher", "digest"), suite())
def test_the_official_suite(monkeypatch: pytest.MonkeyPatch, data: bytes, hasher: str, digest: bytes) -> None:
    monkeypatch.setattr(ion_hash, "sha256", HASHERS[hasher])
    assert ion_hash.hash_binary(data) == digest
    assert ion_hash.hash_value(loads(data)) == digest


def test_the_official_suite_is_whole() -> None:
    if not VECTORS.is_dir():
        pytest.skip("needs the folder shared/ beside the checkout")
    assert len(suite()) > 160


# wire.md 2.4: recorded from pyqldb and the Node.js driver.
TRANSACTION_ID = "I1pH6SCujBW0JYpPoLQT02"
DIGESTS = [
    ([], "1MUXNMbN+vr2W7uYINo4DYM3qNVPLvZAE6NlIPDH7K0="),
    ([["SELECT 1"]], "Gibs2ni1cMo5rCtCBoWy2J/nTxjW7BttfeWg0Vnnw4U="),
    (
        [["SELECT VALUE name FROM T WHERE a = ? AND b = ?", "{x:1}", '"s"']],
        "/G/jMwgNfbGfG7VfEpncEGZN0/bMZMkZ58hcFmIZTyI=",
    ),
    ([["CREATE TABLE Foo"]], "m6G326JgMZH90LtoEGFn9bI/ZQZVMsncRD3YGESFt5Q="),
    (
        [
            ["INSERT INTO Foo ?", "{a:1,b:2.5,c:2020-01-01T00:00:00.000Z,d:[1,null],e:annot::sym,f:{{aGk=}},g:1e0}"],
            ["SELECT * FROM Foo"],
        ],
        "s6KYHIRxQ3p/WCRnwOLSTh23+6RHAleCFeTsz8/sW/4=",
    ),
    ([["SELECT * FROM Foo"]] * 2, "DDFY3Hn2RzDBoO4LTqHLvIB3uXn3ewr+zG5OAubp1WI="),
]


def dot(a: bytes, b: bytes) -> bytes:
    """Return the drivers' pairwise hash, written again here so that these vectors judge Ion Hash alone."""
    ordered = sorted((a, b), key=lambda octets: [octet - 256 if octet > 127 else octet for octet in reversed(octets)])
    return hashlib.sha256(b"".join(ordered)).digest()


@pytest.mark.parametrize(("statements", "digest"), DIGESTS, ids=lambda each: str(each)[:40])
def test_commit_digests_that_drivers_sent(statements: list[list[str]], digest: str) -> None:
    total = ion_hash.hash_value(TRANSACTION_ID)
    for text, *parameters in statements:
        statement = ion_hash.hash_value(text)
        for parameter in parameters:
            statement = dot(statement, ion_hash.hash_value(loads(parameter)))
            assert ion_hash.hash_value(loads(parameter)) == ion_hash.hash_binary(dumps(loads(parameter)))
        total = dot(total, statement)
    assert base64.b64encode(total).decode("ascii") == digest


@needs_shared
@pytest.mark.parametrize("name", ["cli_block100.ion", "stream_block3.ion", "revisions.ion", "receipts.ion"])
def test_ionhash_agrees_on_captured_values(name: str) -> None:
    for value in load_all((VECTORS / name).read_bytes()):
        assert ion_hash.hash_value(value) == ion_oracle.hash_value(ion_oracle.loads(dumps(value)))
