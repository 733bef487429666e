"""``qldb-emulator completion``: Tab completes commands and options in bash, zsh and fish."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from .failure import Failure

# Where each shell looks by itself; zsh has no such place in a home directory.
PLACES = {
    "bash": ".local/share/bash-completion/completions/qldb-emulator",
    "fish": ".config/fish/completions/qldb-emulator.fish",
}


def script(shell: str) -> str:
    """What a shell reads."""
    from . import main

    found = get_completion_class(shell)
    assert found is not None
    return found(main, {}, "qldb-emulator", "_QLDB_EMULATOR_COMPLETE").source()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@click.option("--install", is_flag=True, help="Write it where bash or fish looks for it, for new shells.")
def completion(shell: str | None, install: bool) -> None:
    """Print what makes SHELL complete commands and options; without SHELL, the one in $SHELL.

    \b
    bash, zsh:  eval "$(qldb-emulator completion bash)"
    fish:       qldb-emulator completion fish | source
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in ("bash", "zsh", "fish"):
        raise click.UsageError(f"name a shell: bash, zsh or fish (SHELL is {shell or 'not set'})")
    try:
        text = script(shell)
    except RuntimeError as error:  # bash older than 4.4
        raise Failure(str(error)) from error
    if not install:
        click.echo(text)
        return
    if shell not in PLACES:
        raise Failure(f'{shell} has no place for it; put this into ~/.zshrc: eval "$(qldb-emulator completion zsh)"')
    path = Path.home() / PLACES[shell]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"{path} is written; a new {shell} completes qldb-emulator")
