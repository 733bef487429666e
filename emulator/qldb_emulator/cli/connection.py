"""What the commands that talk to a running server share: its address, and one sentence when none answers there."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ..admin import Admin, AdminError
from ..driver import LedgerSession
from ..driver.http import HttpTransport, UnreachableError
from ..errors import QldbError
from ..settings import DEFAULT_HOST, DEFAULT_PORT
from .failure import Failure, UnreachableFailure

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_QLDB_SESSION", "AWS_ENDPOINT_URL_QLDB")  # the first that is set counts


def endpoint_from_environment() -> str:
    """The endpoint that official clients would use, or the default.

    So every command reaches the server that the user's program talks to.
    """
    return next((os.environ[name] for name in ENDPOINT_VARIABLES if os.environ.get(name)), DEFAULT_URL)


def credentials_from_environment(region: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """(region, keys) as official clients would use them.  keys is None if they are not set."""
    keys = (os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY"))
    if not keys[0] or not keys[1]:
        return region, None
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return region, (keys[0], keys[1])


url_option = click.option(
    "--url",
    default=endpoint_from_environment,
    show_default="$AWS_ENDPOINT_URL_QLDB_SESSION, else " + DEFAULT_URL,
    envvar="QLDB_EMULATOR_URL",
    help="Where the server listens.",
)
region_option = click.option(
    "--region",
    envvar="QLDB_EMULATOR_REGION",
    help="The region of the ledger.  [default: the server's]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, envvar="QLDB_EMULATOR_JSON", help="Answer in JSON, for machines."
)


def answering(command: F) -> F:
    """Decorates a command: an error of the server, or no server, becomes one sentence and an exit code."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        with failures():
            return command(*arguments, **options)

    return wrapped  # type: ignore[return-value]


@contextmanager
def failures() -> Iterator[None]:
    """The same for a block."""
    try:
        yield
    except QldbError as error:
        raise Failure(error.message) from error
    except AdminError as error:
        kind = UnreachableFailure if "No emulator answers" in str(error) else Failure
        raise kind(_with_advice(str(error))) from error
    except UnreachableError as error:
        raise UnreachableFailure(_with_advice(str(error))) from error


def _with_advice(text: str) -> str:
    return f"{text}. Start one with: qldb-emulator serve" if text.startswith("No emulator answers") else text


def open_transport(url: str, region: str | None) -> HttpTransport:
    """A connection to the server, which the caller closes.  For every thread."""
    return HttpTransport(url, *credentials_from_environment(region))


def transport(url: str, region: str | None) -> HttpTransport:
    """A connection to the server, closed when the command ends.  For the thread of the command."""
    made = open_transport(url, region)
    click.get_current_context().call_on_close(made.close)
    return made


def session(url: str, region: str | None, ledger: str) -> LedgerSession:
    """A session on a ledger.  Raises QldbError, UnreachableError."""
    return LedgerSession(transport(url, region), ledger)


def admin(url: str) -> Admin:
    """The server's admin interface."""
    return Admin(url)


def show(answer: Any, as_json: bool, text: str) -> None:
    """An answer for machines or for people."""
    click.echo(json.dumps(answer, indent=2) if as_json else text)
