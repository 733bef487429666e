"""Reads Ion text into values.

The lexer is a handful of regular expressions; one is tried where a value, a field name or a separator must be.  Every
repetition in them is possessive, so each takes linear time at most, whatever the text.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from .binary_reader import MAX_EXPONENT, MAX_FRACTION_DIGITS
from .numerals import MAX_DIGITS, parse_int
from .symbols import MAX_DEPTH, SYSTEM_SYMBOLS, TOO_DEEP, VERSION_MARKER_TEXT, is_symbol_table, next_table
from .values import (
    ION_TYPES,
    SYMBOL_ZERO,
    Annotated,
    Clob,
    IonError,
    IonValue,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    days_in_month,
    struct_of,
)

_BLANK = r"(?:[ \t\n\r\v\f]++|//[^\n\r]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+"
# What may follow a number, a timestamp or an infinity; also a comment, as in the Java reader that the service used.
_STOP = r"""(?=[{}\[\](),"'\ \t\n\r\v\f]|//|/\*|\Z)"""
_PLAIN = r"\\\x00-\x08\x0a\x0d\x0e-\x1f"  # ends the simple part of a text: escapes, line ends, forbidden controls
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*+"

_TOKEN = re.compile(
    _BLANK
    + rf"""(?:
      "([^"{_PLAIN}]*+)"                                    # 1 string without escapes
    | (-?[0-9][0-9A-Za-z_.:+\-]*+){_STOP}                   # 2 number or timestamp
    | null\.([A-Za-z0-9_$]*+)                               # 3 typed null
    | ({_NAME})                                             # 4 symbol or keyword
    | (\{{\{{)                                              # 5 blob or clob
    | ([\[\](){{}},:])                                      # 6 punctuation
    | (''')                                                 # 7 long string
    | '([^'{_PLAIN}]*+)'                                    # 8 quoted symbol without escapes
    | (["'])                                                # 9 string or quoted symbol with escapes
    | ([+-]inf){_STOP}                                      # 10 infinity
    | ((?:(?!//|/\*)[!\#%&*+\-./;<=>?@^`|~])++)             # 11 operator, in a sexp
    )""",
    re.VERBOSE,
).match
_STRING, _NUMBER, _TYPED_NULL, _WORD, _LOB, _PUNCTUATION, _LONG, _QUOTED, _ESCAPED, _INFINITY, _OPERATOR = range(1, 12)

_FIELD = re.compile(rf"""{_BLANK}(?:({_NAME})|"([^"{_PLAIN}]*+)"|(?!''')'([^'{_PLAIN}]*+)'){_BLANK}:(?!:)""").match
_AFTER_FIELD_NAME = re.compile(rf"{_BLANK}:(?!:)").match
_COMMA_OR_BRACE = re.compile(rf"{_BLANK}([,}}])").match
_COMMA_OR_BRACKET = re.compile(rf"{_BLANK}([,\]])").match
_DOUBLE_COLON = re.compile(rf"{_BLANK}::").match
_BLANKS = re.compile(_BLANK).match
_NEXT_LONG = re.compile(rf"{_BLANK}'''").match

_SHORT_BODIES = {quote: re.compile(rf"((?:[^{quote}\\\n\r]++|\\(?:\r\n|[\s\S]))*+){quote}").match for quote in "\"'"}
_LONG_BODY = re.compile(r"((?:[^'\\]++|\\[\s\S]|'(?!''))*+)'''").match
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|[\s\S]))")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f]").search
_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "v": "\v",
    '"': '"',
    "'": "'",
    "?": "?",
    "\\": "\\",
    "/": "/",
    "\n": "",
    "\r": "",
    "\r\n": "",
}
_SURROGATE = re.compile("[\ud800-\udfff]").search

_SPACE = r"[\ \t\n\r\v\f]*+"  # no comments within a lob
_LOB_BODY = re.compile(
    rf"""{_SPACE}(?:
      "((?:[^"\\\n\r]|\\(?:\r\n|[\s\S]))*+)"                     # 1 short clob
    | ((?:'''(?:[^'\\]|\\[\s\S]|'(?!''))*+'''{_SPACE})++)       # 2 long clob
    | ([A-Za-z0-9+/=\ \t\n\r\v\f]*+)                              # 3 blob
    ){_SPACE}\}}\}}""",
    re.VERBOSE,
).match
_LONG_SEGMENT = re.compile(r"'''((?:[^'\\]|\\[\s\S]|'(?!''))*+)'''")
_SPACES = re.compile(r"[ \t\n\r\v\f]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*+={0,2}\Z").match

