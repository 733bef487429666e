"""The configuration file: defaults for the options of every command, in TOML.

::

    [shell]
    format = "table"
    editing-mode = "vi"

    [serve]
    port = 7600

A table has a command's name, a key the name of an option without its dashes.  The command line goes before the
environment, the environment before the file.  The first file that is there counts: ``$QLDB_EMULATOR_CONFIG``,
``qldb-emulator.toml`` in the working directory, ``config.toml`` in the user's directory.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

FILE_NAME = "qldb-emulator.toml"


def user_directory() -> Path:
    """Where a user's own files are: ``$XDG_CONFIG_HOME/qldb-emulator``, by default below ``~/.config``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "qldb-emulator"


def config_file() -> Path | None:
    """The file that counts, if there is one.  Raises UsageError when the variable names one that is missing."""
    named = os.environ.get("QLDB_EMULATOR_CONFIG")
    if named:
        if not Path(named).is_file():
            raise click.UsageError(f"QLDB_EMULATOR_CONFIG: {named}: no such file")
        return Path(named)
    return next((path for path in (Path(FILE_NAME), user_directory() / "config.toml") if path.is_file()), None)


def read_config(path: Path, commands: Collection[str]) -> dict[str, Any]:
    """The tables of a file, each named after one of the commands.  Raises UsageError."""
    import tomllib  # most commands run without a file

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from error
    for name in tables:
        if name not in commands:
            raise click.UsageError(
                f"{path}: there is no command {name!r}; a table has the name of one, such as [serve]"
            )
    return tables


def defaults_for(command: click.Command, table: Any, name: str, path: Path) -> dict[str, Any]:
    """A command's table as click wants it: by the names of parameters.  Raises UsageError for an unknown key."""
    if not isinstance(table, dict):
        raise click.UsageError(f"{path}: [{name}] must be a table of options")
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = {key: command.get_command(context, key) for key in table}
        return {
            key: defaults_for(_known(found[key], key, name, path), table[key], f"{name}.{key}", path) for key in table
        }
    options = {option.lstrip("-"): parameter.name for parameter in command.params for option in parameter.opts}
    return {str(_known(options.get(key), key, name, path)): value for key, value in table.items()}


def _known(found: Any, key: str, name: str, path: Path) -> Any:
    if found is None:
        raise click.UsageError(f"{path}: [{name}] has no option {key!r}")
    return found
