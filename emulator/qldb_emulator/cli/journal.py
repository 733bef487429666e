"""``qldb-emulator journal``: journals in a database that servers share: status, rebuilding a cache, moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .connection import json_option, show
from .failure import Failure

if TYPE_CHECKING:
    from ..log.postgres import PostgresLogs
    from ..log.seam import BlockRow
    from ..storage.directory import DataDirectory
    from ..storage.ledger_file import LedgerFile

_BATCH = 256
"""Blocks that are read at once when a journal is moved."""

journal_option = click.option(
    "--journal",
    "url",
    metavar="URL",
    required=True,
    envvar="QLDB_EMULATOR_JOURNAL",
    help="The database that servers share: postgresql://...",
)


@click.group()
def journal() -> None:
    """Journals in a PostgreSQL database that several servers share (serve --journal).  See docs/cluster.md."""


@contextmanager
def _open(url: str) -> Iterator[PostgresLogs]:
    """The journals at an address.  What goes wrong with them is a Failure."""
    from ..log.opening import open_logs
    from ..storage.errors import StorageError

    try:
        logs = open_logs(url)
        try:
            yield logs
        finally:
            logs.close()
    except StorageError as error:
        raise Failure(str(error)) from error


@journal.command()
@journal_option
@json_option
def status(url: str, as_json: bool) -> None:
    """Show servers, ledgers, their owners, and whether the database keeps what it acknowledges."""
    from ..log.postgres_checks import examine

    with _open(url) as logs:
        peers = logs.servers.peers()
        ledgers = sorted(logs.servers.ledgers())
        findings = examine(logs.connections)
    alive = {peer.server_id for peer in peers.values() if peer.is_alive}
    rows = {
        "servers": [{"id": p.server_id, "url": p.url, "alive": p.is_alive} for p in sorted(peers.values())],
        "ledgers": [
            {
                "region": known.region,
                "name": known.name,
                "strandId": known.ledger_id,
                "blocks": known.sequence_no + 1,
                "owner": known.owner if known.owner in alive else None,
            }
            for known in ledgers
        ],
        "checks": [finding._asdict() for finding in findings],
    }
    show(rows, as_json, _status_text(rows))


def _status_text(rows: dict[str, Any]) -> str:
    urls = {row["id"]: row["url"] for row in rows["servers"]}
    lines = [f"server {r['id']}  {r['url']}  {'alive' if r['alive'] else 'gone'}" for r in rows["servers"]]
    for row in rows["ledgers"]:
        owner = f"owned by {urls[row['owner']]}" if row["owner"] else "without owner"
        lines.append(f"ledger {row['name']}  {row['region']}  {row['blocks']} blocks, {owner}")
    for finding in rows["checks"]:
        lines.append(f"{finding['state']:<4}  {finding['check']}: {finding['text']}")
        if finding["remedy"]:
            lines.append(f"      remedy: {finding['remedy']}")
    return "\n".join(lines)


@journal.command()
@click.argument("ledger")
@journal_option
@options.data_dir
@options.region
@click.option(
    "--snapshot",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with this copy of another server's file of the ledger; only what came after it is read from the log.",
)
def rebuild(ledger: str, url: str, data_dir: Path | None, region: str, snapshot: Path | None) -> None:
    """Rebuild a server's file of LEDGER from the log.  The server must be stopped.

    The file is a cache.  A server does the same by itself when the file is not there, with the first request for the
    ledger; for a long journal it is better done before.
    """
    from ..engine.emulator import Emulator
    from ..errors import QldbError
    from ..settings import Settings
    from ..storage.errors import StorageError

    directory = options.directory_of(data_dir)
    with _open(url) as logs:
        facts = logs.facts_of(region, ledger)
        if facts is None:
            raise Failure(f"There is no ledger {ledger} in region {region} in this log")
    try:
        _replace_cache(directory, region, ledger, facts["strand_id"], snapshot)
        with Emulator(Settings(data_dir=directory, journal=url)) as emulator:
            found = emulator.ledgers.find(region, ledger)
            assert found is not None
            blocks = found.last_sequence_no + 1
    except (StorageError, OSError) as error:
        raise Failure(str(error)) from error
    except QldbError as error:
        raise Failure(error.message) from error
    click.echo(f"rebuilt {ledger}: {blocks} blocks")


def _replace_cache(directory: Path, region: str, name: str, strand_id: str, snapshot: Path | None) -> None:
    """Remove a ledger's cache, and put a copy in its place.  Raises StorageError, OSError, Failure."""
    from ..engine.ledger.register import IS_CACHE, OWN_JOURNAL
    from ..storage.directory import DataDirectory
    from ..storage.ledger_file import LedgerFile

    with DataDirectory(directory, "cache") as data:
        path = data.path(region, name)
        if snapshot is not None:
            with LedgerFile.open(snapshot, "cache") as copy:
                if copy.meta("strand_id") != strand_id or not copy.meta(IS_CACHE):
                    raise Failure(f"{snapshot} is no copy of a server's file of this ledger")
        if data.exists(region, name):
            with data.open(region, name) as file:
                is_cache = bool(file.meta(IS_CACHE))
            if not is_cache:
                raise Failure(OWN_JOURNAL.format(path=path))
            data.delete(region, name)
        if snapshot is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(snapshot, path)


