"""LIKE: a pattern as a function of the text, without backtracking."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from typing import Final

from ...budget import check
from . import faults
from .texts import SHOWN_CHARACTERS


@lru_cache(maxsize=256)
def like_matcher(pattern: str, escape: str | None) -> Callable[[str], bool]:
    """A pattern as a function of the text; takes time proportional to text times pattern at worst.

    escape: one character (``check_escape``).  Raises PartiqlError when it stands before anything but ``%``, ``_`` or
    itself.
    """
    runs = [_find_run(run) for run in _like_runs(pattern, escape)]
    lengths = [length for length, _, _ in runs]
    total = sum(lengths)
    if len(runs) == 1:
        _, _, at = runs[0]
        return lambda text: len(text) == total and at(text, 0)
    first_length, _, starts = runs[0]
    last_length, _, ends = runs[-1]
    middle = [(length, find) for length, find, _ in runs[1:-1] if length]

    def matches(text: str) -> bool:
        size = len(text)
        if size < total or not starts(text, 0) or not ends(text, size - last_length):
            return False
        position, stop = first_length, size - last_length
        for length, find in middle:
            position = find(text, position, stop)
            if position < 0:
                return False
            position += length
        return True

    return matches


_REGEX_CHARACTERS: Final = 200
_ANY_CHARACTER: Final = None
_Run = list[str | None]  # characters; None stands for "_"


def _like_runs(pattern: str, escape: str | None) -> list[_Run]:
    """The parts of a pattern between its ``%``."""
    runs: list[_Run] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, "")
            if escaped not in ("%", "_", escape):
                raise faults.LIKE_ESCAPE_SEQUENCE(pattern=pattern[:SHOWN_CHARACTERS], escape=escape)
            runs[-1].append(escaped)
        elif character == "%":
            runs.append([])
        else:
            runs[-1].append(_ANY_CHARACTER if character == "_" else character)
    return runs


def check_escape(escape: str) -> None:
    """Raise PartiqlError unless the text is one character.  Its length counts as UTF-16 has it, like Java's strings."""
    if not escape:
        raise faults.LIKE_ESCAPE_EMPTY(escape='""')
    if len(escape) != 1 or escape > "\uffff":
        raise faults.LIKE_ESCAPE_SIZE(escape=escape[:SHOWN_CHARACTERS])


def _find_run(
    run: _Run,
) -> tuple[int, Callable[[str, int, int], int], Callable[[str, int], bool]]:
    """(length, find(text, start, stop) -> position or -1, whether it stands at a position)."""
    length = len(run)
    if _ANY_CHARACTER not in run:
        word = "".join(character for character in run if character is not None)
        return length, lambda text, start, end: text.find(word, start, end), lambda text, at: text.startswith(word, at)
    if length <= _REGEX_CHARACTERS:
        expression = re.compile("".join("." if c is _ANY_CHARACTER else re.escape(c) for c in run), re.DOTALL)

        def search(text: str, start: int, stop: int) -> int:
            found = expression.search(text, start, stop)
            return found.start() if found else -1

        return length, search, lambda text, at: expression.match(text, at) is not None
    return length, *_find_long_run(run)


def _find_long_run(run: _Run) -> tuple[Callable[[str, int, int], int], Callable[[str, int], bool]]:
    """As _find_run, for a run with ``_`` that is too long for ``re``: it takes seconds to compile one of 100,000."""
    words = _words(run)
    length = len(run)

    def stands(text: str, at: int) -> bool:
        check()
        for offset, word in words:
            if not text.startswith(word, at + offset):
                return False
        return at + length <= len(text)

    if not words:
        return lambda text, start, stop: start if start + length <= stop else -1, stands
    offset, word = max(words, key=lambda each: len(each[1]))

    def find(text: str, start: int, stop: int) -> int:
        last = stop - length + offset + len(word)
        while (at := text.find(word, start + offset, last)) >= 0:
            start = at - offset
            if stands(text, start):
                return start
            start += 1
        return -1

    return find, stands


def _words(run: _Run) -> list[tuple[int, str]]:
    """(offset, text) of the parts of a run between its ``_``."""
    words: list[tuple[int, str]] = []
    begin = 0
    for is_any, part in groupby(run, lambda character: character is _ANY_CHARACTER):
        characters = list(part)
        if not is_any:
            words.append((begin, "".join(c for c in characters if c is not None)))
        begin += len(characters)
    return words
