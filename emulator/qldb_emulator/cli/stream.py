"""``qldb-emulator stream``: a ledger's journal records from a running server, as JSON, a line each."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import click

from .connection import region_option, url_option
from .failure import Failure, UnreachableFailure

SILENCE_SECONDS = 45  # a server sends a heartbeat every 15 seconds; after three missing ones it is gone


@click.command()
@click.argument("ledger")
@click.option("--follow", is_flag=True, help="Go on with each new block, until Ctrl-C.")
@click.option(
    "--from", "first", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1), help="First sequence number."
)
@url_option
@region_option
def stream(ledger: str, follow: bool, first: int, region: str | None, url: str) -> None:
    """Print the journal records of LEDGER: block summaries and revision details, as a journal stream has them.

    The server must answer the admin interface.
    """
    query = {"from": first, "follow": str(follow).lower(), "format": "ndjson", **({"region": region} if region else {})}
    address = f"{url.rstrip('/')}/_qldb/ledgers/{quote(ledger, safe='')}/stream?{urlencode(query)}"
    with _answer(url, address) as answer:
        for line in _lines(url, answer):
            sys.stdout.write(line.decode())
            sys.stdout.flush()  # a record is shown when it comes, also in a pipe


def _answer(url: str, address: str) -> Any:
    try:
        return urllib.request.urlopen(address, timeout=SILENCE_SECONDS)
    except urllib.error.HTTPError as error:
        raise Failure(_message(error)) from error
    except (OSError, ValueError) as error:
        raise _no_stream(url, error) from error


def _lines(url: str, answer: Any) -> Iterator[bytes]:
    """The lines with records.  Only reading is guarded: an error of writing, such as a closed pipe, is not the
    server's."""
    lines = iter(answer)
    while True:
        try:
            line = next(lines, None)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _no_stream(url, error) from error
        if line is None:
            return
        if line.strip():
            yield line


def _no_stream(url: str, error: Exception) -> Failure:
    reason = getattr(error, "reason", error)
    text = getattr(reason, "strerror", None) or reason
    return UnreachableFailure(f"{url} does not send the stream: {text}")


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["Message"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered with status {error.code}"
