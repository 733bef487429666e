"""Permissions: the action and the resource of every operation, command and statement (documented: Service
Authorization Reference; wire.md 6).

Without a principal (``RequestContext.principal`` is None, without ``--auth``) everything is allowed in both modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...context import Principal, RequestContext
from ..arns import qldb_arn

if TYPE_CHECKING:
    from ...partiql.execution.compiler import Program
    from ...partiql.planning.catalogue import TableInfo

Members = dict[str, Any]

# What follows the account in the ARN; members of the request are filled in.  Operations not named here are about the
# ledger of the request.
_RESOURCES = {
    "ListLedgers": "*",
    "ListJournalS3Exports": "*",
    "StreamJournalToKinesis": "stream/{ledger}/*",
    "ListJournalKinesisStreamsForLedger": "stream/{ledger}/*",
    "DescribeJournalKinesisStream": "stream/{ledger}/{StreamId}",
    "CancelJournalKinesisStream": "stream/{ledger}/{StreamId}",
}


def authorize_operation(operation: str, members: Members, context: RequestContext, account: str) -> None:
    """Raise ACCESS_DENIED unless an operation of the control plane is allowed.  Its action has its name."""
    principal = context.principal
    if principal is None:
        return
    if "ResourceArn" in members:
        resource = str(members["ResourceArn"])
    else:
        ledger = members.get("Name") or members.get("LedgerName") or ""
        template = _RESOURCES.get(operation, "ledger/{ledger}")
        resource = template.format(ledger=ledger, StreamId=members.get("StreamId", ""))
        if resource != "*":
            resource = qldb_arn(context.region, account, resource)
    principal.check(operation, resource, account)


def authorize_command(principal: Principal, ledger_name: str, region: str, account: str) -> None:
    """Raise ACCESS_DENIED unless session commands on a ledger are allowed."""
    principal.check("SendCommand", qldb_arn(region, account, f"ledger/{ledger_name}"), account)


class Permit:
    """What the statements of a transaction may do.

    ledger_arn: of their ledger.  permissions_mode: the ledger's; with ALLOW_ALL, permission for SendCommand is enough.
    """

    def __init__(self, principal: Principal, ledger_arn: str, account: str, permissions_mode: str) -> None:
        self._principal = principal if permissions_mode == "STANDARD" else None
        self._account = account
        self._ledger_arn = ledger_arn

    def check_program(self, program: Program) -> None:
        """Raise ACCESS_DENIED for the first action of a statement that is not allowed."""
        if self._principal is None:
            return
        for action, table in program.actions:
            if action != "PartiQLRedact":  # its table is an argument: see check_redaction
                self._principal.check(action, self._resource(action, table), self._account)

    def check_redaction(self, table_id: str) -> None:
        """Raise ACCESS_DENIED unless revisions of a table may be redacted."""
        if self._principal is not None:
            self._principal.check("PartiQLRedact", f"{self._ledger_arn}/table/{table_id}", self._account)

    def check_tags(self) -> None:
        """Raise ACCESS_DENIED unless a new table may be tagged."""
        if self._principal is not None:
            self._principal.check("TagResource", f"{self._ledger_arn}/table/*", self._account)

    def _resource(self, action: str, table: TableInfo | None) -> str:
        if table is not None:
            return f"{self._ledger_arn}/table/{table.table_id}"
        if action == "PartiQLSelect":
            return f"{self._ledger_arn}/information_schema/user_tables"
        return f"{self._ledger_arn}/table/*"