@journal.command()
@click.argument("ledger")
@journal_option
@options.data_dir
@options.region
@click.option(
    "--to-file", is_flag=True, help="From the log into a file of its own; default: from the file into the log."
)
@json_option
def move(ledger: str, url: str, data_dir: Path | None, region: str, to_file: bool, as_json: bool) -> None:
    """Move the journal of LEDGER from its file into the log, or back.  Digest, ids and proofs stay as they are.

    The server of the data directory must be stopped; for --to-file every server must have stopped using the ledger.
    """
    from ..engine.ledger.fold import ApplyError
    from ..storage.directory import DataDirectory
    from ..storage.errors import StorageError

    try:
        with _open(url) as logs, DataDirectory(options.directory_of(data_dir)) as directory:
            work = _to_file if to_file else _to_log
            blocks, digest = work(directory, logs, region, ledger)
    except (StorageError, ApplyError) as error:
        raise Failure(str(error)) from error
    row = {"ledger": ledger, "region": region, "to": "file" if to_file else "log", "blocks": blocks, "digest": digest}
    where = "a file of its own" if to_file else "the log"
    show(row, as_json, f"moved {ledger} into {where}: {blocks} blocks, digest {digest}")


def _to_log(directory: DataDirectory, logs: PostgresLogs, region: str, name: str) -> tuple[int, str]:
    from ..engine.ledger.facts import read_facts, rows_from_facts
    from ..engine.ledger.register import IS_CACHE

    with directory.open(region, name) as file:
        facts = read_facts(file)
        if file.meta(IS_CACHE):
            raise Failure(f"The journal of {name} is in a log already")
        if facts.digest_problem is not None:
            raise Failure(f"Blocks of {name} are missing ({facts.digest_problem}), so it cannot be in a log")
        blocks = logs.put_whole(region, name, rows_from_facts(facts), _rows(file))
        # From here on the file is a cache, which only a server with --journal opens.
        with file.write() as writer:
            writer.set_meta({IS_CACHE: True})
        return blocks, _digest(file)


@contextmanager
def into_log(url: str, region: str, name: str) -> Iterator[DataDirectory]:
    """A directory for a ledger's file, whose journal is in the log afterwards.  Raises Failure."""
    from ..storage.directory import DataDirectory

    with _open(url) as logs, DataDirectory(None) as directory:
        if logs.facts_of(region, name) is not None:  # before the long work; the move itself makes sure
            raise Failure(f"There is a ledger {name} already in region {region} in this log")
        yield directory
        _to_log(directory, logs, region, name)


def _rows(file: LedgerFile) -> Iterator[BlockRow]:
    from ..log.seam import BlockRow

    first = 0
    while rows := file.block_rows(first, _BATCH):
        yield from (BlockRow._make(row) for row in rows)
        first = rows[-1][0] + 1


def _to_file(directory: DataDirectory, logs: PostgresLogs, region: str, name: str) -> tuple[int, str]:
    from ..engine.ledger.facts import facts_from_rows, rows_from_facts, write_rows
    from ..engine.ledger.register import IS_CACHE, OWN_JOURNAL
    from ..engine.workbench.imports import fold
    from ..journal.read_stored import block_from_binary

    rows = logs.facts_of(region, name)
    if rows is None:
        raise Failure(f"There is no ledger {name} in region {region} in this log")
    strand_id = rows["strand_id"]
    _refuse_in_use(logs, strand_id, name)
    if directory.exists(region, name):
        with directory.open(region, name) as cache:
            is_cache = bool(cache.meta(IS_CACHE))
        if not is_cache:
            raise Failure(OWN_JOURNAL.format(path=directory.path(region, name)))
        directory.delete(region, name)
    with directory.appearing(region, name) as file:
        log = logs.open(region, name, file)
        tip = log.tip()
        _, facts = log.facts()

        def blocks() -> Iterator[tuple[Any, bytes]]:
            first = 0
            while found := log.read(first, _BATCH):
                yield from ((block_from_binary(row.ion), row.ion) for row in found)
                first = found[-1].sequence_no + 1

        folded = fold(file, blocks())
        with file.write() as writer:
            write_rows(writer, rows_from_facts(facts_from_rows(facts)))
        last = file.tip()
        if last is None or last.block_hash != tip.block_hash:
            raise Failure("The ledger was changed meanwhile; a server still uses it")
        digest = _digest(file)
        # Last, so that the journal is in one place at least whatever happens.
        logs.remove_at(strand_id, tip)
    return folded.blocks, digest


def _refuse_in_use(logs: PostgresLogs, strand_id: str, name: str) -> None:
    """Raise Failure when a server that is alive owns a ledger: its sessions would be lost."""
    peers = logs.servers.peers()
    for known in logs.servers.ledgers():
        owner = peers.get(known.owner or "")
        if known.ledger_id == strand_id and owner is not None and owner.is_alive:
            raise Failure(f"The server at {owner.url} uses the ledger {name}. Stop it first")


def _digest(file: LedgerFile) -> str:
    """The ledger's digest, base64."""
    from base64 import b64encode

    from ..engine.ledger.committer import stored_tip

    edge = stored_tip(file, has_tree=True).edge
    assert edge is not None
    return b64encode(edge.root()).decode()
