"""Groups of commands: help that is not cut off, and one way to end for every command."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import click

from .failure import EXIT_BROKEN_PIPE, EXIT_FAILED, EXIT_INTERRUPTED

_SIMILAR = 0.6  # of 1, as difflib measures it


class Group(click.Group):
    """A group that lists commands with the whole first sentence of their help, and suggests one for a misspelling."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments.  Raises UsageError for an unknown one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], self.list_commands(ctx), cutoff=_SIMILAR)
            close = close or [name for name in self.list_commands(ctx) if name.startswith(args[0])]
            if close and "Did you mean" not in error.message:
                raise click.UsageError(f"{error.message} Did you mean {' or '.join(close)}?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, summary(command)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def summary(command: click.Command) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())


class MainGroup(Group):
    """The outermost group: turns the ways in which a command can end into exit codes."""

    def main(  # type: ignore[override]  # click's overloads tell the result apart, which is not needed here
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort as error:
            code = _aborted(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.  A reader that leaves early, such as ``head``, ends it without a message."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard_output()
            ctx.exit(EXIT_BROKEN_PIPE)


def _aborted(error: click.Abort) -> int:
    """Click raises Abort for Ctrl-C and for the answer no.  Only the first is an interruption."""
    if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        click.echo("Interrupted", err=True)
        return EXIT_INTERRUPTED
    click.echo("Aborted!", err=True)
    return EXIT_FAILED


def _discard_output() -> None:
    """The reader of standard output has left.  Without this, Python complains when it flushes at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):  # a test's stream, which has none
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
