"""Questions before something is deleted."""

from __future__ import annotations

import sys

import click

from .failure import Failure

yes_option = click.option("--yes", "-y", is_flag=True, envvar="QLDB_EMULATOR_YES", help="Do not ask.")


def confirmed(question: str, is_answered: bool) -> None:
    """Return if the answer is yes.  is_answered: ``--yes`` was given.

    Raises Abort for no, and Failure if standard input ends without an answer: a script needs --yes.
    """
    if is_answered:
        return
    try:
        answer = _ask(f"{question} [y/N] ")
    except EOFError:
        raise Failure(f"{question} No answer could be read from standard input; --yes confirms it") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise click.Abort


def _ask(question: str) -> str:
    """A line of standard input.  The question goes to standard error: standard output may be a pipe."""
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise EOFError
    return line
