"""How a command fails: one clear sentence on standard error, and an exit code that is documented."""

from __future__ import annotations

import click

EXIT_FAILED = 1
EXIT_USAGE = 2


class Failure(click.ClickException):
    """The command could not do its work.  The text is one sentence that says why and, where it can, the mend."""

    exit_code = EXIT_FAILED
