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
141   the reader of the output has left, as ``head`` does
====  ==========================================================================
"""

from __future__ import annotations

import re
import sys
from typing import IO, Any

import click

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE: what a shell reports of a program that the signal ended


class Failure(click.ClickException):
    """The command could not do its work.  The text says why in one sentence and, where possible, what to do."""

    exit_code = EXIT_FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence, in red on a terminal only."""
        complain(self.format_message())


class UnreachableFailure(Failure):
    """No server answers."""

    exit_code = EXIT_UNREACHABLE


def complain(text: str) -> None:
    """An error on standard error.  On a terminal it is red, and control characters in it are escaped."""
    line = f"Error: {text}"
    if sys.stderr.isatty():
        line = click.style(visible(line), fg="red")
    click.echo(line, err=True)


# What a terminal would act upon instead of showing it: control characters except tab and line feed, and the marks that
# change the direction of writing.
_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with control characters as Ion escapes them, so that no data can drive the terminal."""
    return _NOT_SHOWN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
