"""``qldb-emulator fault``: make a running server fail on demand."""

from __future__ import annotations

from typing import Any

import click

from .connection import admin, answering, json_option, show, url_option
from .groups import Group
from .words import counted


@click.group(cls=Group)
def fault() -> None:
    """Faults on demand in a running server: conflicts, expiry, overload, latency, dropped connections.

    The server must answer the admin interface.
    """


@fault.command()
@click.argument("kind")
@url_option
@click.option("--command", "commands", multiple=True, help="Session command to strike, such as CommitTransaction.")
@click.option("--ledger", help="Only on this ledger.")
@click.option("--table", help="Only where this table is used.")
@click.option("--statement", metavar="REGEX", help="Only with a statement that contains a match.")
@click.option("--count", type=click.IntRange(1), help="How often at most.  [default: until cleared]")
@click.option(
    "--probability", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Of striking what matches."
)
@click.option("--seed", help="Strike the same requests in every run.")
@click.option("--latency-ms", type=click.IntRange(0), default=0, help="For the kind latency.")
@answering
def add(kind: str, url: str, **options: Any) -> None:
    """Add a rule.

    KIND is occ, transaction-expired, invalid-session, capacity-exceeded, rate-exceeded, limit-exceeded,
    internal-failure, service-unavailable, latency, drop-before or drop-after.
    """
    click.echo(_line(admin(url).add_fault(kind, **options)))


@fault.command("list")
@url_option
@json_option
@answering
def list_(url: str, as_json: bool) -> None:
    """Show every rule, and how often it matched and struck."""
    rules = admin(url).faults()
    show(rules, as_json, "\n".join(map(_line, rules)) or "no faults")


@fault.command()
@click.argument("fault_id", required=False)
@url_option
@answering
def clear(fault_id: str | None, url: str) -> None:
    """Remove the rule FAULT_ID, or all."""
    click.echo(f"cleared {counted(admin(url).clear_faults(fault_id), 'fault')}")


def _line(rule: dict[str, Any]) -> str:
    shown = [
        f"{name}={rule[name]}"
        for name in ("ledger", "table", "statement", "count", "latency_ms")
        if rule[name] not in (None, 0)
    ]
    if rule["probability"] < 1:
        shown += [f"probability={rule['probability']}", f"seed={rule['seed']}"]
    commands = ",".join(rule["commands"])
    return " ".join([rule["id"], rule["kind"], f"on {commands}", *shown, f"struck={rule['struck']}"])
