"""What people saved: digests, proofs, revisions and blocks, in the forms that tools wrote them.

A digest is base64 (as the API and the AWS CLI give it) or hexadecimal, or the whole answer of GetDigest as JSON.  A
revision or block is Ion text or binary, or the whole answer of GetRevision or GetBlock as JSON, with its proof.
"""

from __future__ import annotations

import binascii
import json
from typing import Any

from ..ion.codec import IonError, is_binary, loads
from ..ion.values import IonValue, strip_annotations
from ..journal.hashing import HASH_BYTES
from ..journal.model import BlockAddress
from ..journal.parse import BlockFormatError, address_from_ion
from ..records import dataclass
from .receipts import ProofFormatError, proof_from_ion


class InputError(ValueError):
    """A text is not what it should be.  A sentence for people."""


@dataclass(frozen=True, slots=True)
class SavedDigest:
    """A digest; tip: the address it was given with, if it is known."""

    digest: bytes
    tip: BlockAddress | None = None


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """A revision or block with what was saved beside it.

    kind: "revision", "block", or None when only a value was there.
    """

    value: IonValue
    kind: str | None = None
    proof: list[bytes] | None = None


def read_digest(text: str) -> SavedDigest:
    """A digest from text.  Raises InputError."""
    text = text.strip()
    if text.startswith("{"):
        members = _json(text)
        tip = members.get("DigestTipAddress")
        if "Digest" not in members:
            raise InputError("the JSON has no member Digest: the answer of GetDigest is expected")
        return SavedDigest(_hash(members["Digest"]), None if tip is None else read_tip(_ion_text(tip)))
    return SavedDigest(_hash(text))


def read_tip(text: str) -> BlockAddress:
    """A block address from Ion text, ``{strandId:"...",sequenceNo:9}``.  Raises InputError."""
    try:
        return address_from_ion(strip_annotations(loads(text.strip())))
    except (IonError, BlockFormatError) as error:
        raise InputError(f"not a block address: {error}") from error


def read_answer(data: bytes) -> SavedAnswer:
    """A saved revision or block.  Raises InputError."""
    members = None if is_binary(data) else _answer_members(data)
    if members is None:
        return SavedAnswer(_ion(data))
    for name in ("Revision", "Block"):
        if name in members:
            proof = members.get("Proof")
            return SavedAnswer(
                _ion(_ion_text(members[name])), name.lower(), None if proof is None else read_proof(_ion_text(proof))
            )
    raise InputError("the JSON has no member Revision or Block: an answer of GetRevision or GetBlock is expected")


def read_proof(data: bytes | str) -> list[bytes]:
    """A proof: an Ion list of blobs, or the JSON of an answer that has one.  Raises InputError."""
    members = None if isinstance(data, bytes) and is_binary(data) else _answer_members(data)
    if members is not None:
        if "Proof" not in members:
            raise InputError("the JSON has no member Proof: ask with a DigestTipAddress to get one")
        data = _ion_text(members["Proof"])
    try:
        return proof_from_ion(_ion(data))
    except ProofFormatError as error:
        raise InputError(str(error)) from error


def _answer_members(data: bytes | str) -> dict[str, Any] | None:
    """The members of an API answer as JSON; None for anything else, which can only be Ion."""
    try:
        members = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) and {"Revision", "Block", "Proof"} & set(members) else None


def _json(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(members, dict):
        raise InputError("a JSON object is expected")
    return members


def _ion_text(holder: Any) -> str:
    text = holder.get("IonText") if isinstance(holder, dict) else holder
    if not isinstance(text, str):
        raise InputError('{"IonText": "..."} is expected')
    return text


def _ion(data: bytes | str) -> IonValue:
    try:
        return loads(data)
    except IonError as error:
        raise InputError(f"not one Ion value: {error}") from error


def _hash(text: Any) -> bytes:
    if not isinstance(text, str):
        raise InputError("a digest is text: base64, or hexadecimal")
    text = text.strip()
    try:
        value = bytes.fromhex(text) if len(text) == 2 * HASH_BYTES else binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise InputError(f"{text[:80]!r} is no digest: neither base64 nor hexadecimal") from error
    if len(value) != HASH_BYTES:
        raise InputError(f"{text[:80]!r} is no digest: it has {len(value)} bytes, not {HASH_BYTES}")
    return value
