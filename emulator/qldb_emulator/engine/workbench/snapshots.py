"""Snapshots and forks: a ledger is a file, so a copy of the file is the ledger at that moment.  All of this is ours.

========================  =====================================================================================
operation                 effect
========================  =====================================================================================
take                      keep the ledger as it is now, under a name
restore                   make the ledger what the snapshot is; its sessions end; a deleted ledger exists again
fork                      create a ledger as a copy of another one or of a snapshot: same strand, same journal so
                          far; not protected from deletion, without the other's streams and exports
reset                     delete ledgers, even protected ones; a deterministic emulator starts again from its seed
========================  =====================================================================================

A snapshot holds everything that the ledger held, even what was redacted in the ledger since.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...clock import Clock, ManualClock
from ...errors import ADMIN_NOT_FOUND, ADMIN_REQUEST, LEDGER_EXISTS
from ...ids import IdSource, RandomIds
from ...storage.errors import StorageError
from ...storage.ledger_file import LedgerFile
from ..control.lookup import any_ledger
from ..ledger.facts import LedgerFacts
from .determinism import START_MS

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts

Members = dict[str, Any]
Summary = dict[str, Any]


@contextmanager
def _as_answers() -> Iterator[None]:
    """Turn errors of files into answers to the request."""
    try:
        yield
    except StorageError as error:
        raise ADMIN_REQUEST(text=str(error)) from error


@contextmanager
def opened_snapshot(parts: Parts, region: str, ledger: str, snapshot: str) -> Iterator[LedgerFile]:
    """Yield a snapshot's file.  Raises ADMIN_NOT_FOUND, which names the existing snapshots."""
    with _as_answers():
        directory = parts.directory
        if not directory.has_snapshot(region, ledger, snapshot):
            names = [name for owner, name in directory.snapshots(region) if owner == ledger]
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise ADMIN_NOT_FOUND(text=f"The ledger {ledger} has no snapshot {snapshot}: {known}")
        with directory.open_snapshot(region, ledger, snapshot) as file:
            yield file


def take_snapshot(parts: Parts, region: str, ledger: str, snapshot: str) -> Summary:
    """Keep the ledger as it is now.  Raises ADMIN_REQUEST if a snapshot of this name exists."""
    source = any_ledger(parts, ledger, region)
    with _as_answers():
        if parts.directory.snapshot_path(region, ledger, snapshot).exists():
            raise ADMIN_REQUEST(text=f"The ledger {ledger} has a snapshot {snapshot} already; delete it first")
        source.make_durable()
        parts.directory.take_snapshot(source.file, region, ledger, snapshot)
    return _summary(parts, region, ledger, snapshot)


def list_snapshots(parts: Parts, region: str, ledger: str | None = None) -> list[Summary]:
    """Return the snapshots of a region or of one ledger, by ledger and name."""
    with _as_answers():
        found = parts.directory.snapshots(region)
    return [_summary(parts, region, owner, name) for owner, name in found if ledger in (None, owner)]


def delete_snapshot(parts: Parts, region: str, ledger: str, snapshot: str) -> Summary:
    """Delete a snapshot.  Raises ADMIN_NOT_FOUND."""
    summary = _summary(parts, region, ledger, snapshot)
    with _as_answers():
        parts.directory.delete_snapshot(region, ledger, snapshot)
    return summary


def restore_snapshot(parts: Parts, region: str, ledger: str, snapshot: str) -> Members:
    """Make the ledger what the snapshot is.  Raises ADMIN_NOT_FOUND."""
    with opened_snapshot(parts, region, ledger, snapshot) as file, parts.ledgers.lock:
        current = parts.ledgers.find(region, ledger)
        if current is None:
            return describe(parts.ledgers.fork(file, region, ledger, lambda facts: replace(facts, gone_ms=None)))
        parts.sessions.end_all(current)
        return describe(parts.ledgers.restore(current, file))


def fork_ledger(
    parts: Parts,
    region: str,
    ledger: str,
    name: str,
    snapshot: str | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
) -> Ledger:
    """Create a ledger that begins as another is now, or as a snapshot of it.  clock, ids: the new ledger's own.

    Raises LEDGER_EXISTS, LEDGER_NOT_FOUND, ADMIN_NOT_FOUND.
    """
    now = parts.clock.now_ms()

    def change(facts: LedgerFacts) -> LedgerFacts:
        # active_ms 0: ACTIVE at once, by any clock.
        return replace(facts, creation_ms=now, active_ms=0, gone_ms=None, deletion_protection=False)

    with parts.ledgers.lock:
        if parts.ledgers.find(region, name) is not None:
            raise LEDGER_EXISTS(name=name)
        if snapshot is not None:
            with opened_snapshot(parts, region, ledger, snapshot) as file:
                return parts.ledgers.fork(file, region, name, change, clock, ids)
        source = any_ledger(parts, ledger, region)
        with _as_answers():
            return parts.ledgers.fork(source.file, region, name, change, clock, ids)


def reset_ledgers(parts: Parts, region: str | None = None, ledger: str | None = None) -> list[str]:
    """Delete every ledger, those of a region, or one; return their names.  Raises LEDGER_NOT_FOUND for the one.

    Sessions end; snapshots stay.
    """
    ledgers = parts.ledgers
    with ledgers.lock:
        if ledger is not None:
            doomed = [any_ledger(parts, ledger, region or parts.settings.region)]
        else:
            regions = [region] if region is not None else ledgers.regions()
            doomed = [found for place in regions for found in ledgers.in_region(place)]
        for found in doomed:
            parts.sessions.end_all(found)
            with _as_answers():
                ledgers.delete(found)
        if ledger is None and region is None:
            _begin_anew(parts)
    return [found.name for found in doomed]


def _begin_anew(parts: Parts) -> None:
    seed = parts.settings.deterministic_seed
    if seed is not None and isinstance(parts.ids, RandomIds) and isinstance(parts.clock, ManualClock):
        parts.ids.reseed(seed)
        parts.clock.set(START_MS)


def describe(ledger: Ledger) -> Members:
    """Return a ledger in a few members."""
    tip = ledger.tip()
    return {
        "name": ledger.name,
        "region": ledger.region,
        "state": ledger.state,
        "strandId": tip.strand_id,
        "blocks": tip.sequence_no + 1,
        "tables": [table.name for table in ledger.catalogue.tables if table.status == "ACTIVE"],
    }


def _summary(parts: Parts, region: str, ledger: str, snapshot: str) -> Summary:
    with opened_snapshot(parts, region, ledger, snapshot) as file:
        tip = file.tip()
        size = file.path.stat().st_size
    return {
        "ledger": ledger,
        "name": snapshot,
        "blocks": tip.sequence_no + 1 if tip is not None else 0,
        "lastBlockMs": tip.timestamp_ms if tip is not None else None,
        "bytes": size,
    }
