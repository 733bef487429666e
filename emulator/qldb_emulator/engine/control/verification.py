"""GetDigest, GetBlock and GetRevision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ledger.proofs import get_block, get_digest, get_revision
from .common import Members, active_ledger

if TYPE_CHECKING:
    from ..emulator import Emulator


def digest_of_ledger(emulator: Emulator, members: Members, region: str) -> Members:
    """GetDigest."""
    return get_digest(active_ledger(emulator, members["Name"], region))


def block_of_ledger(emulator: Emulator, members: Members, region: str) -> Members:
    """GetBlock."""
    ledger = active_ledger(emulator, members["Name"], region)
    return get_block(ledger, members["BlockAddress"], members.get("DigestTipAddress"))


def revision_of_ledger(emulator: Emulator, members: Members, region: str) -> Members:
    """GetRevision."""
    ledger = active_ledger(emulator, members["Name"], region)
    return get_revision(ledger, members["BlockAddress"], members["DocumentId"], members.get("DigestTipAddress"))
