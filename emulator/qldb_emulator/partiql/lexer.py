"""Statement text to tokens: one regular expression, three parallel lists.

A token's *kind* is what the parser decides by: the lower-case word for a keyword (``"select"``), the characters for an
operator or bracket (``"<<"``), else one of the upper-case names below.  Its *value*: the text of a name or keyword
(quotes undone), the Ion value of a literal, the number (from 1) of a ``?``.

How the lexer reads is the library's (partiql.md 0): names are ASCII, ``1e0`` is a decimal, an Ion literal runs to the
next backtick outside its own strings and comments.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ..ion import codec
from ..ion.values import IonValue
from .arithmetic import ARITHMETIC
from .ast import Pos
from .errors import PartiqlError
from .reserved import KEYWORDS

IDENTIFIER: Final = "IDENTIFIER"
QUOTED_IDENTIFIER: Final = "QUOTED_IDENTIFIER"
LITERAL: Final = "LITERAL"
ION_LITERAL: Final = "ION_LITERAL"
END: Final = "EOF"

_SKIP = r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+"
_TOKEN = re.compile(
    r"""(?:
      ( [A-Za-z_$][A-Za-z0-9_$]*+ )                                         # 1 name or keyword
    | ( \.(?![0-9]) | <[=><]? | >[=>]? | != | \|\| | /(?!\*) | [(),?*=+%@:;{}[\]-] )   # 2 operator, bracket
    | ( '(?:[^']++|'')*+' )                                                 # 3 string
    | ( (?:[0-9]++(?:\.(?:[0-9]++)?)?|\.[0-9]++) (?:[eE][+-]?[0-9]++|(?![eE])) )   # 4 number
    | ( "(?:[^"]++|"")*+" )                                                 # 5 quoted name
    | ( `(?: [^`"'/{]++                                                     # 6 Ion literal, in which no backtick counts
          | "(?:[^"\\]++|\\.)*+"                                            #   in a string,
          | '''(?:[^'\\]++|\\.|'(?!''))*+''' | '(?:[^'\\]++|\\.)*+'         #   a long string or a quoted symbol,
          | //[^\n\r]*+[\n\r] | /\*(?:[^*]++|\*(?!/))*+\*/        #   a comment,
          | \{\{(?:[^}]++|\}(?!\}))*+\}\} | [/{] )*+` )                     #   a blob or a clob
    | ( . )                                                                 # 7 nothing that begins a token
    )""" + _SKIP,
    re.VERBOSE | re.DOTALL,
)  # fmt: skip
_LEADING = re.compile(_SKIP)
_LINE_END = re.compile(r"\r\n?|\n")
_BAD_EXPONENT = re.compile(r"[0-9.]+[eE][+-]?")
_MOST_DIGITS = 4300  # ours: Python converts no longer integers from or to text
_MOST_EXPONENT = 2**31 - 1  # the library's decimals have an exponent of 32 bits

_KEYWORD_KINDS = {word: sys.intern(word) for word in KEYWORDS}


class Tokens:
    """The tokens of one statement.  The last has kind EOF and stands just behind the text.

    kinds, values, offsets: parallel lists.  parameter_count: how many ``?``.
    """

    __slots__ = ("_line_starts", "kinds", "offsets", "parameter_count", "text", "values")

    def __init__(self, text: str) -> None:
        """Raises PartiqlError (Lexer) for what is no token."""
        self.text = text
        self.kinds: list[str] = []
        self.values: list[Any] = []
        self.offsets: list[int] = []
        self.parameter_count = 0
        self._line_starts: list[int] | None = None
        self._scan()

    def _scan(self) -> None:
        text = self.text
        add_kind, add_value, add_offset = self.kinds.append, self.values.append, self.offsets.append
        keyword = _KEYWORD_KINDS.get
        leading = _LEADING.match(text)
        for match in _TOKEN.finditer(text, leading.end() if leading else 0):
            group = match.lastindex
            lexeme: str = match[group]  # type: ignore[index]
            add_offset(match.start())
            if group == 1:
                add_kind(keyword(lexeme.lower(), IDENTIFIER))
                add_value(lexeme)
            elif group == 2:
                if lexeme == "?":
                    self.parameter_count += 1
                    add_value(self.parameter_count)
                else:
                    add_value(lexeme)
                add_kind(lexeme)
            elif group == 3:
                add_kind(LITERAL)
                add_value(lexeme[1:-1].replace("''", "'"))
            elif group == 4:
                add_kind(LITERAL)
                add_value(self._number(lexeme, match.start()))
            elif group == 5:
                add_kind(QUOTED_IDENTIFIER)
                add_value(lexeme[1:-1].replace('""', '"'))
            elif group == 6:
                add_kind(ION_LITERAL)
                add_value(self._ion(lexeme[1:-1], match.start()))
            else:
                raise self._bad_character(match.start())
        add_kind(END)
        add_value(END)
        add_offset(len(text))

    def _number(self, lexeme: str, offset: int) -> IonValue:
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
            return PartiqlError("Lexer", self.pos_at(offset), "invalid operator at, ^")
        if first in "'\"`/":  # not closed
            offset = len(text)
        elif first in "|!":  # half an operator
            offset += 1
        elif exponent := _BAD_EXPONENT.match(text, offset):
            offset = exponent.end()
        shown = "<EOF>" if offset >= len(text) else f"'{text[offset]}' [U+{ord(text[offset]):x}]"
        return PartiqlError("Lexer", self.pos_at(offset), f"invalid character at, {shown}")

    def line_of(self, offset: int) -> tuple[int, int, int]:
        """The line, from 1, on which an offset is, the offset where it begins and the one where the next begins."""
        starts = self._line_starts
        if starts is None:
            text = self.text
            has_lines = "\n" in text or "\r" in text
            ends = [match.end() for match in _LINE_END.finditer(text)] if has_lines else ()
            starts = self._line_starts = [0, *ends, len(text) + 1]
        line = bisect_right(starts, offset)
        return line, starts[line - 1], starts[line]

    def pos_at(self, offset: int) -> Pos:
        """Line and column, from 1, of an offset in the text."""
        line, start, _ = self.line_of(offset)
        return Pos(line, offset - start + 1)

    def pos(self, index: int) -> Pos:
        """Where a token begins."""
        return self.pos_at(self.offsets[index])
