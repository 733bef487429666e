"""The prompt, made with prompt_toolkit: editing, history, completion, colours, the toolbar."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER, EditingMode
from prompt_toolkit.filters import Condition, completion_is_selected, emacs_mode, has_focus, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import ConditionalProcessor, HighlightMatchingBracketProcessor
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import create_output
from prompt_toolkit.styles import Style as ToolkitStyle
from prompt_toolkit.styles import merge_styles, style_from_pygments_cls
from pygments.styles import get_style_by_name
from pygments.util import ClassNotFound

from ...driver import LedgerSession
from ...driver.http import UnreachableError
from ...errors import QldbError
from ..connection import failures, open_transport
from ..failure import Failure, complain
from .carets import with_caret
from .completion import Fields, fields_of, suggestions
from .highlight import PartiqlLexer
from .state import Shell
from .statements import is_whole, parts

CATALOGUE_SECONDS = 5  # how long completion believes what it knows of the ledger
_COLOURS = ToolkitStyle.from_dict(
    {"bottom-toolbar": "noreverse bg:#303030 #d0d0d0", "toolbar.transaction": "#ffaf00 bold"}
)


class Prompt:
    """Reads statements and commands at a terminal.  Raises Failure for a style that does not exist."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._session: PromptSession[str] = PromptSession(
            output=create_output(always_prefer_tty=True),  # rows may go to a pipe while the prompt is on the terminal
            message=self._message,
            prompt_continuation=self._continuation,
            multiline=True,
            lexer=PygmentsLexer(PartiqlLexer),
            style=merge_styles([style_from_pygments_cls(_style(shell.settings.style)), _COLOURS]),
            completer=ThreadedCompleter(ShellCompleter(LedgerNames(shell))),
            complete_while_typing=True,
            history=FileHistory(str(history_file())),
            bottom_toolbar=None if shell.settings.is_quiet else self._toolbar,
            refresh_interval=0.5,  # seconds; the toolbar counts the transaction's time down
            enable_open_in_editor=True,
            tempfile_suffix=".partiql",
            key_bindings=self._keys(),
            input_processors=[ConditionalProcessor(HighlightMatchingBracketProcessor(chars="[](){}"), ~is_searching)],
        )

    def read(self) -> str:
        """What the user entered.  Raises EOFError, KeyboardInterrupt."""
        is_vi = self._shell.settings.editing_mode == "vi"
        self._session.editing_mode = EditingMode.VI if is_vi else EditingMode.EMACS
        return self._session.prompt()

    def _message(self) -> str:
        return f"{self._shell.session.ledger}{'*' if self._shell.transaction else ''}> "

    @staticmethod
    def _continuation(width: int, _line: int, _wraps: int) -> str:
        return "... ".rjust(width)

    def _toolbar(self) -> StyleAndTextTuples:
        shell = self._shell
        parts: StyleAndTextTuples = [("", f" {shell.session.ledger} ")]
        if shell.transaction is None:
            parts.append(("", " no transaction "))
        else:
            left = shell.seconds_left
            state = f"{left} s left" if left else "expired"
            parts.append(("class:toolbar.transaction", f" transaction {shell.transaction.id}  {state} "))
        mode = shell.settings.editing_mode
        if mode == "vi":
            mode += f" {get_app().vi_state.input_mode.value.removeprefix('vi-')}"
        parts.append(("", f" {shell.settings.form}  {mode}  \\? help "))
        return parts

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        is_editing = has_focus(DEFAULT_BUFFER) & ~is_searching

        @Condition
        def ends() -> bool:
            shell = self._shell
            return is_whole(get_app().current_buffer.text, shell.is_command, shell.settings.is_line_mode)

        # Pasted text does not come through these keys: the terminal brackets it, and it stays in the buffer whole.
        @keys.add("enter", filter=is_editing & completion_is_selected)
        def _choose(event: KeyPressEvent) -> None:
            event.current_buffer.complete_state = None

        @keys.add("enter", filter=is_editing & ends & ~completion_is_selected)
        def _accept(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter", filter=is_editing & emacs_mode)
        def _new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("tab", filter=is_editing)
        def _complete(event: KeyPressEvent) -> None:
            """Take the only completion, or go to the next one, or show them."""
            buffer = event.current_buffer
            state = buffer.complete_state
            if state is None:
                buffer.start_completion(insert_common_part=True)
            elif len(state.completions) == 1:
                buffer.apply_completion(state.completions[0])
            else:
                buffer.complete_next()

        @keys.add("f4")
        def _change_mode(event: KeyPressEvent) -> None:
            settings = self._shell.settings
            settings.editing_mode = "emacs" if settings.editing_mode == "vi" else "vi"
            event.app.editing_mode = EditingMode.VI if settings.editing_mode == "vi" else EditingMode.EMACS

        return keys


def _style(name: str) -> Any:
    try:
        return get_style_by_name(name)
    except ClassNotFound as error:
        raise Failure(f"--style: there is no style {name!r}; https://pygments.org/styles shows them") from error


class LedgerNames:
    """Tables and fields for completion, over a connection of its own.

    For the completion thread: it must neither wait for the user's statement nor be part of the user's transaction.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._lock = threading.Lock()
        self._of: tuple[str, str | None, str] | None = None
        self._tables: tuple[str, ...] = ()
        self._read_at = 0.0
        self._fields: dict[str, tuple[float, Fields]] = {}

    def tables(self) -> tuple[str, ...]:
        """The names of the active tables, read again after some seconds."""
        with self._lock, contextlib.suppress(QldbError, UnreachableError, Failure):
            self._forget_another_ledger()
            if time.monotonic() - self._read_at > CATALOGUE_SECONDS:
                query = "SELECT VALUE name FROM information_schema.user_tables WHERE status = 'ACTIVE'"
                self._tables = tuple(map(str, self._first_page(query)))
                self._read_at = time.monotonic()
        return self._tables

    def fields(self, table: str) -> Fields:
        """The fields of the documents on the first page of the table."""
        if table not in self.tables():
            return {}
        with self._lock, contextlib.suppress(QldbError, UnreachableError, Failure):
            read_at, _ = self._fields.get(table, (0.0, {}))
            if time.monotonic() - read_at > CATALOGUE_SECONDS:
                quoted = table.replace('"', '""')
                found = fields_of(self._first_page(f'SELECT * FROM "{quoted}"'))
                self._fields[table] = time.monotonic(), found
        return self._fields.get(table, (0.0, {}))[1]

    def _forget_another_ledger(self) -> None:
        of = (self._shell.url, self._shell.region, self._shell.session.ledger)
        if of != self._of:
            self._of, self._read_at, self._tables, self._fields = of, 0.0, (), {}

    def _first_page(self, statement: str) -> list[Any]:
        assert self._of is not None
        url, region, ledger = self._of
        with _connection(url, region, ledger) as own:
            transaction = own.begin()
            try:
                return next(transaction.open(statement).pages())
            finally:
                transaction.abort()


@contextlib.contextmanager
def _connection(url: str, region: str | None, ledger: str) -> Any:
    connection = open_transport(url, region)
    try:
        own = LedgerSession(connection, ledger)
        yield own
        own.end()
    finally:
        connection.close()


class ShellCompleter(Completer):
    """prompt_toolkit's question to ``completion``."""

    def __init__(self, ledger: LedgerNames) -> None:
        self._ledger = ledger

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The words that fit at the cursor.  While typing, only those that continue a word or follow a dot."""
        word, found = suggestions(document.text, document.cursor_position, self._ledger)
        before = document.text_before_cursor
        if not complete_event.completion_requested and not word and not before.endswith("."):
            return
        for row in found:
            yield Completion(row.text, -len(word), display_meta=row.about)


def history_file() -> Path:
    """Where entered statements are kept, readable by their user only."""
    path = Path(os.environ.get("QLDB_EMULATOR_HISTORY") or Path.home() / ".qldb-emulator-history")
    with contextlib.suppress(
        OSError, UnicodeDecodeError
    ):  # a home that cannot be written to: a session without history
        _convert(path)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
    return path


def _convert(path: Path) -> None:
    """Turn a history of earlier versions, a line for each entry, into prompt_toolkit's form."""
    if not path.is_file():
        return
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines or lines[0].startswith(("#", "+")):
        return
    path.write_text("".join(f"\n# earlier\n+{line}\n" for line in lines), encoding="utf-8")


def interact(shell: Shell, prompt: Prompt) -> None:
    """Read, run, show, until the user leaves."""
    if not shell.settings.is_quiet:
        click.echo(f"Ledger {shell.session.ledger} at {shell.url}\nStatements end with ;  \\? shows help", err=True)
    while not shell.is_over:
        try:
            text = prompt.read()
        except EOFError:
            return
        except KeyboardInterrupt:
            continue
        try:
            run_entered(shell, text)
        except KeyboardInterrupt:
            click.echo(shell.interrupt(), err=True)


def run_entered(shell: Shell, text: str) -> None:
    """Run what was entered, part by part.  An error is shown and ends it.  Raises KeyboardInterrupt."""
    for group in parts(text.split("\n"), shell.is_command, shell.settings.is_line_mode):
        for part in group:
            try:
                with failures():
                    try:
                        shell.run(part.text)
                    except QldbError as error:
                        raise Failure(with_caret(error.message, part.text)) from error
            except Failure as error:
                sys.stdout.flush()
                complain(error.format_message())
                return
            if shell.is_over:
                return
