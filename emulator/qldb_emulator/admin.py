"""Talk to a running emulator's admin interface, from a test or a tool::

    admin = Admin("http://127.0.0.1:7532")
    admin.add_fault("occ", ledger="cars", count=2)      # the next two commits on cars conflict
    with admin.fault("latency", latency_ms=200): ...    # only inside the block

The server must answer the admin interface (``serve --admin``).  Only the standard library is needed.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

PREFIX = "/_qldb"
TIMEOUT_SECONDS = 30
"""How long an answer is waited for (ours)."""

WHOLE_LEDGER_SECONDS = 600
"""The same, where the server copies or compares whole ledgers (ours): 1,000,000 blocks, 2 GB, take it half a minute."""


class AdminError(Exception):
    """The server refused an admin request, or could not be reached.  The text says why."""


class Admin:
    """The admin interface of one server.

    url: where the server listens, as its last log line says.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Send one admin request and return its answer.  path: below ``/_qldb``.  Raises AdminError.

        seconds: how long the answer is waited for.
        """
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(
                self.url + PREFIX + path, data, {"Content-Type": "application/json"}, method=method
            )
            with urllib.request.urlopen(request, timeout=seconds) as reply:
                answer: dict[str, Any] = json.load(reply)
                return answer
        except urllib.error.HTTPError as error:
            raise AdminError(_reason(error)) from error
        except TimeoutError as error:  # not while connecting: that is an URLError
            late = f"The server at {self.url} has not answered within {seconds:g} s; it may still be at work"
            raise AdminError(late) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            text = getattr(reason, "strerror", None) or reason
            raise AdminError(f"No emulator answers at {self.url}: {text}") from error

    # --- faults ------------------------------------------------------------------------------------------

    def add_fault(
        self,
        kind: str,
        *,
        commands: Sequence[str] = (),
        ledger: str | None = None,
        table: str | None = None,
        statement: str | None = None,
        count: int | None = None,
        probability: float = 1.0,
        latency_ms: int = 0,
        seed: str | None = None,
    ) -> dict[str, Any]:
        """Add a fault rule and return its description, ``id`` among it.

        kind: occ, transaction-expired, invalid-session, capacity-exceeded, rate-exceeded, limit-exceeded,
        internal-failure, service-unavailable, latency, drop-before or drop-after.  commands: which session commands;
        the usual ones of the kind otherwise.  statement: a regular expression.  count: how often; None for always.
        """
        return self.request(
            "POST",
            "/faults",
            {
                "kind": kind,
                "commands": list(commands),
                "ledger": ledger,
                "table": table,
                "statement": statement,
                "count": count,
                "probability": probability,
                "latency_ms": latency_ms,
                "seed": seed,
            },
        )

    def faults(self) -> list[dict[str, Any]]:
        """Return every fault rule, with how often it matched and struck."""
        rules: list[dict[str, Any]] = self.request("GET", "/faults")["faults"]
        return rules

    def clear_faults(self, fault_id: str | None = None) -> int:
        """Remove one fault rule, or all; return how many."""
        path = "/faults" if fault_id is None else f"/faults/{quote(fault_id, safe='')}"
        return int(self.request("DELETE", path)["cleared"])

    @contextmanager
    def fault(self, kind: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Add a fault rule for the length of the block; options as add_fault takes them."""
        rule = self.add_fault(kind, **options)
        try:
            yield rule
        finally:
            self.clear_faults(rule["id"])

    # --- ledgers as a whole ------------------------------------------------------------------------------
    # region: None for the server's own.

    def take_snapshot(self, ledger: str, name: str, region: str | None = None) -> dict[str, Any]:
        """Keep a ledger as it is now under a name."""
        return self.request(
            "POST", _path("ledgers", ledger, "snapshots", region=region), {"name": name}, WHOLE_LEDGER_SECONDS
        )

    def snapshots(self, ledger: str | None = None, region: str | None = None) -> list[dict[str, Any]]:
        """Return the snapshots of a region, or of one ledger."""
        rows: list[dict[str, Any]] = self.request("GET", _path("snapshots", ledger=ledger, region=region))["snapshots"]
        return rows

    def restore_snapshot(self, ledger: str, name: str, region: str | None = None) -> dict[str, Any]:
        """Make a ledger what a snapshot of it is.  Its sessions end."""
        return self.request(
            "POST", _path("ledgers", ledger, "snapshots", name, "restore", region=region), seconds=WHOLE_LEDGER_SECONDS
        )

    def delete_snapshot(self, ledger: str, name: str, region: str | None = None) -> dict[str, Any]:
        """Forget a snapshot."""
        return self.request("DELETE", _path("ledgers", ledger, "snapshots", name, region=region))

    def fork(self, ledger: str, name: str, snapshot: str | None = None, region: str | None = None) -> dict[str, Any]:
        """Create a ledger that begins as another is now, or as a snapshot of it."""
        body = {"name": name} if snapshot is None else {"name": name, "snapshot": snapshot}
        return self.request("POST", _path("ledgers", ledger, "fork", region=region), body, WHOLE_LEDGER_SECONDS)

    def diff(self, ledger: str, before: str, after: str = "now", region: str | None = None) -> dict[str, Any]:
        """Return what changed between two states, each a snapshot's name, a block's sequence number, or ``now``."""
        query = {"from": before, "to": after, "region": region}
        return self.request("GET", _path("ledgers", ledger, "diff", **query), seconds=WHOLE_LEDGER_SECONDS)

    def reset(self, ledger: str | None = None, seed: bool = False, region: str | None = None) -> dict[str, Any]:
        """Delete every ledger, or one; seed: run the server's init files again."""
        body: dict[str, Any] = {"seed": seed}
        if ledger is not None:
            body["ledger"] = ledger
        return self.request("POST", _path("reset", region=region), body, WHOLE_LEDGER_SECONDS)

    def statements(self, after: int = 0, ledger: str | None = None) -> list[dict[str, Any]]:
        """Return recent statements with parameters, plan and time.  after: only those with a greater number."""
        rows: list[dict[str, Any]] = self.request("GET", _path("requests", after=str(after), ledger=ledger))[
            "statements"
        ]
        return rows


def _path(*parts: str, **query: str | None) -> str:
    path = "".join(f"/{quote(part, safe='')}" for part in parts)
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items() if value is not None)
    return f"{path}?{text}" if text else path


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["Message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answered {error.code} {error.reason}: is this a qldb-emulator?"
