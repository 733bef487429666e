"""The control plane: a table of its operations, who may call them, and the answer when a file fails.

An operation takes the parts of an emulator, the request's members and the request's region.  It returns the result's
members, all under the service model's names; the model has checked types, lengths and patterns before.  It raises
QldbError.  The session API is the other service: see ``session.sessions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..context import RequestContext
from ..errors import LEDGER_NOT_FOUND, NOT_SUPPORTED
from ..storage.errors import StorageError
from .control import exports, ledgers, streams, tags, verification
from .ledger.register import storage_problem
from .parts import Parts
from .session.permissions import authorize_operation

Members = dict[str, Any]
Operation = Callable[[Parts, Members, str], Members]

OPERATIONS: Mapping[str, Operation] = {
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


def call_operation(parts: Parts, operation: str, members: Members, context: RequestContext) -> Members:
    """Authorise and run an operation.  Raises QldbError; NOT_SUPPORTED if the table does not have it."""
    authorize_operation(operation, members, context, parts.settings.account)
    run = OPERATIONS.get(operation)
    if run is None:
        raise NOT_SUPPORTED(what=f"The operation {operation}")
    try:
        return run(parts, members, context.region)
    except StorageError as error:
        name = members.get("Name", "")
        if parts.ledgers.find(context.region, name) is None:  # the ledger was deleted during the request
            raise LEDGER_NOT_FOUND(name=name, elsewhere="") from error
        raise storage_problem(name, error) from error
