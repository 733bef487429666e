"""``qldb-emulator completion``: what a shell sources to complete the commands and options of ``qldb-emulator``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "qldb-emulator"
COMPLETE_VARIABLE = "_QLDB_EMULATOR_COMPLETE"  # click derives it from the program's name


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion of commands and options for SHELL.

    \b
    bash:  eval "$(qldb-emulator completion bash)"            in ~/.bashrc
    zsh:   eval "$(qldb-emulator completion zsh)"             in ~/.zshrc
    fish:  qldb-emulator completion fish | source             in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source())
