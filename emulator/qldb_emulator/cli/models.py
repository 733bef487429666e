"""``qldb-emulator models``: give the newest boto3, pyqldb and AWS CLI v1 their QLDB clients back."""

from __future__ import annotations

from pathlib import Path

import click

from ..client.models import MODEL_DIRECTORY, ModelsError, default_directory, install, remove
from .failure import Failure
from .groups import Group

_directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Another one, to be named in AWS_DATA_PATH.  [default: ~/.aws/models]",
)


@click.group(cls=Group)
def models() -> None:
    """QLDB's service models, for the AWS tools that have dropped them."""


@models.command("install")
@_directory_option
@click.option("--force", is_flag=True, help="Put files aside that are there and not ours; `remove` puts them back.")
def install_models(directory: Path | None, force: bool) -> None:
    """Copy the models to where boto3 and the AWS CLI v1 look for models."""
    target = directory or default_directory(Path.home())
    try:
        written = install(target, force)
    except ModelsError as error:
        raise Failure(str(error)) from error
    for path in written:
        click.echo(f"wrote {path}")
    if not written:
        click.echo(f"The models are in {target} already.")
    if directory is not None:
        click.echo(f"Now set AWS_DATA_PATH={target.absolute()}")


@models.command("path")
def print_path() -> None:
    """Print the directory of the models in this package, fit for AWS_DATA_PATH."""
    click.echo(MODEL_DIRECTORY)


@models.command("remove")
@_directory_option
def remove_models(directory: Path | None) -> None:
    """Undo `models install`."""
    target = directory or default_directory(Path.home())
    try:
        removed, kept = remove(target)
    except ModelsError as error:
        raise Failure(str(error)) from error
    for path in removed:
        click.echo(f"removed {path}")
    for path in kept:
        click.echo(f"kept {path}: it was changed since", err=True)