_DIGITS = r"[0-9](?:_?[0-9])*+"
_WHOLE = r"-?(?:0|[1-9](?:_?[0-9])*+)"
_NUMERAL = re.compile(
    rf"""(?:
      ({_WHOLE})                                                                   # 1 int
    | ({_WHOLE}(?:\.(?:{_DIGITS})?+)?+)(?:[dD]([+-]?[0-9]++))?+                     # 2, 3 decimal
    | ({_WHOLE}(?:\.(?:{_DIGITS})?+)?+[eE][+-]?[0-9]++)                            # 4 float
    | (-?0[xX][0-9a-fA-F](?:_?[0-9a-fA-F])*+)                                      # 5 hexadecimal int
    | (-?0[bB][01](?:_?[01])*+)                                                    # 6 binary int
    )\Z""",
    re.VERBOSE,
).match
_TIMESTAMP = re.compile(
    r"""([0-9]{4})(?:T
        |-([0-9]{2})(?:T
            |-([0-9]{2})(?:T?+
                |T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]++))?+)?+(?:(Z)|([+-])([0-9]{2}):([0-9]{2})))))\Z""",
    re.VERBOSE,
).match

_KEYWORDS: dict[str, IonValue] = {"null": None, "true": True, "false": False, "nan": float("nan")}
_SYMBOL_ID = re.compile(r"\$[0-9]+\Z").match
_VERSION_MARKER = re.compile(r"\$ion_[0-9]+_[0-9]+\Z").match


NOTHING = object()
"""Instead of a value: there is none."""


def read_all(text: str, max_depth: int = MAX_DEPTH) -> Iterator[IonValue]:
    """Yield every top-level value of Ion text, in order, lazily.

    Raises IonError (while iterating), with line and column, for anything that is not Ion 1.0 text.
    """
    if not text.isascii() and _SURROGATE(text):
        raise IonError("the text has half of a surrogate pair")
    reader = _Reader(text, max_depth)
    pos = 0
    while pos < len(text):
        value, pos = reader.next_top(pos)
        if value is not NOTHING:
            yield value


class StreamReader:
    """Reads Ion text that arrives in parts; keeps the symbol table and the position between parts."""

    # A value with such an end cannot continue in the next part; others can: 1 and 12, a and a::b, '''a''' '''b'''.
    _CLOSED = frozenset('}])"')
    _LOOKAHEAD = 3

    def __init__(self, max_depth: int = MAX_DEPTH, lines: int = 0) -> None:
        """lines: how many stand before the stream, for messages."""
        self._reader = _Reader("", max_depth)
        self._reader.lines = lines
        self._max_depth = max_depth
        self._problem: IonError | None = None

    def read(self, text: str, at_end: bool) -> tuple[list[IonValue], str]:
        """Return (the complete values at the beginning of the text, the text after them).

        text: what the last call left, and more.  at_end: nothing follows; then all of the text must be read.
        Raises IonError, with line and column in the stream, where the first value cannot be read; values before such a
        one are returned first.
        """
        values: list[IonValue] = []
        reader, pos = self._reader, 0
        reader.text = text
        while pos < len(text):
            reader.depth = self._max_depth
            symbols = reader.symbols
            try:
                value, stop = reader.next_top(pos)
            except IonError as error:
                if not values and (at_end or str(error) == TOO_DEEP):
                    raise
                self._problem = error
                break
            if not (at_end or text[stop - 1] in self._CLOSED or self._is_over(text, stop)):
                reader.symbols = symbols
                break
            if value is not NOTHING:
                values.append(value)
            pos = stop
        reader.move_on(pos)
        return values, text[pos:]

    def _is_over(self, text: str, stop: int) -> bool:
        following = _end(_BLANKS(text, stop))
        return following + self._LOOKAHEAD < len(text) and text[following] != "/"

    def too_long(self, rest: str, most: int) -> IonError:
        """Return the error for a value that does not end within the most that may be buffered."""
        return IonError(f"no value can be read from {len(rest)} characters (the most tried is {most}): {self._problem}")


def _end(match: re.Match[str] | None) -> int:
    assert match is not None
    return match.end()


