"""GetDigest, GetBlock and GetRevision.

Proofs are imported with the first of them, because a start need not wait for hashes and Ion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lookup import Members, active_ledger

if TYPE_CHECKING:
    from ..parts import Parts


def digest_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetDigest."""
    from ..ledger.proofs import get_digest

    return get_digest(active_ledger(parts, members["Name"], region))


def block_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetBlock."""
    from ..ledger.proofs import get_block

    ledger = active_ledger(parts, members["Name"], region)
    return get_block(ledger, members["BlockAddress"], members.get("DigestTipAddress"))


def revision_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """GetRevision."""
    from ..ledger.proofs import get_revision

    ledger = active_ledger(parts, members["Name"], region)
    return get_revision(ledger, members["BlockAddress"], members["DocumentId"], members.get("DigestTipAddress"))
