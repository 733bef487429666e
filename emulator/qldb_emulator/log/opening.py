"""From the address of a log to the log: ``--journal postgresql://...``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import install_command
from .seam import LogError

if TYPE_CHECKING:
    from .postgres import PostgresLogs

SCHEMES = ("postgresql://", "postgres://")


def open_logs(url: str) -> PostgresLogs:
    """The journals at an address.  Raises LogError when there is no such log, or its library is not installed."""
    if not url.startswith(SCHEMES):
        raise LogError(f"A journal's address begins with postgresql://, and {url.partition(':')[0]!r} does not")
    try:
        from .postgres import PostgresLogs
    except ImportError as error:
        raise LogError(f"A journal in PostgreSQL needs psycopg: {install_command('postgres')} ({error})") from error
    return PostgresLogs(url)
