"""PartiQL for Pygments.  The tokens are those of our own lexer, so colours and the parser agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pygments.lexer import Lexer
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from ...partiql.language.functions import FUNCTIONS
from ...partiql.syntax.lexer import lexemes
from ...partiql.syntax.reserved import RESERVED_WORDS

_FUNCTIONS = {*FUNCTIONS, "count", "sum", "avg", "min", "max", "cast", "history"}
_PUNCTUATION = frozenset("(),;{}[]:<<>>.")


class PartiqlLexer(Lexer):
    """QLDB's PartiQL."""

    name = "PartiQL"
    aliases = ("partiql",)
    filenames = ("*.partiql",)
    url = "https://partiql.org"

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """(offset, kind, text) of every piece of the text, without a gap."""
        done = 0
        for lexeme, begin, end in lexemes(text):
            if begin > done:
                yield from _between(text, done, begin)
            done = begin
            if lexeme is None:
                break
            yield begin, _kind(lexeme, text[end : end + 1]), lexeme
            done = end
        if done < len(text):  # what is not a token yet, such as a string without its end
            rest = text[done:]
            yield done, String if rest[0] in "'\"`" else Comment if rest.startswith("/*") else Error, rest


def _between(text: str, begin: int, end: int) -> Iterator[tuple[int, Any, str]]:
    """Blanks and comments."""
    piece = text[begin:end]
    lead = len(piece) - len(piece.lstrip())
    if lead:
        yield begin, Whitespace, piece[:lead]
    if piece[lead:]:
        yield begin + lead, Comment, piece[lead:]


def _kind(lexeme: str, following: str) -> Any:
    first = lexeme[0]
    if first.isalpha() or first in "_$":
        if lexeme.lower() in _FUNCTIONS and following == "(":
            return Name.Function
        return Keyword if lexeme.upper() in RESERVED_WORDS else Name
    if first == "'":
        return String
    if first == '"':
        return Name
    if first == "`":
        return String.Other
    if first.isdigit() or (first == "." and len(lexeme) > 1):
        return Number
    return Punctuation if lexeme in _PUNCTUATION or lexeme in ("<<", ">>") else Operator
