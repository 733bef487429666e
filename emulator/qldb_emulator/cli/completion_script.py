"""``qldb-emulator completion``: what a shell sources to complete the commands and options of ``qldb-emulator``."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from .failure import Failure

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "qldb-emulator"
COMPLETE_VARIABLE = "_QLDB_EMULATOR_COMPLETE"  # click derives it from the program's name

PLACES = {
    "bash": ".local/share/bash-completion/completions/qldb-emulator",
    "fish": ".config/fish/completions/qldb-emulator.fish",
}
"""Where each shell looks by itself, below the home directory; zsh has no such place."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it where bash or fish looks for it, for new shells.")
@click.pass_context
def completion(context: click.Context, shell: str, install: bool) -> None:
    """Print the completion of commands and options for SHELL.

    \b
    bash:  eval "$(qldb-emulator completion bash)"            in ~/.bashrc
    zsh:   eval "$(qldb-emulator completion zsh)"             in ~/.zshrc
    fish:  qldb-emulator completion fish | source             in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    text = made(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source()
    if install:
        click.echo(f"{_install(shell, text)} is written; a new {shell} completes {PROGRAM}")
    else:
        click.echo(text)


def _install(shell: str, text: str) -> Path:
    """Where it was written.  Raises Failure."""
    if shell not in PLACES:
        raise Failure(
            f'{shell} looks in no place of its own; put this into ~/.zshrc: eval "$({PROGRAM} completion zsh)"'
        )
    path = Path.home() / PLACES[shell]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    return path
