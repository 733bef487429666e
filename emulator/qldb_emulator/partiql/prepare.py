"""A statement's text and a catalogue become a program: parsed, planned and compiled, once for each text."""

from __future__ import annotations

import threading
from typing import Final

from ..limits import KIB, MIB
from ..records import dataclass
from .execution.compiler import Program, compile_plan
from .planning.catalogue import Catalogue
from .planning.planner import plan
from .syntax.parser import DEFAULT_DEPTH, parse


def prepare(text: str, catalogue: Catalogue, max_depth: int = DEFAULT_DEPTH) -> Program:
    """The program of a text under a catalogue.  Raises PartiqlError."""
    return compile_plan(plan(parse(text, max_depth), catalogue))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program, and the catalogue for which it was made."""

    catalogue: Catalogue
    program: Program


class StatementCache:
    """Programs by text.  One per ledger; bounded in bytes; shared by all sessions.

    An application has tens of texts, not thousands, unless it writes values into them.  So the size is bounded: the
    oldest texts are dropped for new ones.
    """

    MAX_BYTES: Final = 16 * MIB
    # A program keeps its tree, plan and closures.  Measured on Python 3.11: 140 to 420 bytes a character of its text.
    PROGRAM_BYTES: Final = 4 * KIB
    CHARACTER_BYTES: Final = 420
    MAX_TEXT_CHARACTERS: Final = 4_000

    def __init__(self) -> None:
        self._prepared: dict[str, Prepared] = {}
        self._bytes = 0
        self._lock = threading.Lock()  # for changes; looking up needs no lock

    def prepare(self, text: str, catalogue: Catalogue, max_depth: int) -> Program:
        """The program of a text under a catalogue, from the cache if it is there.  Raises PartiqlError."""
        prepared = self._prepared.get(text)
        if prepared is not None and prepared.catalogue is catalogue:
            return prepared.program
        program = prepare(text, catalogue, max_depth)
        self._remember(text, Prepared(catalogue, program))
        return program

    def emptied(self) -> StatementCache:
        """A new cache of this kind."""
        return StatementCache()

    def has(self, text: str, catalogue: Catalogue) -> bool:
        """Whether the program of a text under a catalogue is kept."""
        prepared = self._prepared.get(text)
        return prepared is not None and prepared.catalogue is catalogue

    def _remember(self, text: str, prepared: Prepared) -> None:
        if len(text) > self.MAX_TEXT_CHARACTERS:
            return
        with self._lock:
            if text not in self._prepared:
                self._bytes += self.size_of(text)
            self._prepared[text] = prepared
            while self._bytes > self.MAX_BYTES:
                oldest = next(iter(self._prepared))
                del self._prepared[oldest]
                self._bytes -= self.size_of(oldest)

    @classmethod
    def size_of(cls, text: str) -> int:
        """About how many bytes the program of a text takes, at most."""
        return cls.PROGRAM_BYTES + cls.CHARACTER_BYTES * len(text)
