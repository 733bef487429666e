"""``qldb-emulator stream``: a ledger's journal records from a running server, as JSON, a line each."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode

import click

from ..settings import DEFAULT_HOST, DEFAULT_PORT
from .failure import Failure


@click.command()
@click.argument("ledger")
@click.option("--follow", is_flag=True, help="Go on with each new block until interrupted.")
@click.option(
    "--from", "first", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1), help="First sequence number."
)
@click.option("--region", envvar="QLDB_EMULATOR_REGION", help="Region of the ledger.  [default: the server's]")
@click.option(
    "--url",
    default=f"http://{DEFAULT_HOST}:{DEFAULT_PORT}",
    show_default=True,
    envvar="QLDB_EMULATOR_URL",
    help="Where the server listens; it must run with --admin or --ephemeral.",
)
def stream(ledger: str, follow: bool, first: int, region: str | None, url: str) -> None:
    """Print the journal records of LEDGER: block summaries and revision details, as a journal stream has them."""
    query = {"from": first, "follow": str(follow).lower(), "format": "ndjson", **({"region": region} if region else {})}
    path = f"/_qldb/ledgers/{quote(ledger, safe='')}/stream"
    try:
        # A server that says nothing for three heartbeats is gone.
        with urllib.request.urlopen(f"{url}{path}?{urlencode(query)}", timeout=45) as answer:
            for line in answer:
                if line.strip():
                    click.echo(line.decode(), nl=False)
    except urllib.error.HTTPError as error:
        raise Failure(_message(error)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Failure(f"No stream from {url}: {reason}") from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["Message"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered with status {error.code}"
