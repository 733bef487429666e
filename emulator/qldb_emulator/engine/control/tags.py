"""TagResource, UntagResource and ListTagsForResource.

===========================  ==================================  =====================
behaviour                    here                                source
===========================  ==================================  =====================
a key that is there already  overwritten                         driver test (Terraform)
a key that is not there      removed in silence                  documented
more than 50 tags            InvalidParameter, nothing changed   documented: tagging
a key that begins with aws:  InvalidParameter                    documented: tagging
malformed ARN                InvalidParameter                    inferred
unknown ARN, other account   ResourceNotFound                    inferred
table, dropped               keeps its tags                      inferred
===========================  ==================================  =====================

Tags are facts of their ledger's file: of the ledger and its catalog under a name of their own, of a table or stream
under its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import INVALID_PARAMETER, RESOURCE_NOT_FOUND, TAGS_LIMIT
from ..arns import QldbResource, parse_qldb_arn
from ..ledger.facts import LedgerFacts, Tags
from ..ledger.tags import RESERVED_PREFIX, reserved_keys
from .lookup import Members

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts


def tag_resource(parts: Parts, members: Members, region: str) -> Members:
    """TagResource."""
    ledger, resource = _taggable(parts, members["ResourceArn"], region)

    def add(facts: LedgerFacts) -> LedgerFacts:
        before = facts.tags_of(resource.kind, resource.id)
        return facts.with_tags(resource.kind, resource.id, checked_tags(parts, before, members["Tags"]))

    ledger.change_facts(add)
    return {}


def untag_resource(parts: Parts, members: Members, region: str) -> Members:
    """UntagResource."""
    ledger, resource = _taggable(parts, members["ResourceArn"], region)

    def remove(facts: LedgerFacts) -> LedgerFacts:
        before = facts.tags_of(resource.kind, resource.id)
        rest = {key: value for key, value in before.items() if key not in members["TagKeys"]}
        return facts if rest == before else facts.with_tags(resource.kind, resource.id, rest)

    ledger.change_facts(remove)
    return {}


def list_tags(parts: Parts, members: Members, region: str) -> Members:
    """ListTagsForResource."""
    ledger, resource = _taggable(parts, members["ResourceArn"], region)
    return {"Tags": dict(ledger.facts.tags_of(resource.kind, resource.id))}


def checked_tags(parts: Parts, before: Tags, added: Tags) -> dict[str, str]:
    """Return the tags after adding some.  Raises INVALID_PARAMETER or TAGS_LIMIT."""
    if reserved_keys(added):
        text = f"The parameter Tags is not valid: keys that begin with {RESERVED_PREFIX} are reserved"
        raise INVALID_PARAMETER(text=text, parameter="Tags")
    tags = {**before, **added}
    limit = parts.settings.limits.tags_per_resource
    if len(tags) > limit:
        raise TAGS_LIMIT(limit=limit)
    return tags


def _taggable(parts: Parts, arn: str, region: str) -> tuple[Ledger, QldbResource]:
    """Return the ledger that a resource belongs to, and the resource.

    Raises INVALID_PARAMETER, RESOURCE_NOT_FOUND.
    """
    resource = parse_qldb_arn(arn)
    if resource is None:
        text = "The parameter ResourceArn is not valid: it must be the ARN of a ledger, table, catalog or stream"
        raise INVALID_PARAMETER(text=text, parameter="ResourceArn")
    missing = RESOURCE_NOT_FOUND(type=resource.kind.capitalize(), name=arn, elsewhere="")
    if resource.account != parts.settings.account:
        raise missing
    if resource.region != region:
        where = f": the request is for region {region}"
        raise RESOURCE_NOT_FOUND(type=resource.kind.capitalize(), name=arn, elsewhere=where)
    ledger = parts.ledgers.find(region, resource.ledger)
    if ledger is None or ledger.state == "DELETING":
        raise missing
    if not _is_there(ledger, resource):
        raise missing
    return ledger, resource


def _is_there(ledger: Ledger, resource: QldbResource) -> bool:
    match resource.kind:
        case "table":
            return ledger.catalogue.by_id(resource.id) is not None
        case "stream":
            return resource.id in ledger.facts.streams
        case _:
            return True
