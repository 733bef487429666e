"""The commands of the shell: ours begin with a backslash, those of AWS's shell have the names they had there.

A dot in the place of the backslash is understood too, as in sqlite.
"""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ... import __version__
from ..catalogue import plan_text, table_text, tables_text
from ..failure import Failure
from ..ledgers import all_ledgers
from .formats import FORMATS
from .settings import EDITING_MODES, EXPANDED

if TYPE_CHECKING:
    from .state import Shell

Run = Callable[["Shell", str], None]
PING_SECONDS = 10


class Command(NamedTuple):
    """names: the best known first.  A name without a backslash is a command only if nothing else stands on the line."""

    names: tuple[str, ...]
    usage: str
    about: str
    run: Run


def find_command(text: str) -> tuple[Command, str] | None:
    """The command on a line and its argument; None if the line is PartiQL, or an unknown command."""
    line = text.strip().rstrip(";").strip()
    words = " ".join(line.lower().split())
    if words in _BARE:
        return _BARE[words], ""
    if not line.startswith(("\\", ".")):
        return None
    line = "\\" + line[1:]
    words = " ".join(line.lower().split())
    if words in _BARE:  # \start transaction, \show tables
        return _BARE[words], ""
    name, argument = re.match(r"(\S+)\s*(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    command = _BY_NAME.get(name.lower())
    return None if command is None else (command, argument)


# --- transactions --------------------------------------------------------------------------------------------


def _begin(shell: Shell, _argument: str) -> None:
    shell.begin()


def _commit(shell: Shell, _argument: str) -> None:
    shell.end_transaction().commit()


def _abort(shell: Shell, _argument: str) -> None:
    shell.end_transaction().abort()


# --- what is there -------------------------------------------------------------------------------------------


def _describe(shell: Shell, name: str) -> None:
    catalogue = shell.catalogue()
    shell.output.message(table_text(catalogue, name) if name else tables_text(catalogue))


def _show_tables(shell: Shell, _argument: str) -> None:
    names = [table.name for table in shell.catalogue().tables if table.status == "ACTIVE"]
    shell.output.message("\n".join(f"- {name}" for name in names) or "no tables")


def _ledgers(shell: Shell, _argument: str) -> None:
    names = [row["Name"] for row in all_ledgers(shell.url, shell.region)]
    shell.output.message("\n".join(names) or "no ledgers")


def _use(shell: Shell, argument: str) -> None:
    """``\\use LEDGER``, or with the options that AWS's shell had."""
    words = argument.split()
    found = {"ledger": shell.session.ledger, "region": shell.region, "url": shell.url}
    names = {"-l": "ledger", "--ledger": "ledger", "-r": "region", "--region": "region"}
    names |= {"-s": "url", "--qldb-session-endpoint": "url", "--url": "url"}
    if len(words) == 1:
        found["ledger"] = words[0]
    elif not words or len(words) % 2 or any(word not in names for word in words[::2]):
        raise Failure("\\use needs the name of a ledger, or -l LEDGER, -r REGION, -s URL")
    else:
        found |= {names[option]: value for option, value in zip(words[::2], words[1::2], strict=True)}
    ledger, url = found["ledger"], found["url"]
    assert ledger is not None
    assert url is not None
    shell.connect(url, found["region"], ledger)
    if not shell.settings.is_quiet:
        shell.output.message(f"Ledger {shell.session.ledger} at {shell.url}")


def _status(shell: Shell, _argument: str) -> None:
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(shell.url.rstrip("/") + "/_qldb/health", timeout=PING_SECONDS):
            state = f"connected, {(time.perf_counter() - started) * 1000:.0f} ms"
    except (OSError, ValueError) as error:
        state = f"unavailable: {getattr(error, 'reason', error)}"
    transaction = "none"
    if shell.transaction is not None:
        transaction = f"{shell.transaction.id}, {shell.seconds_left} s left"
    lines = {
        "connection": state,
        "endpoint": shell.url,
        "region": shell.region or "the server's",
        "ledger": shell.session.ledger,
        "transaction": transaction,
        "version": __version__,
    }
    shell.output.message("\n".join(f"{name + ':':<12} {value}" for name, value in lines.items()))


def _env(shell: Shell, _argument: str) -> None:
    """The settings, as AWS's shell printed its environment."""
    settings = shell.settings
    lines = {
        "endpoint": shell.url,
        "region": shell.region or "the server's",
        "ledger": shell.session.ledger,
        "format": settings.form,
        "expanded": settings.expanded,
        "timing": _on_off(settings.is_timing),
        "quiet": _on_off(settings.is_quiet),
        "destructive": settings.destructive,
        "terminator-required": _on_off(not settings.is_line_mode),
        "edit-mode": settings.editing_mode,
        "style": settings.style,
        "pager": shell.output.pager or "off",
        "output": shell.output.file_name or "the terminal",
    }
    shell.output.message("\n".join(f"{name + ':':<20} {value}" for name, value in lines.items()))


def _on_off(value: bool) -> str:
    return "on" if value else "off"


def _explain(shell: Shell, statement: str) -> None:
    if not statement:
        raise Failure("\\explain needs a statement")
    shell.output.message(plan_text(statement, shell.catalogue()))


# --- settings ------------------------------------------------------------------------------------------------


def _format(shell: Shell, name: str) -> None:
    if name not in FORMATS:
        raise Failure(f"There is no format {name!r}: it is one of {', '.join(FORMATS)}")
    shell.settings.form = name


def _expanded(shell: Shell, argument: str) -> None:
    """Without an argument: on or off in turn."""
    wanted = argument.lower() or ("off" if shell.settings.expanded == "on" else "on")
    if wanted not in EXPANDED:
        raise Failure(f"\\x is followed by nothing or one of {', '.join(EXPANDED)}")
    shell.settings.expanded = wanted
    if wanted != "off":
        shell.settings.form = "table"
    _say(shell, f"Expanded display is {wanted}")


def _timing(shell: Shell, _argument: str) -> None:
    shell.settings.is_timing = not shell.settings.is_timing
    _say(shell, f"Timing is {_on_off(shell.settings.is_timing)}")


def _pager(shell: Shell, command: str) -> None:
    from .output import default_pager

    if command.lower() in ("", "on"):
        shell.output.pager = default_pager()
    else:
        shell.output.pager = "" if command.lower() == "off" else command
    _say(shell, f"The pager is {shell.output.pager or 'off'}")


def _set(shell: Shell, argument: str) -> None:
    """``\\set edit-mode vi`` and ``\\set terminator-required false``, as in AWS's shell."""
    name, _, value = argument.partition(" ")
    name, value = name.lower(), value.strip().lower()
    if name == "edit-mode" and value in EDITING_MODES:
        shell.settings.editing_mode = value
    elif name == "terminator-required" and value in ("true", "false"):
        shell.settings.is_line_mode = value == "false"
    else:
        raise Failure("\\set is followed by edit-mode emacs|vi, or terminator-required true|false")


def _output(shell: Shell, name: str) -> None:
    shell.output.to_file(name.strip("'\""))
    _say(shell, f"Rows go to {name or 'the terminal'}")


def _say(shell: Shell, text: str) -> None:
    """A confirmation, at a terminal only."""
    if os.isatty(1) and not shell.settings.is_quiet:
        shell.output.message(text)


# --- favourites, files ---------------------------------------------------------------------------------------


def _favourite(shell: Shell, name: str) -> None:
    if name:
        shell.run(shell.favourites.get(name))
        return
    found = shell.favourites.all()
    shell.output.message("\n".join(f"{key}: {text}" for key, text in found.items()) or "no favourites")


def _keep_favourite(shell: Shell, argument: str) -> None:
    name, _, statement = argument.partition(" ")
    if not name or not statement.strip():
        raise Failure("\\ns needs a name and a statement")
    shell.favourites.keep(name, statement.strip())
    _say(shell, f"Kept {name}")


def _forget_favourite(shell: Shell, name: str) -> None:
    shell.favourites.forget(name)
    _say(shell, f"Forgot {name}")


def _include(shell: Shell, name: str) -> None:
    from .script import read_file, run_script

    if not name:
        raise Failure("\\i needs the name of a file")
    path = Path(name.strip("'\"")).expanduser()
    run_script(shell, read_file(path), [], str(path))


def _load(shell: Shell, argument: str) -> None:
    from ..load import load_file

    words = argument.split()
    if len(words) == 3 and words[1] in ("--table", "-t"):
        words = [words[0], words[2]]
    if len(words) != 2:
        raise Failure("\\load needs a file and a table: \\load people.csv Person")
    if shell.transaction is not None:
        raise Failure("\\load commits in batches; commit or abort the open transaction first")
    path = Path(words[0].strip("'\"")).expanduser()
    shell.output.message(load_file(shell.session, path, words[1], None, False, shell.settings.is_quiet))


def _help(shell: Shell, _argument: str) -> None:
    shell.output.message(help_text())


def _quit(shell: Shell, _argument: str) -> None:
    shell.is_over = True


COMMANDS: tuple[Command, ...] = (
    Command(("begin", "start transaction", "start"), "", "start a transaction", _begin),
    Command(("commit",), "", "commit it", _commit),
    Command(("abort", "rollback"), "", "abort it", _abort),
    Command(("\\d", "\\dt", "\\tables", "\\describe"), "[TABLE]", "tables and their indexes, or one table", _describe),
    Command(("\\show tables", "show tables"), "", "the names of the tables", _show_tables),
    Command(("\\l", "\\ledgers", "\\show ledgers", "show ledgers"), "", "ledgers", _ledgers),
    Command(("\\use", "\\c", "\\connect"), "LEDGER", "go to another ledger; also -l LEDGER -r REGION -s URL", _use),
    Command(("\\status", "\\ping"), "", "connection, ledger and transaction", _status),
    Command(("\\env", "env"), "", "the settings", _env),
    Command(("\\explain",), "STATEMENT", "how a statement would read its tables", _explain),
    Command(("\\f", "\\format", "\\mode"), "FORMAT", f"show rows as {', '.join(FORMATS)}", _format),
    Command(("\\x",), "[on|off|auto]", "a line for each field, for wide rows", _expanded),
    Command(("\\timing", "\\timer"), "", "show or hide times and IOs", _timing),
    Command(("\\pager",), "[on|off|COMMAND]", "what shows long results", _pager),
    Command(("\\output", "\\o"), "[FILE]", "write rows to a file; without FILE to the terminal", _output),
    Command(("\\n",), "[NAME]", "run a favourite statement, or list them", _favourite),
    Command(("\\ns",), "NAME STATEMENT", "keep a statement as a favourite", _keep_favourite),
    Command(("\\nd",), "NAME", "forget a favourite", _forget_favourite),
    Command(("\\i", "\\read"), "FILE", "run the statements of a file", _include),
    Command(("\\load", "\\import"), "FILE TABLE", "insert the rows of a CSV, JSON, Ion or Parquet file", _load),
    Command(("\\set",), "NAME VALUE", "edit-mode emacs|vi, terminator-required true|false", _set),
    Command(("\\?", "\\help", "\\h", "help"), "", "this", _help),
    Command(("\\q", "\\quit", "\\exit", "exit", "quit"), "", "leave; also Ctrl-D", _quit),
)
_BARE = {
    name: command
    for command in COMMANDS
    for listed in command.names
    for name in ((listed, "\\" + listed) if not listed.startswith("\\") else (listed,) if " " in listed else ())
}
_BY_NAME = {
    name: command for command in COMMANDS for name in command.names if name.startswith("\\") and " " not in name
}


def help_text() -> str:
    """What \\? prints."""
    rows = [(f"{command.names[0]} {command.usage}".strip(), command) for command in COMMANDS]
    margin = max(len(name) for name, _ in rows)
    lines = [f"  {name.ljust(margin)}  {command.about}{_others(command)}" for name, command in rows]
    return "\n".join(
        [
            "A statement ends with a semicolon or an empty line.",
            "It runs in a transaction of its own unless one is open.",
            "",
            *lines,
            "",
            "Keys: Tab completes, Ctrl-C cancels, Ctrl-R searches the history, Alt-Enter begins a new line,",
            "Ctrl-X Ctrl-E opens $EDITOR, F4 changes between emacs and vi.",
        ]
    )


def _others(command: Command) -> str:
    others = [name for name in command.names[1:] if not name.startswith("\\") or " " in name]
    return f" (also: {', '.join(others)})" if others else ""
