"""From the address of a log to the log: ``--journal postgresql://...``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import install_command
from .seam import LogError

if TYPE_CHECKING:
    from .postgres import PostgresLogs

SCHEMES = ("postgresql://", "postgres://")
S3_SCHEME = "s3://"
NO_S3 = (
    "A journal in S3 is not supported (docs/cluster.md says why). Use postgresql://...; exports and archives go to S3 "
    "all the same"
)


def open_logs(url: str) -> PostgresLogs:
    """The journals at an address.  Raises LogError when there is no such log, or its library is not installed."""
    if url.startswith(S3_SCHEME):
        raise LogError(NO_S3)
    if not url.startswith(SCHEMES):
        raise LogError(f"A journal's address begins with postgresql://, and {url.partition(':')[0]!r} does not")
    try:
        from .postgres import PostgresLogs
    except ImportError as error:
        raise LogError(f"A journal in PostgreSQL needs psycopg: {install_command('postgres')} ({error})") from error
    return PostgresLogs(url)
