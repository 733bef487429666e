"""Statements that a user keeps under a name, in a file of TOML."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from ..failure import Failure


class Favourites:
    """The statements in one file.  It is read when it is needed, so several shells can share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> dict[str, str]:
        """Every statement by its name.  Raises Failure when the file cannot be read."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{self._path} cannot be read: {error}") from error
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Failure(f"{self._path} is not TOML: {error}") from error
        return {name: statement for name, statement in found.items() if isinstance(statement, str)}

    def get(self, name: str) -> str:
        """The statement of this name.  Raises Failure."""
        found = self.all()
        if name not in found:
            names = ", ".join(found) or "there are none; \\ns NAME STATEMENT keeps one"
            raise Failure(f"Favourite {name} is not found: {names}")
        return found[name]

    def keep(self, name: str, statement: str) -> None:
        """Keep a statement, in the place of one of this name.  Raises Failure."""
        self._write({**self.all(), name: statement})

    def forget(self, name: str) -> None:
        """Remove a statement.  Raises Failure."""
        self.get(name)
        self._write({other: text for other, text in self.all().items() if other != name})

    def _write(self, found: dict[str, str]) -> None:
        # A string of JSON is a basic string of TOML, except that TOML wants DEL escaped.
        lines = [
            f"{json.dumps(name)} = {json.dumps(text)}\n".replace("\x7f", "\\u007f") for name, text in found.items()
        ]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text("".join(lines), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            raise Failure(f"{self._path} cannot be written: {error.strerror}") from error