class _Reader:
    """The text, and the symbol table in force.

    lines, columns: what precedes the text, when it is part of a stream.
    """

    __slots__ = ("columns", "depth", "lines", "symbols", "text")

    def __init__(self, text: str, max_depth: int) -> None:
        self.text = text
        self.depth = max_depth
        self.symbols: Sequence[str] = SYSTEM_SYMBOLS
        self.lines = self.columns = 0

    def next_top(self, pos: int) -> tuple[IonValue, int]:
        """Return (the next top-level value, position after it); NOTHING for the end and for a symbol table."""
        token = _TOKEN(self.text, pos)
        if token is None:
            pos = _end(_BLANKS(self.text, pos))
            if pos < len(self.text):
                raise self.error(pos, "unexpected character")
            return NOTHING, pos
        if token.lastindex == _WORD and _VERSION_MARKER(token[_WORD]) and not _DOUBLE_COLON(self.text, token.end()):
            if token[_WORD] != VERSION_MARKER_TEXT:
                raise self.error(token.start(_WORD), f"unsupported Ion version marker {token[_WORD]}")
            self.symbols = SYSTEM_SYMBOLS
            return NOTHING, token.end()
        value, pos = self.value(token, False)
        if type(value) is Annotated and is_symbol_table(value.annotations, value.value):
            self.symbols = next_table(self.symbols, value.value)
            return NOTHING, pos
        # The symbol $ion_1_0 in any spelling is a no-op at the top (ion-tests nonIVMNoOps).
        return (NOTHING if type(value) is Symbol and value == VERSION_MARKER_TEXT else value), pos

    def move_on(self, pos: int) -> None:
        """Count the text before ``pos`` as consumed."""
        lines = self.text.count("\n", 0, pos)
        self.lines += lines
        self.columns = pos - self.text.rfind("\n", 0, pos) - 1 if lines else self.columns + pos

    def error(self, pos: int, problem: str) -> IonError:
        line = self.text.count("\n", 0, pos) + 1
        column = pos - (self.text.rfind("\n", 0, pos) + 1) + 1 + (self.columns if line == 1 else 0)
        line += self.lines
        seen = repr(self.text[pos : pos + 20]) if pos < len(self.text) else "the end of the text"
        return IonError(f"{problem} at line {line}, column {column}, before {seen}")

    def value(self, token: re.Match[str], in_sexp: bool) -> tuple[IonValue, int]:
        """Return (value, position after it) of the value that begins with this token, its annotations included."""
        annotations: list[str] | None = None
        while True:
            kind = token.lastindex
            pos = token.end()
            if kind == _STRING:
                value: IonValue = token[_STRING]
            elif kind == _NUMBER:
                value = self.number(token)
            elif kind == _WORD:
                value = token[_WORD]
                if _DOUBLE_COLON(self.text, pos) and value not in _KEYWORDS:
                    annotations, token = self.annotation(self.symbol(value, pos), annotations, pos)
                    continue
                value = _KEYWORDS[value] if value in _KEYWORDS else self.symbol(value, pos)
            elif kind == _PUNCTUATION:
                read = _CONTAINERS.get(token[_PUNCTUATION])
                if read is None:
                    raise self.error(token.start(_PUNCTUATION), "unexpected character")
                if not self.depth:
                    raise IonError(TOO_DEEP)
                self.depth -= 1
                value, pos = read(self, pos)
                self.depth += 1
            elif kind == _QUOTED or (kind == _ESCAPED and token[_ESCAPED] == "'"):
                value = Symbol(token[_QUOTED]) if kind == _QUOTED else None
                if value is None:
                    text, pos = self.escaped("'", pos)
                    value = Symbol(text)
                if _DOUBLE_COLON(self.text, pos):
                    annotations, token = self.annotation(value, annotations, pos)
                    continue
            else:
                value, pos = self.rarer(token, pos, in_sexp)
            return (value if annotations is None else Annotated(annotations, value)), pos

    def annotation(self, symbol: Symbol, annotations: list[str] | None, pos: int) -> tuple[list[str], re.Match[str]]:
        """Return the annotations with one more, and the token after its double colon."""
        if annotations is None:
            annotations = []
        annotations.append(symbol if symbol is SYMBOL_ZERO else str(symbol))
        pos = _end(_DOUBLE_COLON(self.text, pos))
        token = _TOKEN(self.text, pos)
        if token is None:
            raise self.error(pos, "an annotation without a value")
        return annotations, token

    def rarer(self, token: re.Match[str], pos: int, in_sexp: bool) -> tuple[IonValue, int]:
        kind = token.lastindex
        if kind == _ESCAPED:
            return self.escaped('"', pos)
        if kind == _LONG:
            return self.long_string(pos)
        if kind == _LOB:
            return self.lob(pos)
        if kind == _TYPED_NULL:
            name = token[_TYPED_NULL]
            if name not in ION_TYPES:
                raise self.error(token.start(_TYPED_NULL), "no such type of null")
            return TypedNull.of(name), pos
        if kind == _INFINITY:
            return float(token[_INFINITY]), pos
        assert kind == _OPERATOR
        if not in_sexp:
            raise self.error(token.start(_OPERATOR), "an operator outside an s-expression")
        return Symbol(token[_OPERATOR]), pos

    def symbol(self, word: str, pos: int) -> Symbol:
        """Return the symbol of an unquoted word: its text, or by its id ``$10``."""
        if word[0] == "$" and _SYMBOL_ID(word):
            number = int(word[1:]) if len(word) <= 20 else len(self.symbols)
            if number >= len(self.symbols):
                raise self.error(pos - len(word), "a symbol id that is not defined")
            word = self.symbols[number]
            if word is SYMBOL_ZERO:
                return SYMBOL_ZERO
        return Symbol(word)

    def list(self, pos: int) -> tuple[IonValue, int]:
        values: list[IonValue] = []
        while True:
            token = _TOKEN(self.text, pos)
            if token is None:
                raise self.error(pos, "a list that does not end")
            if token[_PUNCTUATION] == "]":
                return values, token.end()
            value, pos = self.value(token, False)
            values.append(value)
            separator = _COMMA_OR_BRACKET(self.text, pos)
            if separator is None:
                raise self.error(pos, "expected a comma or a closing bracket")
            pos = separator.end()
            if separator[1] == "]":
                return values, pos

    def sexp(self, pos: int) -> tuple[IonValue, int]:
        values = Sexp()
        while True:
            token = _TOKEN(self.text, pos)
            if token is None:
                raise self.error(pos, "an s-expression that does not end")
            if token[_PUNCTUATION] == ")":
                return values, token.end()
            value, pos = self.value(token, True)
            values.append(value)

    def struct(self, pos: int) -> tuple[IonValue, int]:
        fields: list[tuple[str, IonValue]] = []
        while True:
            found = _FIELD(self.text, pos)
            if found is not None:
                index = found.lastindex
                assert index is not None
                name = found[index]
                pos = found.end()
                if index == 1:
                    name = self.field_word(name, pos)
            else:
                token = _TOKEN(self.text, pos)
                if token is None:
                    raise self.error(pos, "a struct that does not end")
                if token[_PUNCTUATION] == "}":
                    return struct_of(fields), token.end()
                name, pos = self.field_name(token)
            token = _TOKEN(self.text, pos)
            if token is None:
                raise self.error(pos, "a field without a value")
            value, pos = self.value(token, False)
            fields.append((name, value))
            separator = _COMMA_OR_BRACE(self.text, pos)
            if separator is None:
                raise self.error(pos, "expected a comma or a closing brace")
            pos = separator.end()
            if separator[1] == "}":
                return struct_of(fields), pos

    def field_word(self, word: str, pos: int) -> str:
        if word in _KEYWORDS:
            raise self.error(pos - len(word) - 1, f"{word} must be quoted to be a field name")
        if word[0] != "$":
            return word
        symbol = self.symbol(word, pos - 1)
        return symbol if symbol is SYMBOL_ZERO else str(symbol)

    def field_name(self, token: re.Match[str]) -> tuple[str, int]:
        """Return (name, position after its colon) of a field name with escapes, or a long one."""
        if token.lastindex == _LONG:
            name, pos = self.long_string(token.end())
        elif token.lastindex == _ESCAPED:
            name, pos = self.escaped(token[_ESCAPED], token.end())
        else:
            raise self.error(token.start(token.lastindex or 0), "expected a field name")
        colon = _AFTER_FIELD_NAME(self.text, pos)
        if colon is None:
            raise self.error(pos, "expected a colon")
        return name, colon.end()

    def escaped(self, quote: str, pos: int) -> tuple[str, int]:
        """Return (text, position after it) of a short string or quoted symbol whose opening quote is before ``pos``."""
        body = _SHORT_BODIES[quote](self.text, pos)
        if body is None:
            raise self.error(pos - 1, "a text that does not end on its line")
        return self.unescaped(body[1], pos), body.end()

    def long_string(self, pos: int) -> tuple[str, int]:
        """Return (text, position after it) of the long strings in a row, the first of which opens before ``pos``."""
        parts = []
        while True:
            body = _LONG_BODY(self.text, pos)
            if body is None:
                raise self.error(pos - 3, "a long string that does not end")
            parts.append(self.unescaped(_normal_line_ends(body[1]), pos))
            pos = body.end()
            more = _NEXT_LONG(self.text, pos)
            if more is None:
                return "".join(parts), pos
            pos = more.end()

    def unescaped(self, body: str, pos: int) -> str:
        if _FORBIDDEN(body):
            raise self.error(pos, "a control character that must be escaped, in the text")
        if "\\" not in body:
            return body
        try:
            text = _ESCAPE.sub(_character, body)
            if _SURROGATE(text):  # two \u escapes may make one character
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except (KeyError, ValueError, OverflowError):
            raise self.error(pos, "an invalid escape in the text") from None
        return text

    def lob(self, pos: int) -> tuple[IonValue, int]:
        """Return (clob or blob, position after it) of the lob whose braces open before ``pos``."""
        body = _LOB_BODY(self.text, pos)
        if body is None:
            raise self.error(pos - 2, "a blob or clob that is not valid")
        if body[3] is None:
            segments = [body[1]] if body[1] is not None else map(_normal_line_ends, _LONG_SEGMENT.findall(body[2]))
            return Clob(b"".join([self.clob_octets(each, pos) for each in segments])), body.end()
        octets = _SPACES.sub("", body[3])
        if len(octets) % 4 or not _BASE64(octets):
            raise self.error(pos - 2, "a blob that is not base64 with its padding")
        return binascii.a2b_base64(octets), body.end()

    def clob_octets(self, segment: str, pos: int) -> bytes:
        if not segment.isascii() or any(escape[0] in "uU" for escape in re.findall(r"\\([\s\S])", segment)):
            raise self.error(pos - 2, "a clob with more than ASCII and \\x escapes")
        return self.unescaped(segment, pos).encode("latin-1")

    def number(self, token: re.Match[str]) -> IonValue:
        text = token[_NUMBER]
        if len(text) > MAX_DIGITS:
            raise self.error(token.start(_NUMBER), f"a number of more than {MAX_DIGITS} characters")
        found = _NUMERAL(text)
        if found is None:
            return self.timestamp(token)
        index = found.lastindex
        if "_" in text:
            text = text.replace("_", "")
        if index == 1:
            return parse_int(text)
        if index == 4:
            return float(text)
        if index == 5:
            return int(text, 16)
        if index == 6:
            return int(text, 2)
        exponent = found[3]
        if exponent is None:
            return Decimal(text)
        digits = exponent.lstrip("+-").lstrip("0")
        if len(digits) > 18 or int(digits or "0") > MAX_EXPONENT:
            raise self.error(token.start(_NUMBER), f"the exponent of a decimal is beyond {MAX_EXPONENT}")
        return Decimal(text.replace("d", "E").replace("D", "E"))

    def timestamp(self, token: re.Match[str]) -> Timestamp:
        found = _TIMESTAMP(token[_NUMBER])
        if found is None:
            raise self.error(token.start(_NUMBER), "neither a number nor a timestamp")
        year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
        fraction = found[7] or ""
        if not (year and 1 <= month <= 12 and 1 <= day <= days_in_month(year, month)):
            raise self.error(token.start(_NUMBER), "no such date")
        if found[4] is None:
            return Timestamp("day" if found[3] else "month" if found[2] else "year", year, month, day)
        hour, minute, second = int(found[4]), int(found[5]), int(found[6] or 0)
        offset: int | None = 0
        if found[8] is None:
            offset_hours, offset_minutes = int(found[10]), int(found[11])
            if offset_hours > 23 or offset_minutes > 59:
                raise self.error(token.start(_NUMBER), "no such offset from UTC")
            offset = offset_hours * 60 + offset_minutes
            if found[9] == "-":
                offset = -offset if offset else None
        if hour > 23 or minute > 59 or second > 59:
            raise self.error(token.start(_NUMBER), "no such time of day")
        if len(fraction) > MAX_FRACTION_DIGITS:
            raise self.error(token.start(_NUMBER), f"more than {MAX_FRACTION_DIGITS} digits of a second")
        precision = "minute" if found[6] is None else "second"
        return Timestamp(precision, year, month, day, hour, minute, second, fraction, offset)


_CONTAINERS = {"{": _Reader.struct, "[": _Reader.list, "(": _Reader.sexp}


def _normal_line_ends(text: str) -> str:
    """Turn every line end within a long string into a newline; an escaped line end does not count."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _character(escape: re.Match[str]) -> str:
    """Return what an escape stands for.

    Raises KeyError, ValueError or OverflowError for an escape that Ion does not have.
    """
    if escape[4] is not None:
        return _ESCAPES[escape[4]]
    return chr(int(escape[1] or escape[2] or escape[3], 16))
