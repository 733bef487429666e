"""``qldb-emulator shell``: PartiQL at a prompt, from a file, or in one line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from ..driver import OpenTransaction, Result
from ..errors import QldbError
from ..ion.codec import IonError, loads
from ..ion.values import IonValue
from ..partiql.syntax.script import is_unfinished, split_statements
from .catalogue import explained, read_catalogue, table_text, tables_text
from .connection import answering, failures, region_option, session, url_option
from .failure import Failure, complain
from .ledgers import all_ledgers
from .prompt import Prompt
from .rows import FORMATS, shown

HELP = """\
A statement ends with its line when it is whole, else with a semicolon or an empty line.  Each runs in a transaction of
its own, unless you start one:

  start, commit, abort   begin and end a transaction
  \\d [TABLE]             tables and their indexes
  \\l                     ledgers
  \\c LEDGER              go to another ledger
  \\explain STATEMENT     how a statement would read its tables
  \\f FORMAT              show rows as ion, json, table or csv
  \\timing                show or hide times and IOs
  \\?                     this
  \\q, exit, Ctrl-D       leave"""


class Shell:
    """One user at one ledger."""

    def __init__(self, url: str, region: str | None, ledger: str, form: str, is_timing: bool = False) -> None:
        self._url = url
        self._region = region
        self.form = form
        self.is_timing = is_timing
        self.is_over = False
        self.session = session(url, region, ledger)
        self.transaction: OpenTransaction | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "start": self._start,
            "commit": self._commit,
            "abort": self._abort,
            "exit": self._quit,
            "quit": self._quit,
            "help": self._help,
            "\\d": self._describe,
            "\\l": self._ledgers,
            "\\c": self._connect,
            "\\explain": self._explain,
            "\\f": self._format,
            "\\timing": self._timing,
            "\\?": self._help,
            "\\h": self._help,
            "\\q": self._quit,
        }

    @property
    def prompt(self) -> str:
        """``cars> ``, with a star inside a transaction."""
        return f"{self.session.ledger}{'*' if self.transaction else ''}> "

    def is_command(self, text: str) -> bool:
        """Whether a line is the shell's and not PartiQL's."""
        return self._split(text)[0] in self._commands or text.startswith("\\")

    @staticmethod
    def _split(text: str) -> tuple[str, str]:
        name, _, argument = text.strip().rstrip(";").partition(" ")
        name, argument = name.lower(), argument.strip()
        if name == "start" and argument.lower() in ("", "transaction"):
            return name, ""
        # A word of the shell alone on its line; with anything behind it, it is PartiQL's to refuse.
        return (name, argument) if name.startswith("\\") or not argument else ("", text)

    def run(self, text: str, parameters: list[IonValue] | None = None) -> None:
        """A command or a statement.  Raises Failure, QldbError, UnreachableError."""
        if self.is_command(text):
            name, argument = self._split(text)
            command = self._commands.get(name)
            if command is None:
                raise Failure(f"There is no command {name}; \\? lists them")
            command(argument)
            return
        started = time.perf_counter()
        result = self._execute(text, parameters or [])
        seconds = time.perf_counter() - started
        rows = shown(result.rows, self.form)
        if rows:
            click.echo(rows)
        if self.is_timing:
            count = len(result.rows)
            click.echo(
                f"{count} row{'' if count == 1 else 's'}, {result.read_ios} read IOs, {seconds * 1000:.1f} ms", err=True
            )

    def _execute(self, text: str, parameters: list[IonValue]) -> Result:
        if self.transaction is None:
            return self.session.run(text, *parameters)
        try:
            return self.transaction.execute(text, *parameters)
        except QldbError as error:
            if error.shape in ("OccConflictException", "InvalidSessionException"):
                self.transaction = None
            raise

    def leave(self) -> None:
        """Abort what is open and end the session."""
        if self.transaction is not None:
            self.transaction = None
            complain("the open transaction was not committed: nothing of it is kept")
        self.session.end()

    # --- commands ----------------------------------------------------------------------------------------

    def _start(self, _argument: str) -> None:
        if self.transaction is not None:
            raise Failure("A transaction is open already; commit or abort it first")
        self.transaction = self.session.begin()

    def _open(self) -> OpenTransaction:
        if self.transaction is None:
            raise Failure("No transaction is open; start begins one")
        transaction, self.transaction = self.transaction, None
        return transaction

    def _commit(self, _argument: str) -> None:
        self._open().commit()

    def _abort(self, _argument: str) -> None:
        self._open().abort()

    def _quit(self, _argument: str) -> None:
        self.is_over = True

    def _help(self, _argument: str) -> None:
        click.echo(HELP)

    def _describe(self, name: str) -> None:
        catalogue = read_catalogue(session(self._url, self._region, self.session.ledger))
        click.echo(table_text(catalogue, name) if name else tables_text(catalogue))

    def _ledgers(self, _argument: str) -> None:
        click.echo("\n".join(row["Name"] for row in all_ledgers(self._url, self._region)) or "no ledgers")

    def _connect(self, name: str) -> None:
        if not name:
            raise Failure("\\c needs the name of a ledger")
        other = session(self._url, self._region, name)
        self.leave()
        self.session = other

    def _explain(self, statement: str) -> None:
        click.echo(explained(statement, read_catalogue(session(self._url, self._region, self.session.ledger))))

    def _format(self, name: str) -> None:
        if name not in FORMATS:
            raise Failure(f"There is no format {name!r}: it is one of {', '.join(FORMATS)}")
        self.form = name

    def _timing(self, _argument: str) -> None:
        self.is_timing = not self.is_timing

    def table_names(self) -> list[str]:
        """For completion.  Raises QldbError, UnreachableError."""
        catalogue = read_catalogue(session(self._url, self._region, self.session.ledger))
        return [table.name for table in catalogue.tables if table.status == "ACTIVE"]


@click.command()
@click.argument("ledger", envvar="QLDB_EMULATOR_LEDGER")
@click.option("-c", "--command", "statements", multiple=True, metavar="STATEMENT", help="Run this and leave.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="ION", help="A parameter of -c, as Ion text.")
@click.option(
    "-i", "--input", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run a file and leave."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=None,
    envvar="QLDB_EMULATOR_FORMAT",
    help="How rows are shown.  [default: table on a terminal, else ion]",
)
@click.option("--timing", is_flag=True, envvar="QLDB_EMULATOR_TIMING", help="Show times and IOs.")
@url_option
@region_option
@answering
def shell(
    ledger: str,
    statements: tuple[str, ...],
    parameters: tuple[str, ...],
    file: Path | None,
    form: str | None,
    timing: bool,
    url: str,
    region: str | None,
) -> None:
    """PartiQL on LEDGER: at a prompt, from standard input, from a file, or in one line with -c.

    Away from the prompt, the first statement that fails ends everything with exit code 1.
    """
    if parameters and len(statements) != 1:
        raise click.UsageError("--parameter needs exactly one --command")
    values = [_parameter(number, text) for number, text in enumerate(parameters, 1)]
    if form is None:
        form = "table" if sys.stdout.isatty() else "ion"
    made = Shell(url, region, ledger, form, timing)
    try:
        if statements:
            for text in statements:
                run_script(made, text, values)
        elif file is not None:
            run_script(made, _read(file), [])
        elif not sys.stdin.isatty():
            run_script(made, sys.stdin.read(), [])
        else:
            prompt = Prompt(made)
            try:
                interact(made, prompt)
            finally:
                prompt.save()
    finally:
        with failures():
            made.leave()


def _parameter(number: int, text: str) -> IonValue:
    try:
        return loads(text)
    except IonError as error:
        raise click.BadParameter(f"number {number} is not Ion: {error}", param_hint="--parameter") from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error


def run_script(shell: Shell, text: str, parameters: list[IonValue]) -> None:
    """Run statements, separated by semicolons, and commands, each on a line.  Raises Failure with the line at fault."""
    for line, part in script_parts(shell, text):
        try:
            shell.run(part, parameters)
        except (QldbError, Failure) as error:
            message = error.message if isinstance(error, QldbError) else error.format_message()
            raise Failure(f"line {line}: {message}" if "\n" in text.strip() else message) from error
        if shell.is_over:
            return


def script_parts(shell: Shell, text: str) -> list[tuple[int, str]]:
    """(line, text) of every statement and command, in order."""
    parts: list[tuple[int, str]] = []
    block: list[str] = []
    begins = 1

    def end_block() -> None:
        script = split_statements("\n".join(block))
        parts.extend((begins + found.line - 1, found.text) for found in script.all())
        block.clear()

    for number, line in enumerate(text.splitlines(), 1):
        # A command inside an unfinished statement is part of it.
        if shell.is_command(line.strip()) and split_statements("\n".join(block)).rest is None:
            end_block()
            parts.append((number, line.strip()))
            begins = number + 1
        else:
            if not block:
                begins = number
            block.append(line)
    end_block()
    return parts


def interact(shell: Shell, prompt: Prompt) -> None:
    """Read, run, show, until the user leaves."""
    click.echo(f"Ledger {shell.session.ledger}. \\? for help, \\q to leave.", err=True)
    while not shell.is_over:
        try:
            text = prompt.read()
        except EOFError:
            click.echo(err=True)
            return
        except KeyboardInterrupt:
            click.echo(err=True)
            continue
        try:
            with failures():
                for _, part in script_parts(shell, text):
                    shell.run(part)
        except Failure as error:
            complain(error.format_message())
        except KeyboardInterrupt:
            complain("interrupted; the statement may still be running on the server")


def needs_more(shell: Shell, text: str) -> bool:
    """Whether the prompt should ask for another line: the statement is neither whole nor ended."""
    if not text.strip() or shell.is_command(text):
        return False
    rest = split_statements(text).rest
    return rest is not None and is_unfinished(rest.text)
