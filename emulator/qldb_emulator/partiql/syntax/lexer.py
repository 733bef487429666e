"""Statement text to tokens: one regular expression, three parallel lists.

A token's *kind* is what the parser decides by: the lower-case word for a keyword (``"select"``), the characters for an
operator or bracket (``"<<"``), else one of the upper-case names below.  Its *value*: the text of a name or keyword
(quotes undone), the Ion value of a literal, the number (from 1) of a ``?``.

The lexer reads as the library does (partiql.md 0): names are ASCII, ``1e0`` is a decimal, an Ion literal runs to the
next backtick outside its own strings and comments.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from string import ascii_letters
from typing import Any, Final

from ...ion import codec
from ...ion.values import IonValue
from ..language.arithmetic import ARITHMETIC
from ..language.errors import PartiqlError
from .ast import Pos
from .reserved import KEYWORDS

IDENTIFIER: Final = "IDENTIFIER"
QUOTED_IDENTIFIER: Final = "QUOTED_IDENTIFIER"
LITERAL: Final = "LITERAL"
ION_LITERAL: Final = "ION_LITERAL"
END: Final = "EOF"

_SKIP = r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+"
_TOKEN = re.compile(
    r"""(?:(
        [A-Za-z_$][A-Za-z0-9_$]*+                                           # name or keyword
      | \.(?![0-9]) | <[=><]? | >[=>]? | != | \|\| | /(?!\*) | [(),?*=+%@:;{}[\]-]   # operator, bracket
      | '(?:[^']++|'')*+'                                                   # string
      | (?:[0-9]++(?:\.(?:[0-9]++)?)?|\.[0-9]++) (?:[eE][+-]?[0-9]++|(?![eE]))   # number
      | "(?:[^"]++|"")*+"                                                   # quoted name
      | `(?: [^`"'/{]++                                                     # Ion literal, in which no backtick counts
          | "(?:[^"\\]++|\\.)*+"                                            #   in a string,
          | '''(?:[^'\\]++|\\.|'(?!''))*+''' | '(?:[^'\\]++|\\.)*+'         #   a long string or a quoted symbol,
          | //[^\n\r]*+[\n\r] | /\*(?:[^*]++|\*(?!/))*+\*/        #   a comment,
          | \{\{(?:[^}]++|\}(?!\}))*+\}\} | [/{] )*+`                       #   a blob or a clob
      ) | . | \Z )                                                          # nothing that begins a token; the end
    ("""
    + _SKIP
    + ")",
    re.VERBOSE | re.DOTALL,
)
_LEADING = re.compile(_SKIP)
_LINE_END = re.compile(r"\r\n?|\n")
_BAD_EXPONENT = re.compile(r"[0-9.]+[eE][+-]?")
_MOST_DIGITS = 4300  # ours: Python converts no longer integers from or to text
_MOST_EXPONENT = 2**31 - 1  # the library's decimals have an exponent of 32 bits

_KEYWORD_KINDS = {word: sys.intern(word) for word in KEYWORDS}
_SIGNS = ("<=", "<>", "<<", ">=", ">>", "!=", "||", *".</>(),*=+%@:;{}[]-")
# Lexeme -> (kind, value), so that its characters need not be examined: keywords in small or capital letters, operators,
# brackets, and the names of earlier statements.
_KNOWN = {
    **{word: (kind, word) for word, kind in _KEYWORD_KINDS.items()},
    **{word.upper(): (kind, word.upper()) for word, kind in _KEYWORD_KINDS.items()},
    **{sign: (sign, sign) for sign in _SIGNS},
}
_KNOWN_MOST = len(_KNOWN) + 1024
_KNOWN_CHARACTERS = 64  # of a name that is kept
_NAME_STARTS = frozenset("$_" + ascii_letters)


def _name(lexeme: str) -> tuple[str, str]:
    """Kind and value of a name, or of a keyword in letters of both sizes."""
    pair = _KEYWORD_KINDS.get(lexeme.lower(), IDENTIFIER), lexeme
    # A full dictionary stays as it is: a server's statements use the names of its first statements again and again.
    if len(_KNOWN) < _KNOWN_MOST and len(lexeme) <= _KNOWN_CHARACTERS:
        _KNOWN[lexeme] = pair
    return pair


_KEPT_LINES, _KEPT_COLUMNS = 64, 128
_new_pos = tuple.__new__  # half the time of Pos(...)


@cache
def _places_in(line: int) -> tuple[Pos, ...]:
    """The first positions of a line, for all statements: to make one takes five times as long as to find it here."""
    return tuple([Pos(line, column) for column in range(1, _KEPT_COLUMNS + 1)]) if line <= _KEPT_LINES else ()


class Tokens:
    """The tokens of one statement.  The last has kind EOF and stands just behind the text.

    kinds, values, places: parallel lists; places are where the tokens begin.  parameter_count: how many ``?``.
    """

    __slots__ = ("_line_starts", "kinds", "parameter_count", "places", "text", "values")

    def __init__(self, text: str) -> None:
        """Raises PartiqlError (Lexer) for text that is not a token."""
        self.text = text
        self.kinds: list[str] = []
        self.values: list[Any] = []
        self.places: list[Pos] = []
        self.parameter_count = 0
        self._line_starts = [0, *_line_ends(text), len(text) + 1]
        self._scan()

    def _scan(self) -> None:
        text, count = self.text, 0
        add_kind, add_value, add_place = self.kinds.append, self.values.append, self.places.append
        known = _KNOWN.get
        leading = _LEADING.match(text)
        offset = leading.end() if leading else 0
        starts = self._line_starts
        line = start = end = width = 0
        kept: tuple[Pos, ...] = ()
        for lexeme, skipped in _TOKEN.findall(text, offset):
            if offset >= end:
                while offset >= end:
                    start, end, line = end, starts[line + 1], line + 1
                kept = _places_in(line)
                width = len(kept)
            column = offset - start
            add_place(kept[column] if column < width else _new_pos(Pos, (line, column + 1)))
            pair = known(lexeme)
            if pair is not None:
                kind, value = pair
                add_kind(kind)
                add_value(value)
            elif (first := lexeme[:1]) in _NAME_STARTS:
                kind, value = _name(lexeme)
                add_kind(kind)
                add_value(value)
            elif first == "?":
                count += 1
                add_kind("?")
                add_value(count)
            elif first == "'":
                add_kind(LITERAL)
                add_value(lexeme[1:-1].replace("''", "'"))
            elif first == '"':
                add_kind(QUOTED_IDENTIFIER)
                add_value(lexeme[1:-1].replace('""', '"'))
            elif first == "`":
                add_kind(ION_LITERAL)
                add_value(self._ion(lexeme[1:-1], offset))
            elif first:
                add_kind(LITERAL)
                add_value(self._number(lexeme, offset))
            elif offset < len(text):
                raise self._bad_character(offset)
            else:
                add_kind(END)
                add_value(END)
            offset += len(lexeme) + len(skipped)
        self.parameter_count = count

    def _number(self, lexeme: str, offset: int) -> IonValue:
        end = offset + len(lexeme)
        if lexeme.endswith(".") and self.text[end : end + 1] == ".":
            raise PartiqlError("Lexer", self.pos_at(end + 1), f"invalid literal at, {lexeme}.")
        if lexeme.isdigit():
            if len(lexeme) <= _MOST_DIGITS:
                return int(lexeme)
        else:
            try:
                number = Decimal(lexeme)
                if abs(number.as_tuple().exponent) <= _MOST_EXPONENT:  # type: ignore[arg-type]
                    return ARITHMETIC.plus(number)  # the library rounds literals, too
            except InvalidOperation:  # an exponent beyond even Python's bounds
                pass
        raise PartiqlError("Lexer", self.pos_at(offset), f"invalid literal at, {lexeme}")

    def _ion(self, literal: str, offset: int) -> IonValue:
        try:
            return codec.loads(literal)
        except codec.IonError as error:
            raise PartiqlError("Lexer", self.pos_at(offset), f"invalid ion literal at, {literal}") from error

    def _bad_character(self, offset: int) -> PartiqlError:
        """The error for text that begins no token.  As in the library it stands at the character that cannot go on."""
        text = self.text
        first = text[offset]
        if first == "^":
            return PartiqlError("Lexer", self._behind(offset + 1), "invalid operator at, ^")
        if first in "'\"`/":  # not closed
            offset = len(text)
        elif first in "|!":  # half an operator
            offset += 1
        elif exponent := _BAD_EXPONENT.match(text, offset):
            offset = exponent.end()
        shown = "<EOF>" if offset >= len(text) else f"'{text[offset]}' [U+{ord(text[offset]):x}]"
        return PartiqlError("Lexer", self._behind(offset), f"invalid character at, {shown}")

    def _behind(self, offset: int) -> Pos:
        """How far the library has read: it counts a line's end to the line after it."""
        pos = self.pos_at(offset)
        return Pos(pos.line + 1, 0) if self.text[offset : offset + 1] == "\n" else pos

    def pos_at(self, offset: int) -> Pos:
        """Line and column, from 1, of an offset in the text."""
        line = bisect_right(self._line_starts, offset)
        return Pos(line, offset - self._line_starts[line - 1] + 1)

    def pos(self, index: int) -> Pos:
        """Where a token begins."""
        return self.places[index]


def _line_ends(text: str) -> list[int]:
    """The offsets behind each line's end."""
    if "\r" in text:
        return [match.end() for match in _LINE_END.finditer(text)]
    ends = []
    end = text.find("\n") + 1
    while end:
        ends.append(end)
        end = text.find("\n", end) + 1
    return ends


def lexemes(text: str) -> Iterator[tuple[str | None, int, int]]:
    """(lexeme, where it begins, where it ends), one after the other; None for other text, and for the end."""
    leading = _LEADING.match(text)
    for match in _TOKEN.finditer(text, leading.end() if leading else 0):
        lexeme = match[1]
        yield lexeme, match.start(), match.start() if lexeme is None else match.end(1)
