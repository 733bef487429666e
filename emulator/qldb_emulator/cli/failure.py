"""How a command fails: one clear sentence on standard error, and an exit code.

====  ==========================================================================
code  meaning
====  ==========================================================================
0     done
1     it could not be done; the sentence on standard error says why
2     wrong options or arguments; ``--help`` says what there is
3     there is nothing to work on: no server answers, or a journal cannot be read
4     verify: nothing is wrong with what is there, but it is not the whole journal
130   interrupted (Ctrl-C)
====  ==========================================================================
"""

from __future__ import annotations

import sys
from typing import IO, Any

import click

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3


class Failure(click.ClickException):
    """The command could not do its work.  The text is one sentence that says why and, where it can, the mend."""

    exit_code = EXIT_FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence, in red on a terminal only."""
        complain(self.format_message())


class UnreachableFailure(Failure):
    """There is no server to ask."""

    exit_code = EXIT_UNREACHABLE


def complain(text: str) -> None:
    """An error on standard error, in red on a terminal only."""
    line = f"Error: {text}"
    click.echo(click.style(line, fg="red") if sys.stderr.isatty() else line, err=True)
