"""The command ``qldb-emulator``: the only reader of the environment.

In: arguments, environment variables, a configuration file, and the terminal.
Out: text, tables or JSON, and an exit status; the work is done in the rooms below.
Each subcommand is a module that is imported when it runs, so ``--help`` costs no server's imports.
Open ``groups`` first, then ``serve`` or ``shell``.
"""

from __future__ import annotations

import importlib
import os

from .importing import without_collections

with without_collections():  # click takes most of the imports of a command
    import click

    from .. import __version__
    from ..compiled import build
    from .config import config_file, defaults_for, read_config
    from .groups import MainGroup
    from .localstack import serve_defaults

# An option without a variable of its own has QLDB_EMULATOR_COMMAND_OPTION.
ENVIRONMENT_PREFIX = "QLDB_EMULATOR"

# subcommand -> (module of this package, name of its click command, one line for --help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "completion": ("completion_script", "completion", "Print what a shell sources to complete commands and options."),
    "env": ("env", "env", "Print what a shell exports to point AWS tools here."),
    "doctor": ("doctor", "doctor", "Check SDKs, endpoint, clock and credentials, and say how to fix them."),
    "fork": ("snapshot", "fork", "Make a new ledger that begins as another is now."),
    "follow": ("follow", "follow", "Keep tables in PostgreSQL or SQLite up to date from a ledger."),
    "load": ("load", "load", "Insert the rows of a CSV, JSON, Ion or Parquet file into a table."),
    "ledgers": ("ledgers", "ledgers", "List, create, describe and delete ledgers."),
    "reset": ("snapshot", "reset", "Delete every ledger of a running server."),
    "shell": ("shell.command", "shell", "PartiQL at a prompt, from a file or in one line."),
    "snapshot": ("snapshot", "snapshot", "Keep, restore and compare states of a ledger."),
    "fault": ("fault", "fault", "Make a running server fail on demand."),
    "explain": ("explain", "explain", "Show how a statement is read, and what it conflicts with."),
    "export": ("export", "export", "Write a ledger's journal to a directory, as ExportJournalToS3 does."),
    "import": ("import_", "import_", "Verify an exported journal and make it a ledger."),
    "journal": ("journal", "journal", "Journals in a database that servers share: status, rebuild, move."),
    "models": ("models", "models", "Give the newest boto3, pyqldb and AWS CLI v1 their QLDB clients back."),
    "serve": ("serve", "serve", "Start the server and run until stopped."),
    "stream": ("stream", "stream", "Print a ledger's journal records as JSON, and each new one."),
    "tables": ("tables", "tables", "Verify a journal and write it as Parquet, CSV, SQLite or PostgreSQL tables."),
    "verify": ("verify", "verify", "Verify a ledger, or an exported journal."),
    "verify-report": ("evidence", "verify_report", "Check a signed report of a verification, and its files."),
    "verify-tables": ("tables", "verify_tables", "Check that tables still are what the journal said."),
    "verify-receipt": ("verify_receipt", "verify_receipt", "Verify a saved revision or block with its proof."),
}


class LazyGroup(MainGroup):
    """A group whose commands are imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = COMMANDS.get(cmd_name)
        if known is None:
            return None
        module, attribute, _ = known
        with without_collections():
            command: click.Command = getattr(importlib.import_module(f".{module}", __package__), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, its options' defaults taken from the configuration file.  Raises UsageError."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None or name is None:
            return name, command, rest
        path = config_file()
        tables = {} if path is None else read_config(path, COMMANDS)
        defaults = {} if path is None else defaults_for(command, tables.get(name, {}), name, path)
        if name == "serve":
            defaults |= serve_defaults(os.environ)
        if defaults:
            ctx.default_map = {name: defaults}
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": ENVIRONMENT_PREFIX},
)
@click.version_option(f"{__version__} ({build()})", prog_name="qldb-emulator", allow_from_autoenv=False)
def main() -> None:
    """Amazon QLDB that runs on your machine."""
