"""Looks a ledger up for an operation of the control plane, and checks that its state allows the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import LEDGER_BEING_CREATED, LEDGER_BEING_DELETED, LEDGER_NOT_FOUND, LEDGER_NOT_READY
from ..arns import qldb_arn

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts

Members = dict[str, Any]


def any_ledger(parts: Parts, name: str, region: str) -> Ledger:
    """Return the ledger, whatever its state.  Raises LEDGER_NOT_FOUND, which says where a ledger of this name is."""
    ledger = parts.ledgers.find(region, name)
    if ledger is None:
        raise LEDGER_NOT_FOUND(name=name, elsewhere=parts.ledgers.elsewhere(region, name))
    return ledger


def active_ledger(parts: Parts, name: str, region: str) -> Ledger:
    """Return the ledger, for operations on its contents.

    Raises LEDGER_NOT_FOUND also while it is being deleted, LEDGER_NOT_READY while it is being created
    (documented: GetBlock).
    """
    ledger = any_ledger(parts, name, region)
    if ledger.state == "DELETING":
        raise LEDGER_NOT_FOUND(name=name, elsewhere="")
    if ledger.state != "ACTIVE":
        raise LEDGER_NOT_READY(name=name)
    return ledger


def changeable_ledger(parts: Parts, name: str, region: str) -> Ledger:
    """Return the ledger, for operations that change it.  Raises ResourceInUse while it is created or deleted."""
    ledger = any_ledger(parts, name, region)
    check_not_changing(ledger)
    return ledger


def check_not_changing(ledger: Ledger) -> None:
    """Raises LEDGER_BEING_CREATED or LEDGER_BEING_DELETED."""
    if ledger.state == "CREATING":
        raise LEDGER_BEING_CREATED(name=ledger.name)
    if ledger.state == "DELETING":
        raise LEDGER_BEING_DELETED(name=ledger.name)


def ledger_arn(parts: Parts, ledger: Ledger) -> str:
    """Return the ARN of a ledger."""
    return qldb_arn(ledger.region, parts.settings.account, f"ledger/{ledger.name}")
