"""GetDigest, GetBlock and GetRevision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ledger.proofs import get_block, get_digest, get_revision
from .lookup import Members, active_ledger

if TYPE_CHECKING:
    from ..parts import Parts


def digest_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetDigest."""
    return get_digest(active_ledger(parts, members["Name"], region))


def block_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetBlock."""
    ledger = active_ledger(parts, members["Name"], region)
    return get_block(ledger, members["BlockAddress"], members.get("DigestTipAddress"))


def revision_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetRevision."""
    ledger = active_ledger(parts, members["Name"], region)
    return get_revision(ledger, members["BlockAddress"], members["DocumentId"], members.get("DigestTipAddress"))
