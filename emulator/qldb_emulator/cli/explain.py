"""``qldb-emulator explain``: how a statement would read its tables."""

from __future__ import annotations

import click

from .catalogue import explained, read_catalogue
from .connection import answering, region_option, session, url_option


@click.command()
@click.argument("ledger")
@click.argument("statement")
@url_option
@region_option
@answering
def explain(ledger: str, statement: str, url: str, region: str | None) -> None:
    """Show how STATEMENT would be run on LEDGER, without running it.

    Every table's access path: by index, by document id, or by scanning it.  A scan costs time that grows with the
    table, and makes the transaction conflict with every write to it.
    """
    click.echo(explained(statement, read_catalogue(session(url, region, ledger))))
