"""``qldb-emulator ledgers``: list, create, describe, delete ledgers of a running server."""

from __future__ import annotations

from typing import Any

import click

from .confirmation import confirmed, yes_option
from .connection import answering, json_option, region_option, show, transport, url_option
from .failure import Failure
from .groups import Group
from .words import iso_time

Members = dict[str, Any]


@click.group(cls=Group)
def ledgers() -> None:
    """List, create, describe and delete ledgers."""


@ledgers.command("list")
@url_option
@region_option
@json_option
@answering
def list_(url: str, region: str | None, as_json: bool) -> None:
    """Name and state of every ledger, oldest first."""
    found = all_ledgers(url, region)
    show(found, as_json, "\n".join(f"{row['Name']}  {row['State']}" for row in found) or "no ledgers")


def all_ledgers(url: str, region: str | None) -> list[Members]:
    """Every page of ListLedgers.  Raises QldbError, UnreachableError."""
    server = transport(url, region)
    found: list[Members] = []
    token: Members = {}
    while True:
        page = server.call("ListLedgers", token)
        found += page["Ledgers"]
        if page.get("NextToken") is None:
            return found
        token = {"NextToken": page["NextToken"]}


@ledgers.command()
@click.argument("name")
@click.option(
    "--permissions-mode",
    type=click.Choice(["ALLOW_ALL", "STANDARD"]),
    default="ALLOW_ALL",
    show_default=True,
    envvar="QLDB_EMULATOR_PERMISSIONS_MODE",
    help="The ledger's permissions mode.",
)
@click.option(
    "--deletion-protection/--no-deletion-protection",
    default=True,
    show_default=True,
    envvar="QLDB_EMULATOR_DELETION_PROTECTION",
    help="Refuse to delete the ledger until the protection is removed, or without --force; the default is QLDB's.",
)
@url_option
@region_option
@json_option
@answering
def create(
    name: str, permissions_mode: str, deletion_protection: bool, url: str, region: str | None, as_json: bool
) -> None:
    """Create the ledger NAME, protected from deletion as QLDB's are by default."""
    members = {"Name": name, "PermissionsMode": permissions_mode, "DeletionProtection": deletion_protection}
    answer = transport(url, region).call("CreateLedger", members)
    show(answer, as_json, f"created {name}")


@ledgers.command()
@click.argument("name")
@url_option
@region_option
@json_option
@answering
def describe(name: str, url: str, region: str | None, as_json: bool) -> None:
    """Show everything that DescribeLedger says about NAME."""
    answer = transport(url, region).call("DescribeLedger", {"Name": name})
    show(answer, as_json, "\n".join(f"{key}: {_value(key, value)}" for key, value in answer.items()))


def _value(key: str, value: Any) -> str:
    """Times as ISO 8601: the API gives them in seconds since 1970."""
    if key.endswith("DateTime") and isinstance(value, int | float):
        return iso_time(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_value(name, item)}" for name, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


@ledgers.command()
@click.argument("name")
@click.option(
    "--force", is_flag=True, envvar="QLDB_EMULATOR_FORCE", help="Also if the ledger is protected from deletion."
)
@yes_option
@url_option
@region_option
@answering
def delete(name: str, force: bool, yes: bool, url: str, region: str | None) -> None:
    """Delete the ledger NAME with everything in it.

    Asks first.  Without a terminal to ask at, --yes is needed.  A ledger that is protected from deletion, as those of
    "ledgers create" and of QLDB are by default, needs --force, too.
    """
    server = transport(url, region)
    # A ledger that is not found, or that cannot be deleted, is not worth a question.
    is_protected = server.call("DescribeLedger", {"Name": name})["DeletionProtection"]
    if is_protected and not force:
        raise Failure(f"The ledger {name} is protected from deletion; --force deletes it all the same")
    confirmed(f"Delete the ledger {name} at {url} with everything in it?", yes)
    if is_protected:
        server.call("UpdateLedger", {"Name": name, "DeletionProtection": False})
    server.call("DeleteLedger", {"Name": name})
    click.echo(f"deleted {name}")
