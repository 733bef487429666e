"""The prompt: line editing, history, completion of keywords, tables and commands, statements of several lines."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..driver.http import UnreachableError
from ..errors import QldbError
from ..partiql.syntax.reserved import RESERVED_WORDS

if TYPE_CHECKING:
    from .shell import Shell

HISTORY_LINES = 2_000
_COMMANDS = ("start", "commit", "abort", "exit", "\\d", "\\l", "\\c", "\\explain", "\\f", "\\timing", "\\q", "\\?")


class Prompt:
    """Reads from a terminal, with readline where Python has it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._tables: list[str] = []
        self._matches: list[str] = []
        self._readline = _readline()
        self._history = Path(os.environ.get("QLDB_EMULATOR_HISTORY") or Path.home() / ".qldb-emulator-history")
        if self._readline is not None:
            with contextlib.suppress(OSError):  # none yet, or not ours to read: begin without
                self._readline.read_history_file(self._history)
            self._readline.set_history_length(HISTORY_LINES)
            self._readline.set_completer(self.complete)
            self._readline.set_completer_delims(" \t\n,;()<>=[]{}'\".")
            self._readline.parse_and_bind("tab: complete")

    def read(self) -> str:
        """One command or one statement, whole as far as can be seen.  Raises EOFError, KeyboardInterrupt."""
        from .shell import needs_more

        lines = [input(self._shell.prompt)]
        while needs_more(self._shell, "\n".join(lines)):
            line = input("... ".rjust(len(self._shell.prompt)))
            if not line.strip():
                break
            lines.append(line)
        if len(lines) > 1 and self._readline is not None:
            self._join_history(lines)
        return "\n".join(lines)

    def _join_history(self, lines: list[str]) -> None:
        """One entry for the whole statement, so that an arrow brings all of it back."""
        assert self._readline is not None
        for _ in lines:
            length = self._readline.get_current_history_length()
            if length:
                self._readline.remove_history_item(length - 1)
        self._readline.add_history(" ".join(line.strip() for line in lines))

    def save(self) -> None:
        """Keep the history for the next time."""
        if self._readline is not None:
            with contextlib.suppress(OSError):  # a home that cannot be written to costs the history, not the session
                self._readline.write_history_file(self._history)

    def complete(self, text: str, state: int) -> str | None:
        """readline's question: the state-th word that text can become."""
        if state == 0:
            self._matches = self.matches(text)
        return self._matches[state] if state < len(self._matches) else None

    def matches(self, text: str) -> list[str]:
        """The words that begin like text: tables as they are written, keywords in the case of the text."""
        with contextlib.suppress(QldbError, UnreachableError):
            self._tables = self._shell.table_names()
        is_lower = bool(re.search("[a-z]", text)) and not re.search("[A-Z]", text)
        keywords = [word.lower() if is_lower else word for word in sorted(RESERVED_WORDS)]
        words = [*self._tables, *(f"_ql_committed_{name}" for name in self._tables), *_COMMANDS, *keywords]
        if not text:
            return [*self._tables, *_COMMANDS]
        return [word for word in words if word.startswith(text)]


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:  # Windows, and Pythons built without: plain input
        return None
    return readline
