"""What differs between the emulator and the library, and why: ``differences.toml``, a row each.

A row explains a difference when everything it has matches.  Its members:

name, reason, source   for people: what differs, why ours stays as it is, and how that is known
example                a statement that shows it; ``parameters`` its parameters
statement              a regular expression for the statement
ours, library          regular expressions for the two answers, as ``Answer.whole`` writes them
parsed                 true when the example is only parsed (DML)
same_text              true: both are the same run-time error, without a code in the library, at different places
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from library import Answer, Library, Request
from ours import normal

TABLE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True, slots=True)
class Difference:
    """One statement with two answers.  row: the name of the row that explains it, None when there is none."""

    request: Request
    ours: Answer
    theirs: Answer
    row: str | None

    @property
    def kind(self) -> str:
        """What sort of difference it is, so that one of each is shown."""
        return f"{_kind(self.ours)} / {_kind(self.theirs)}"

    def described(self) -> str:
        parameters = "" if self.request.parameters == "[]" else f"   with {self.request.parameters}"
        return f"\n{self.request.statement}{parameters}\n  ours     {self.ours.whole}\n  library  {self.theirs.whole}"


def _kind(answer: Answer) -> str:
    if answer.value is not None:
        shape = re.match(r"\$bag::\[|\$missing|[\[{(]", answer.value)
        return f"value {shape[0] if shape else ''}"
    text = re.sub(r"column \d+|line \d+", "", answer.text)
    return f"{answer.code} {text.split(',')[0][:60]} {re.split('[:0-9]', answer.thrown)[0][:40]}"


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    example: Request
    statement: re.Pattern[str]
    ours: re.Pattern[str]
    library: re.Pattern[str]
    is_same_text: bool

    def explains(self, request: Request, ours: Answer, theirs: Answer) -> bool:
        if self.is_same_text and (theirs.value is not None or theirs.code is not None or ours.thrown != theirs.thrown):
            return False
        return bool(
            self.ours.search(ours.whole)
            and self.library.search(theirs.whole)
            and self.statement.search(request.statement)
        )


class Differences:
    """The table."""

    def __init__(self, path: Path = TABLE) -> None:
        self.table: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("difference", [])
        self.rows = [_row(row) for row in self.table]

    def between(self, request: Request, ours: Answer, theirs: Answer) -> Difference | None:
        """The difference between two answers; None when they are equal."""
        if are_equal(ours, theirs):
            return None
        row = next((row.name for row in self.rows if row.explains(request, ours, theirs)), None)
        return Difference(request, ours, theirs, row)

    def stale(self, library: Library, ask: Callable[[Request], Answer]) -> list[str]:
        """The rows whose example does not show their difference."""
        found = []
        for row in self.rows:
            difference = self.between(row.example, ask(row.example), library.ask(row.example))
            if difference is None or difference.row != row.name:
                found.append(row.name)
        return found


def _row(row: dict[str, Any]) -> Row:
    def pattern(key: str) -> re.Pattern[str]:
        return re.compile(row.get(key, ""), re.DOTALL | (re.IGNORECASE if key == "statement" else 0))

    example = Request(row["example"], row.get("parameters", "[]"), row.get("parsed", False))
    return Row(
        row["name"], example, pattern("statement"), pattern("ours"), pattern("library"), row.get("same_text", False)
    )


_NOWHERE = "at line <UNKNOWN>, column <UNKNOWN>"


def are_equal(ours: Answer, theirs: Answer) -> bool:
    """Whether two answers are the same to the byte.

    An error to which the library gives no code has no text of its first half, only the second half, and perhaps a
    place.
    """
    if ours.value is not None and theirs.value is not None:
        return ours.value == theirs.value or normal(ours.value) == normal(theirs.value)
    if ours.value is not None or theirs.value is not None:
        return False
    if theirs.code is None:
        is_at = theirs.line is None or (ours.line, ours.column) == (theirs.line, theirs.column)
        return ours.code == "Evaluator" and is_at and ours.thrown == theirs.thrown
    if theirs.line is None:
        return ours.whole == theirs.whole.replace(_NOWHERE, f"at line {ours.line}, column {ours.column}")
    return ours.whole == theirs.whole
