"""ARNs: the four kinds of resources that can have tags, and the forms of ARNs of other services.

========  ====================================================================  ==========
resource  after ``arn:<partition>:qldb:<region>:<account>:``                    source
========  ====================================================================  ==========
ledger    ``ledger/<name>``                                                     documented
table     ``ledger/<name>/table/<table id>``                                    documented
catalog   ``ledger/<name>/information_schema/user_tables``                      documented
stream    ``stream/<name>/<stream id>``                                         documented
========  ====================================================================  ==========
"""

from __future__ import annotations

import re
from typing import Literal

from ..records import dataclass

Kind = Literal["ledger", "table", "catalog", "stream"]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]{0,20}):(?P<service>[a-z0-9-]{1,32}):(?P<region>[a-z0-9-]{0,32})"
    r":(?P<account>[0-9]{12}):(?P<resource>[^\s]{1,1400})",
    re.ASCII,
)
_NAME = r"(?P<ledger>[A-Za-z0-9-]{1,32})"
_RESOURCES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("ledger", re.compile(rf"ledger/{_NAME}")),
    ("table", re.compile(rf"ledger/{_NAME}/table/(?P<id>[A-Za-z0-9]{{22}})")),
    ("catalog", re.compile(rf"ledger/{_NAME}/information_schema/user_tables")),
    ("stream", re.compile(rf"stream/{_NAME}/(?P<id>[A-Za-z0-9]{{22}})")),
)
_KEY_RESOURCE = re.compile(r"(key/[A-Za-z0-9-]{1,128}|alias/[A-Za-z0-9:/_-]{1,250})", re.ASCII)
_KINESIS_RESOURCE = re.compile(r"stream/[A-Za-z0-9_.-]{1,128}", re.ASCII)
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII)
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


@dataclass(frozen=True, slots=True)
class Arn:
    """A well-formed ARN of any service.  resource: what stands after the account."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


@dataclass(frozen=True, slots=True)
class QldbResource:
    """What a QLDB ARN names.  id: of the table or stream; empty for a ledger or its catalog."""

    kind: Kind
    region: str
    account: str
    ledger: str
    id: str


def qldb_arn(region: str, account: str, resource: str) -> str:
    """Return the ARN of a resource of QLDB, such as ``ledger/cars``."""
    return f"arn:{partition_of(region)}:qldb:{region}:{account}:{resource}"


def partition_of(region: str) -> str:
    """Return the partition a region is in, by its name."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def parse_arn(text: str) -> Arn | None:
    """Return the parts of an ARN; None when it is not well-formed."""
    match = _ARN.fullmatch(text)
    return None if match is None else Arn(**match.groupdict())


def parse_qldb_arn(text: str) -> QldbResource | None:
    """Return what an ARN names; None when it is not well-formed or of another service."""
    arn = parse_arn(text)
    if arn is None or arn.service != "qldb" or not arn.region:
        return None
    for kind, pattern in _RESOURCES:
        match = pattern.fullmatch(arn.resource)
        if match is not None:
            return QldbResource(kind, arn.region, arn.account, match["ledger"], match.groupdict().get("id", ""))
    return None


def kms_key_arn(key: str, region: str, account: str) -> str | None:
    """The full ARN of a key given by ARN, id or alias (documented: encryption at rest); None for anything else."""
    arn = parse_arn(key)
    if arn is not None:
        return key if arn.service == "kms" and arn.region and _KEY_RESOURCE.fullmatch(arn.resource) else None
    if _KEY_RESOURCE.fullmatch(key):
        return f"arn:{partition_of(region)}:kms:{region}:{account}:{key}"
    if _KEY_ID.fullmatch(key):
        return f"arn:{partition_of(region)}:kms:{region}:{account}:key/{key}"
    return None


def is_role_arn(text: str) -> bool:
    """Whether a text is the ARN of an IAM role."""
    arn = parse_arn(text)
    return arn is not None and arn.service == "iam" and arn.region == "" and arn.resource.startswith("role/")


def is_kinesis_arn(text: str) -> bool:
    """Whether a text is the ARN of a Kinesis data stream."""
    arn = parse_arn(text)
    return (
        arn is not None
        and arn.service == "kinesis"
        and arn.region != ""
        and _KINESIS_RESOURCE.fullmatch(arn.resource) is not None
    )
