"""``qldb-emulator snapshot``, ``fork`` and ``reset``: states of ledgers, kept, compared, branched off, thrown away."""

from __future__ import annotations

from typing import Any

import click

from .confirmation import confirmed, yes_option
from .connection import admin, answering, json_option, region_option, show, url_option
from .groups import Group
from .words import counted, iso_time

Members = dict[str, Any]
_MARKS = {"added": "+", "changed": "~", "removed": "-"}


@click.group(cls=Group)
def snapshot() -> None:
    """Keep a ledger's state under a name, go back to it, see what changed since.

    The server must answer the admin interface.
    """


@snapshot.command()
@click.argument("ledger")
@click.argument("name")
@url_option
@region_option
@json_option
@answering
def take(ledger: str, name: str, url: str, region: str | None, as_json: bool) -> None:
    """Keep LEDGER as it is now under NAME."""
    row = admin(url).take_snapshot(ledger, name, region=region)
    show(row, as_json, f"kept {ledger} as {name}: {_line(row)}")


@snapshot.command("list")
@click.option("--ledger", envvar="QLDB_EMULATOR_LEDGER", help="Only those of this ledger.")
@url_option
@region_option
@json_option
@answering
def list_(ledger: str | None, url: str, region: str | None, as_json: bool) -> None:
    """Show every snapshot."""
    rows = admin(url).snapshots(ledger, region=region)
    show(rows, as_json, "\n".join(f"{r['ledger']}  {r['name']}  {_line(r)}" for r in rows) or "no snapshots")


def _line(row: Members) -> str:
    last = row["lastBlockMs"]
    moment = "" if last is None else f", the last of {iso_time(last / 1000)}"
    return f"{counted(row['blocks'], 'block')}{moment}, {row['bytes'] / 1024:.0f} KiB"


@snapshot.command()
@click.argument("ledger")
@click.argument("name")
@url_option
@region_option
@json_option
@answering
def restore(ledger: str, name: str, url: str, region: str | None, as_json: bool) -> None:
    """Make LEDGER what the snapshot NAME is.

    Its sessions end, as after a restart of the service: drivers begin new ones by themselves.  A ledger that was
    deleted comes back.
    """
    answer = admin(url).restore_snapshot(ledger, name, region=region)
    show(answer, as_json, f"{ledger} is {name} again: {counted(answer['blocks'], 'block')}")


@snapshot.command()
@click.argument("ledger")
@click.argument("name")
@url_option
@region_option
@answering
def delete(ledger: str, name: str, url: str, region: str | None) -> None:
    """Forget the snapshot NAME of LEDGER."""
    admin(url).delete_snapshot(ledger, name, region=region)
    click.echo(f"deleted {name} of {ledger}")


@snapshot.command()
@click.argument("ledger")
@click.argument("before")
@click.argument("after", default="now")
@url_option
@region_option
@json_option
@answering
def diff(ledger: str, before: str, after: str, url: str, region: str | None, as_json: bool) -> None:
    """Show which documents were added, changed and removed between two states of LEDGER.

    BEFORE and AFTER are names of snapshots, sequence numbers of blocks, or "now".
    """
    answer = admin(url).diff(ledger, before, after, region=region)
    show(answer, as_json, _diff_text(answer))


def _diff_text(answer: Members) -> str:
    lines = [f"{_MARKS[kind]} table {name}" for kind in ("added", "removed") for name in answer["tables"][kind]]
    for row in answer["documents"]:
        lines.append(f"{_MARKS[row['change']]} {row['table']} {row['documentId']}")
        for side, mark in (("before", "-"), ("after", "+")):
            if side in row:
                lines.append(f"    {mark} {row[side].get('data', '(redacted)')}")
    counts = answer["changes"]
    lines.append(f"{counts['added']} added, {counts['changed']} changed, {counts['removed']} removed")
    return "\n".join(lines)


@click.command()
@click.argument("ledger")
@click.argument("name")
@click.option("--snapshot", "snapshot_name", envvar="QLDB_EMULATOR_SNAPSHOT", help="Begin as this snapshot of LEDGER.")
@url_option
@region_option
@json_option
@answering
def fork(ledger: str, name: str, snapshot_name: str | None, url: str, region: str | None, as_json: bool) -> None:
    """Make a new ledger NAME that begins as LEDGER is now.

    The server must answer the admin interface.
    """
    answer = admin(url).fork(ledger, name, snapshot=snapshot_name, region=region)
    show(answer, as_json, f"forked {ledger} as {name}: {counted(answer['blocks'], 'block')}")


@click.command()
@click.option("--ledger", envvar="QLDB_EMULATOR_LEDGER", help="Only this ledger.")
@click.option("--seed", is_flag=True, envvar="QLDB_EMULATOR_RESET_SEED", help="Run the server's init files again.")
@yes_option
@url_option
@region_option
@json_option
@answering
def reset(ledger: str | None, seed: bool, yes: bool, url: str, region: str | None, as_json: bool) -> None:
    """Delete every ledger of a running server, or one; snapshots stay.

    Ledgers that are protected from deletion go, too.  The server must answer the admin interface.
    """
    what = f"the ledger {ledger}" if ledger else "every ledger"
    confirmed(f"Delete {what} at {url}?", yes)
    answer = admin(url).reset(ledger=ledger, seed=seed, region=region)
    seeded = " and ran the init files again" if answer["seeded"] else ""
    show(answer, as_json, f"deleted {counted(len(answer['deleted']), 'ledger')}{seeded}")
