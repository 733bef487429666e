"""Where the journal of a command is, and which options have a meaning there.

An option that a place has no use for is refused, because a result that an option was to change would look like one that
it did change.  A setting for all commands, from the environment or the configuration file, is not refused: it is meant
for those commands that have a use for it.  Nor are --data-dir and --region, with which a script or an alias calls every
command: a path beside them says plainly what is read.
"""

from __future__ import annotations

import os
from typing import Literal

import click
from click.core import ParameterSource

from .options import LEDGER_SUFFIX, Unreadable

Place = Literal["server", "data directory", "ledger file", "export", "S3", "none"]
"""server: a ledger of the server of --url.  data directory: a ledger by its name.  ledger file: a ledger by the path of
its file.  export: a directory, a zip or a file.  S3: an export there.  none: no journal is named."""

_ONE_JOURNAL = "a ledger has one journal: --strand and --export are for exports"
_MEANINGFUL: dict[str, tuple[frozenset[Place], str]] = {
    "strand": (frozenset({"export", "S3"}), _ONE_JOURNAL),
    "export_id": (frozenset({"export", "S3"}), _ONE_JOURNAL),
    "checkpoint": (frozenset({"export", "S3"}), "--checkpoint is for exports: a ledger is verified in one go"),
    "jobs": (
        frozenset({"export", "S3", "server"}),
        "a ledger is read by one process, because its rows follow from the blocks in their order. Leave --jobs "
        "out, or export the ledger: any number of processes read an export",
    ),
    "s3_endpoint": (frozenset({"S3"}), "--s3-endpoint says where s3:// leads to, and the journal is not in S3"),
    "url": (frozenset({"server"}), "--url is for the name of a ledger on a server"),
}


_OF_ONE_JOURNAL = frozenset({"strand", "export_id", "checkpoint"})
"""Options about one journal, so no settings for all commands: they are refused from the environment, too."""


def place_of(source: str | None, url: str | None) -> Place:
    """Return where a journal is.  url: from ``options.server_of``.  Raises Unreadable for a path with nothing there."""
    if source is None:
        return "none"
    if url is not None:
        return "server"
    if source.startswith("s3://"):
        return "S3"
    if os.sep in source and "://" not in source and not os.path.exists(source):
        raise Unreadable(f"{source}: no such file or directory")
    if source.endswith(LEDGER_SUFFIX):
        return "ledger file"
    return "export" if os.path.exists(source) else "data directory"


def refuse_meaningless(context: click.Context, place: Place, but: frozenset[str] = frozenset()) -> None:
    """Refuse options of the command line that have no effect with a journal at this place.

    but: names of options that the command uses for something else.  Raises UsageError.
    """
    for name, (places, text) in _MEANINGFUL.items():
        is_meant = is_given(context, name) or (name in _OF_ONE_JOURNAL and context.params.get(name) is not None)
        if name in but or place in places or not is_meant:
            continue
        if name == "jobs" and context.params["jobs"] == 1 and place != "none":
            continue  # one process is what a ledger has
        if place == "none":
            option = next(each.opts[0] for each in context.command.params if each.name == name)
            raise click.UsageError(f"{option} says how a journal is read, and none is named")
        raise click.UsageError(text)


def is_given(context: click.Context, name: str) -> bool:
    """Whether the command line has the option."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
