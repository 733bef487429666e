"""An independent verifier: what an auditor would write from the developer guide, with the official Ion libraries.

It shares no code with the server.
"""

from __future__ import annotations

import base64
import hashlib
from functools import reduce

import ionhash  # noqa: F401  (gives Ion values their ion_hash method)
from amazon.ion.simpleion import loads


def dot(left: bytes, right: bytes) -> bytes:
    """Hash of two hashes, the smaller first: signed bytes, compared from the last to the first."""
    if not left or not right:
        return left or right

    def key(value: bytes) -> list[int]:
        return [byte - 256 if byte > 127 else byte for byte in reversed(value)]

    first, second = sorted((left, right), key=key)
    return hashlib.sha256(first + second).digest()


def ion_hash(value: object) -> bytes:
    return value.ion_hash("SHA256")  # type: ignore[attr-defined]


def fold(leaf: bytes, proof_text: str) -> bytes:
    """The digest that a proof leads to."""
    return reduce(dot, (bytes(item) for item in loads(proof_text)), leaf)


def revision_hash(revision_text: str) -> bytes:
    """A revision's hash, from its metadata and data alone."""
    revision = loads(revision_text)
    return dot(ion_hash(revision["metadata"]), ion_hash(revision["data"]))


def merkle(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = [dot(*hashes[i : i + 2]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0]


def block_hash(block_text: str) -> bytes:
    """A block's hash, from its entries; the entries are checked against the transaction and its revisions."""
    block = loads(block_text)
    entries = [bytes(entry) for entry in block["entriesHashList"]]
    assert ion_hash(block["transactionInfo"]) in entries
    if "revisions" in block:
        assert merkle([bytes(revision["hash"]) for revision in block["revisions"]]) in entries
    assert merkle(entries) == bytes(block["entriesHash"])
    return dot(merkle(entries), bytes(block["previousBlockHash"]))


def digest_bytes(digest: bytes | str) -> bytes:
    """boto3 gives bytes; a saved JSON answer gives base64."""
    return digest if isinstance(digest, bytes) else base64.b64decode(digest)
