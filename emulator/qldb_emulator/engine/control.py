"""The control plane: operations on ledgers as a whole.

Each operation takes the request's members and answers the result's, in the service model's names; the model has
checked types, lengths and patterns before.  Not yet offered: see NOT_OFFERED, which answers by name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import (
    INVALID_PARAMETER,
    LEDGER_EXISTS,
    LEDGER_NOT_FOUND,
    LEDGER_PROTECTED,
    LEDGERS_LIMIT,
    NOT_SUPPORTED,
)
from .ledgers import Ledger
from .proofs import get_block, get_digest, get_revision

if TYPE_CHECKING:
    from .emulator import Emulator

Members = dict[str, Any]
AWS_OWNED_KEY = "AWS_OWNED_KMS_KEY"
PAGE_SIZE_DEFAULT = 100  # the model's maximum; what the service took without MaxResults is not known (inferred)

NOT_OFFERED = (
    "ExportJournalToS3",
    "DescribeJournalS3Export",
    "ListJournalS3Exports",
    "ListJournalS3ExportsForLedger",
    "StreamJournalToKinesis",
    "DescribeJournalKinesisStream",
    "ListJournalKinesisStreamsForLedger",
    "CancelJournalKinesisStream",
    "UpdateLedgerPermissionsMode",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
)


class ControlPlane:
    """The operations of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.operations: dict[str, Callable[[Members, str], Members]] = {
            "CreateLedger": self._create_ledger,
            "DescribeLedger": self._describe_ledger,
            "ListLedgers": self._list_ledgers,
            "UpdateLedger": self._update_ledger,
            "DeleteLedger": self._delete_ledger,
            "GetDigest": self._get_digest,
            "GetBlock": self._get_block,
            "GetRevision": self._get_revision,
        }

    def call(self, operation: str, members: Members, region: str) -> Members:
        """Run an operation.  Raises QldbError; NOT_SUPPORTED for one of NOT_OFFERED."""
        handler = self.operations.get(operation)
        if handler is None:
            raise NOT_SUPPORTED(what=f"The operation {operation}")
        return handler(members, region)

    # --- ledgers -----------------------------------------------------------------------------------------

    def _ledger(self, name: str, region: str) -> Ledger:
        ledger = self._emulator.ledgers.find(region, name)
        if ledger is None:
            raise LEDGER_NOT_FOUND(name=name, elsewhere=self._emulator.ledgers.elsewhere(region, name))
        return ledger

    def _arn(self, ledger: Ledger) -> str:
        return f"arn:aws:qldb:{ledger.region}:{self._emulator.settings.account}:ledger/{ledger.name}"

    def _summary(self, ledger: Ledger) -> Members:
        return {
            "Name": ledger.name,
            "State": ledger.state,
            "CreationDateTime": ledger.facts["creation_ms"],
        }

    def _description(self, ledger: Ledger) -> Members:
        members = {
            **self._summary(ledger),
            "Arn": self._arn(ledger),
            "DeletionProtection": ledger.facts["deletion_protection"],
        }
        key = ledger.facts.get("kms_key_arn")
        if key is not None:
            members["EncryptionDescription"] = {"KmsKeyArn": key, "EncryptionStatus": "ENABLED"}
        return members

    def _key_arn(self, key: str, region: str) -> str:
        """The full ARN of a key given by ARN, id or alias (documented: encryption at rest)."""
        if key == AWS_OWNED_KEY or key.startswith("arn:"):
            return key
        name = key if key.startswith("alias/") else f"key/{key}"
        return f"arn:aws:kms:{region}:{self._emulator.settings.account}:{name}"

    def _create_ledger(self, members: Members, region: str) -> Members:
        name = members["Name"]
        ledgers = self._emulator.ledgers
        limits = self._emulator.settings.limits
        tags = members.get("Tags") or {}
        if len(tags) > limits.tags_per_resource:
            text = f"A resource must not have more than {limits.tags_per_resource} tags"
            raise INVALID_PARAMETER(text=text, parameter="Tags")
        key = members.get("KmsKey")
        with ledgers.lock:
            if ledgers.find(region, name) is not None:
                raise LEDGER_EXISTS(name=name)
            if limits.ledgers_per_region and len(ledgers.names(region)) >= limits.ledgers_per_region:
                raise LEDGERS_LIMIT(limit=limits.ledgers_per_region)
            ledger = ledgers.create(
                region,
                name,
                {
                    "strand_id": self._emulator.ids.new_id(),
                    "state": "ACTIVE",
                    "creation_ms": self._emulator.clock.now_ms(),
                    "permissions_mode": members["PermissionsMode"],
                    "deletion_protection": members.get("DeletionProtection", True),
                    "kms_key_arn": None if key in (None, AWS_OWNED_KEY) else self._key_arn(key, region),
                    "tags": {key: value or "" for key, value in tags.items()},
                },
            )
        answer = {
            **self._summary(ledger),
            "State": "CREATING",  # recorded: the answer says so, and every client polls DescribeLedger
            "Arn": self._arn(ledger),
            "PermissionsMode": ledger.permissions_mode,
            "DeletionProtection": ledger.facts["deletion_protection"],
        }
        if ledger.facts["kms_key_arn"] is not None:
            answer["KmsKeyArn"] = ledger.facts["kms_key_arn"]
        return answer

    def _describe_ledger(self, members: Members, region: str) -> Members:
        ledger = self._ledger(members["Name"], region)
        return {**self._description(ledger), "PermissionsMode": ledger.permissions_mode}

    def _list_ledgers(self, members: Members, region: str) -> Members:
        found = (self._emulator.ledgers.find(region, name) for name in self._emulator.ledgers.names(region))
        ledgers = sorted((x for x in found if x is not None), key=lambda x: (x.facts["creation_ms"], x.name))
        page, token = paginate(
            [(f"{x.facts['creation_ms']:020d}/{x.name}", x) for x in ledgers], members, f"ListLedgers/{region}"
        )
        answer: Members = {"Ledgers": [self._summary(ledger) for ledger in page]}
        if token is not None:
            answer["NextToken"] = token
        return answer

    def _update_ledger(self, members: Members, region: str) -> Members:
        ledger = self._ledger(members["Name"], region)
        facts: Members = {}
        if members.get("DeletionProtection") is not None:
            facts["deletion_protection"] = members["DeletionProtection"]
        if members.get("KmsKey") is not None:
            facts["kms_key_arn"] = self._key_arn(members["KmsKey"], region)
        if facts:
            ledger.set_facts(**facts)
        answer = self._description(ledger)
        if "kms_key_arn" in facts:
            answer["EncryptionDescription"]["EncryptionStatus"] = "UPDATING"
        return answer

    def _delete_ledger(self, members: Members, region: str) -> Members:
        with self._emulator.ledgers.lock:
            ledger = self._ledger(members["Name"], region)
            if ledger.facts["deletion_protection"]:
                raise LEDGER_PROTECTED(name=ledger.name)
            self._emulator.sessions.end_all(ledger)
            self._emulator.ledgers.delete(ledger)
        return {}

    # --- verification ------------------------------------------------------------------------------------

    def _get_digest(self, members: Members, region: str) -> Members:
        return get_digest(self._ledger(members["Name"], region))

    def _get_block(self, members: Members, region: str) -> Members:
        ledger = self._ledger(members["Name"], region)
        return get_block(ledger, members["BlockAddress"], members.get("DigestTipAddress"))

    def _get_revision(self, members: Members, region: str) -> Members:
        ledger = self._ledger(members["Name"], region)
        return get_revision(ledger, members["BlockAddress"], members["DocumentId"], members.get("DigestTipAddress"))


def paginate(items: list[tuple[str, Any]], members: Members, scope: str) -> tuple[list[Any], str | None]:
    """One page of items sorted by their key, and the token of the next.

    items: (key, item).  A token names the last key given and the scope it was made for; it stays good when items come
    and go.  Raises INVALID_PARAMETER for a token of another operation, region or ledger.
    """
    after = ""
    token = members.get("NextToken")
    if token is not None:
        after = _token_key(token, scope)
    size = members.get("MaxResults") or PAGE_SIZE_DEFAULT
    rest = [(key, item) for key, item in items if key > after]
    page = rest[:size]
    if len(rest) <= size:
        return [item for _, item in page], None
    following = json.dumps([scope, page[-1][0]], separators=(",", ":"))
    return [item for _, item in page], base64.b64encode(following.encode()).decode("ascii")


def _token_key(token: str, scope: str) -> str:
    try:
        made_for, key = json.loads(base64.b64decode(token, validate=True))
    except ValueError:
        made_for, key = None, ""
    if made_for != scope or not isinstance(key, str):
        raise INVALID_PARAMETER(text="The provided NextToken is not valid.", parameter="NextToken")
    return key
