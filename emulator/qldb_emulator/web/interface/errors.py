"""Errors in the form of this interface: the class and text of QLDB, the position in the statement, and an HTTP status
that says what kind of failure it is (QLDB's own API answers 400 to nearly all)."""

from __future__ import annotations

from typing import Any

from ...errors import QldbError
from ...partiql.language.errors import PartiqlError
from ...wire.errors import error_status

STATUSES = {
    "OccConflictException": 409,
    "ResourceAlreadyExistsException": 409,
    "ResourceInUseException": 409,
    "ResourcePreconditionNotMetException": 412,
    "ResourceNotFoundException": 404,
    "AccessDeniedException": 403,
    "LimitExceededException": 429,
    "RateExceededException": 429,
}
"""Statuses that differ from those of the AWS APIs."""

NO_LEDGER_TEXT = "The Ledger with name "


def status_of(error: QldbError) -> int:
    """Return the HTTP status of an error here."""
    if (
        error.shape == "BadRequestException"
        and error.message.startswith(NO_LEDGER_TEXT)
        and "not found" in error.message
    ):
        return 404  # StartSession raises a BadRequest for it (driver tests)
    status = STATUSES.get(error.shape)
    if status is None:
        status = error_status(error.shape, "qldb") or error_status(error.shape, "qldb-session")
    return status or 500


def error_members(error: QldbError) -> dict[str, Any]:
    """Return the body of an error, as everywhere below /_qldb; with ``line`` and ``column`` if they are known."""
    members = {"__type": error.shape, "Message": error.message, **error.members}
    if isinstance(error.__cause__, PartiqlError):
        members |= {"line": error.__cause__.pos.line, "column": error.__cause__.pos.column}
    if error.debug:
        members["debug"] = dict(error.debug)
    return {name: value for name, value in members.items() if value is not None}
