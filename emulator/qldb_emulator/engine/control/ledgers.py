"""Ledgers: create, describe, list, update, delete.

=========================================  ===============================================  ==========
behaviour                                  here                                             source
=========================================  ===============================================  ==========
the answer of CreateLedger                 State CREATING, whatever a Describe says next    recorded
deletion protection                        on unless said otherwise                         documented
no KmsKey, or AWS_OWNED_KMS_KEY            no KmsKeyArn, no EncryptionDescription           recorded
key id or alias                            answered as a full ARN                           documented
a changed key                              UPDATING in the answer of UpdateLedger, then     recorded
                                           ENABLED; back to AWS's own key: then absent
the name of a ledger on its way in or out  ResourceInUse; of an active one: AlreadyExists   inferred
UpdateLedger without members               succeeds, changes nothing                        inferred
DeleteLedger while streams run             ends them                                        inferred
=========================================  ===============================================  ==========
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import INVALID_PARAMETER, LEDGER_EXISTS, LEDGER_PROTECTED, LEDGERS_LIMIT
from ...log.seam import LedgerTaken
from ..arns import kms_key_arn
from ..ledger.facts import LedgerFacts
from .lookup import Members, any_ledger, changeable_ledger, check_not_changing, ledger_arn
from .paging import paginate
from .tags import checked_tags

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts

AWS_OWNED_KEY = "AWS_OWNED_KMS_KEY"


def create_ledger(parts: Parts, members: Members, region: str) -> Members:
    """CreateLedger."""
    name = members["Name"]
    ledgers, limits = parts.ledgers, parts.settings.limits
    tags = checked_tags(parts, {}, members.get("Tags") or {})
    key = _key_arn(parts, members.get("KmsKey"), region)
    with ledgers.lock:
        existing = ledgers.look_up(region, name)
        if existing is not None:
            check_not_changing(existing)
            raise LEDGER_EXISTS(name=name)
        if limits.ledgers_per_region and len(ledgers.in_region(region)) >= limits.ledgers_per_region:
            raise LEDGERS_LIMIT(limit=limits.ledgers_per_region)
        now = parts.clock.now_ms()
        facts = LedgerFacts(
            name=name,
            strand_id=parts.ids.new_id(),
            creation_ms=now,
            active_ms=now + parts.settings.state_delay_ms,
            permissions_mode=members["PermissionsMode"],
            deletion_protection=members.get("DeletionProtection", True),
            kms_key_arn=None if key == AWS_OWNED_KEY else key,
            tags=tags,
        )
        try:
            ledger = ledgers.create(region, facts)
        except LedgerTaken as error:  # another server was faster
            raise LEDGER_EXISTS(name=name) from error
    answer = {
        **_summary(ledger),
        "State": "CREATING",
        "Arn": ledger_arn(parts, ledger),
        "PermissionsMode": ledger.permissions_mode,
        "DeletionProtection": ledger.facts.deletion_protection,
    }
    if ledger.facts.kms_key_arn is not None:
        answer["KmsKeyArn"] = ledger.facts.kms_key_arn
    return answer


def describe_ledger(parts: Parts, members: Members, region: str) -> Members:
    """DescribeLedger."""
    ledger = any_ledger(parts, members["Name"], region)
    return {**_description(parts, ledger), "PermissionsMode": ledger.permissions_mode}


def list_ledgers(parts: Parts, members: Members, region: str) -> Members:
    """ListLedgers: by creation time, then name (inferred)."""
    ledgers = sorted(parts.ledgers.in_region(region), key=_age)
    page, token = paginate("ListLedgers", members, ledgers, _age, scope=region)
    answer: Members = {"Ledgers": [_summary(ledger) for ledger in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def update_ledger(parts: Parts, members: Members, region: str) -> Members:
    """UpdateLedger."""
    ledger = changeable_ledger(parts, members["Name"], region)
    protection = members.get("DeletionProtection")
    key = _key_arn(parts, members.get("KmsKey"), region)
    now = parts.clock.now_ms()
    ready_ms = now + parts.settings.state_delay_ms

    def change(facts: LedgerFacts) -> LedgerFacts:
        if protection is not None:
            facts = replace(facts, deletion_protection=protection)
        return facts if key is None else replace(facts, kms_key_arn=key, key_changed_ms=now, key_ready_ms=ready_ms)

    ledger.change_facts(change)
    answer = _description(parts, ledger)
    if key is not None:
        answer["EncryptionDescription"] = {"KmsKeyArn": key, "EncryptionStatus": "UPDATING"}
    return answer


def update_permissions_mode(parts: Parts, members: Members, region: str) -> Members:
    """UpdateLedgerPermissionsMode.  The next transaction sees it (inferred)."""
    ledger = changeable_ledger(parts, members["Name"], region)
    ledger.change_facts(lambda facts: replace(facts, permissions_mode=members["PermissionsMode"]))
    return {"Name": ledger.name, "Arn": ledger_arn(parts, ledger), "PermissionsMode": ledger.permissions_mode}


def delete_ledger(parts: Parts, members: Members, region: str) -> Members:
    """DeleteLedger."""
    with parts.ledgers.lock:
        ledger = changeable_ledger(parts, members["Name"], region)
        if ledger.facts.deletion_protection:
            raise LEDGER_PROTECTED(name=ledger.name)
        parts.sessions.end_all(ledger)
        parts.streams.end_ledger(ledger)
        delay_ms = parts.settings.state_delay_ms
        if delay_ms:
            now = parts.clock.now_ms()
            ledger.change_facts(lambda facts: replace(facts, deleted_ms=now, gone_ms=now + delay_ms))
        else:
            parts.ledgers.delete(ledger)
    return {}


def _age(ledger: Ledger) -> tuple[int | str, ...]:
    return ledger.facts.creation_ms, ledger.name


def _summary(ledger: Ledger) -> Members:
    return {"Name": ledger.name, "State": ledger.state, "CreationDateTime": ledger.facts.creation_ms}


def _description(parts: Parts, ledger: Ledger) -> Members:
    members = {
        **_summary(ledger),
        "Arn": ledger_arn(parts, ledger),
        "DeletionProtection": ledger.facts.deletion_protection,
    }
    encryption = _encryption(parts, ledger)
    if encryption is not None:
        members["EncryptionDescription"] = encryption
    return members


def _encryption(parts: Parts, ledger: Ledger) -> Members | None:
    facts = ledger.facts
    key = facts.kms_key_arn
    # A clock that was put back to before the change says nothing about it: then it is over.
    is_updating = facts.key_changed_ms <= parts.clock.now_ms() < facts.key_ready_ms
    if key is None or (key == AWS_OWNED_KEY and not is_updating):
        return None
    return {"KmsKeyArn": key, "EncryptionStatus": "UPDATING" if is_updating else "ENABLED"}


def _key_arn(parts: Parts, key: str | None, region: str) -> str | None:
    """Return the ARN of a key as given, or the literal for AWS's own; None when none is given.

    Raises INVALID_PARAMETER.
    """
    if key is None or key == AWS_OWNED_KEY:
        return key
    arn = kms_key_arn(key, region, parts.settings.account)
    if arn is None:
        text = f"The parameter KmsKey is not valid: it must be the ARN, id or alias of a KMS key, or {AWS_OWNED_KEY}"
        raise INVALID_PARAMETER(text=text, parameter="KmsKey")
    return arn
