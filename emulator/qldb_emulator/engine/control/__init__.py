"""The control plane: one table of operations, each a function of its own.

An operation takes the emulator, the request's members and the request's region, and answers the result's members, all
in the service model's names; the model has checked types, lengths and patterns before.  It raises QldbError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...errors import NOT_SUPPORTED
from . import exports, ledgers, streams, tags, verification
from .common import Members

if TYPE_CHECKING:
    from ..emulator import Emulator

Handler = Callable[["Emulator", Members, str], Members]

OPERATIONS: Mapping[str, Handler] = {
    "CreateLedger": ledgers.create_ledger,
    "DescribeLedger": ledgers.describe_ledger,
    "ListLedgers": ledgers.list_ledgers,
    "UpdateLedger": ledgers.update_ledger,
    "UpdateLedgerPermissionsMode": ledgers.update_permissions_mode,
    "DeleteLedger": ledgers.delete_ledger,
    "GetDigest": verification.digest_of_ledger,
    "GetBlock": verification.block_of_ledger,
    "GetRevision": verification.revision_of_ledger,
    "StreamJournalToKinesis": streams.start_stream,
    "DescribeJournalKinesisStream": streams.describe_stream,
    "ListJournalKinesisStreamsForLedger": streams.list_streams,
    "CancelJournalKinesisStream": streams.cancel_stream,
    "ExportJournalToS3": exports.export_journal,
    "DescribeJournalS3Export": exports.describe_export,
    "ListJournalS3Exports": exports.list_exports,
    "ListJournalS3ExportsForLedger": exports.list_exports_of_ledger,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags,
}


def call_operation(emulator: Emulator, operation: str, members: Members, region: str) -> Members:
    """Run an operation.  Raises QldbError; NOT_SUPPORTED for one that is not in the table."""
    handler = OPERATIONS.get(operation)
    if handler is None:
        raise NOT_SUPPORTED(what=f"The operation {operation}")
    return handler(emulator, members, region)
