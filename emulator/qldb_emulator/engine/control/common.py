"""What the operations of the control plane share: finding a ledger in a state that will do, and names of things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import LEDGER_BEING_CREATED, LEDGER_BEING_DELETED, LEDGER_NOT_FOUND, LEDGER_NOT_READY
from .arns import partition_of

if TYPE_CHECKING:
    from ..emulator import Emulator
    from ..ledger.ledger import Ledger

Members = dict[str, Any]


def any_ledger(emulator: Emulator, name: str, region: str) -> Ledger:
    """The ledger, whatever its state.  Raises LEDGER_NOT_FOUND, which says where a ledger of this name is."""
    ledger = emulator.ledgers.find(region, name)
    if ledger is None:
        raise LEDGER_NOT_FOUND(name=name, elsewhere=emulator.ledgers.elsewhere(region, name))
    return ledger


def active_ledger(emulator: Emulator, name: str, region: str) -> Ledger:
    """The ledger, for operations on its contents.

    Raises LEDGER_NOT_FOUND also while it is being deleted, LEDGER_NOT_READY while it is being created
    (documented: GetBlock).
    """
    ledger = any_ledger(emulator, name, region)
    if ledger.state == "DELETING":
        raise LEDGER_NOT_FOUND(name=name, elsewhere="")
    if ledger.state != "ACTIVE":
        raise LEDGER_NOT_READY(name=name)
    return ledger


def changeable_ledger(emulator: Emulator, name: str, region: str) -> Ledger:
    """The ledger, for operations that change it.  Raises the ResourceInUse of a ledger on its way in or out."""
    ledger = any_ledger(emulator, name, region)
    check_not_changing(ledger)
    return ledger


def check_not_changing(ledger: Ledger) -> None:
    """Raises LEDGER_BEING_CREATED or LEDGER_BEING_DELETED."""
    if ledger.state == "CREATING":
        raise LEDGER_BEING_CREATED(name=ledger.name)
    if ledger.state == "DELETING":
        raise LEDGER_BEING_DELETED(name=ledger.name)


def arn(emulator: Emulator, region: str, resource: str) -> str:
    """The ARN of a resource of this emulator, such as ``ledger/cars``."""
    return f"arn:{partition_of(region)}:qldb:{region}:{emulator.settings.account}:{resource}"


def ledger_arn(emulator: Emulator, ledger: Ledger) -> str:
    """The ARN of a ledger."""
    return arn(emulator, ledger.region, f"ledger/{ledger.name}")
