"""The settings of one emulator: plain data.  Only ``cli`` reads the environment."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Literal

from .limits import STRICT, Limits
from .records import dataclass

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7532  # QLDB on a phone's keys
DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT = "123456789012"
DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
DEFAULT_STATEMENT_LOG = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one emulator.

    data_dir: where ledgers are kept; None for a temporary directory that is removed at the end.
    is_ephemeral: nothing needs to survive, so nothing is synced to disk.
    region: for requests that name none.  account: twelve digits, for ARNs.
    state_delay_ms: how long a ledger is CREATING, DELETING, and its key UPDATING; 0: not at all.
    cache_bytes: the most memory of each of a ledger's two caches, that of decoded documents and that of whole
      tables; a decoded document is estimated as MEMORY_PER_BYTE times its Ion binary (see engine.documents).
    console: whether a browser gets pages: "on"; "read-only", where neither they nor the JSON interface below /_qldb
      change anything; or "off".
    has_admin: whether the admin interface under /_qldb answers.
    deterministic_seed: when given, ids, tokens and time follow from it and from the order of the requests.
    statement_log: how many recent statements are kept in memory for the admin interface; 0 for none.
    shows_plans: whether the answer to every ExecuteStatement has its plan and what it read, as a header.
    s3_endpoint, kinesis_endpoint: URLs that exports and streams are written to; None for what boto3 itself finds.
    journal: the address of a log that servers share, in which the journals are; None for the ledgers' own files.
    stream_file: a file that gets the journal records of every ledger, as JSON; None for none.
    """

    data_dir: Path | None = None
    is_ephemeral: bool = False
    region: str = DEFAULT_REGION
    account: str = DEFAULT_ACCOUNT
    limits: Limits = field(default=STRICT)
    cache_bytes: int = DEFAULT_CACHE_BYTES
    console: Literal["on", "read-only", "off"] = "on"
    has_admin: bool = False
    deterministic_seed: str | None = None
    statement_log: int = DEFAULT_STATEMENT_LOG
    shows_plans: bool = False
    s3_endpoint: str | None = None
    kinesis_endpoint: str | None = None
    stream_file: Path | None = None
    journal: str | None = None
    state_delay_ms: int = 0
