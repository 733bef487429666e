"""``qldb-emulator env``: what a shell exports so that an unmodified program finds the emulator."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from ..client.models import MODEL_DIRECTORY
from ..settings import DEFAULT_PORT, DEFAULT_REGION
from .connection import url_option

# Any of these means that the user has credentials of his own: made-up ones would hide them from other programs.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
# The SDKs for JavaScript, Java and Go read the first, boto3 and the AWS CLI v1 the second.
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


def _powershell(name: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"$env:{name} = '{quoted}'"


SHELLS: Mapping[str, Callable[[str, str], str]] = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": _fish,
    "powershell": _powershell,
}


def checked(url: str) -> str:
    """An http or https URL.  Raises BadParameter."""
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        text = f"{url!r} is not a URL, which looks like http://127.0.0.1:{DEFAULT_PORT}"
        raise click.BadParameter(text, param_hint="--url")
    return url


@click.command()
@url_option
@click.option("--region", help=f"Region to set.  [default: {DEFAULT_REGION}, if none is set]")
@click.option("--shell", type=click.Choice(list(SHELLS)), default="sh", show_default=True, help="Whose syntax.")
def env(url: str, region: str | None, shell: str) -> None:
    """Print what points AWS tools here.  Use it as: eval "$(qldb-emulator env)"

    \b
    fish:        qldb-emulator env --shell fish | source
    PowerShell:  qldb-emulator env --shell powershell | Invoke-Expression
    """
    for name, value in variables(checked(url), region, os.environ, Path.home()).items():
        click.echo(SHELLS[shell](name, value))


def variables(url: str, region: str | None, environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Name -> value.  Credentials and a region only where there are none; our models beside other models."""
    found = {"AWS_ENDPOINT_URL_QLDB": url, "AWS_ENDPOINT_URL_QLDB_SESSION": url}
    set_regions = {name: environment[name] for name in _REGIONS if environment.get(name)}
    used = region or next(iter(set_regions.values()), DEFAULT_REGION)
    found |= {name: used for name in _REGIONS if region or name not in set_regions}
    file = environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials"
    if not any(environment.get(name) for name in _CREDENTIALS) and not Path(file).is_file():
        found |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    paths = [path for path in environment.get("AWS_DATA_PATH", "").split(os.pathsep) if path]
    if str(MODEL_DIRECTORY) not in paths:
        paths.append(str(MODEL_DIRECTORY))
    found["AWS_DATA_PATH"] = os.pathsep.join(paths)
    return found
