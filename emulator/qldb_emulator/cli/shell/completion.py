"""What could stand at a place in a statement: tables, fields, functions, keywords, commands of the shell.

Pure: a statement's text, the cursor's place, and what is known of the ledger go in, words come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from ...ion.values import IonValue, is_null, strip_annotations, struct_items
from ...partiql.language.errors import PartiqlError
from ...partiql.language.functions import FUNCTIONS
from ...partiql.syntax.lexer import lexemes
from ...partiql.syntax.parser import parse
from ...partiql.syntax.reserved import RESERVED_WORDS
from .commands import COMMANDS
from .formats import FORMATS
from .settings import EXPANDED

Fields = dict[str, "Fields"]
"""Names of fields, each with the names of the fields in it."""

COMMITTED = "_ql_committed_"
USER_TABLES = "information_schema.user_tables"
_METADATA: Fields = {"id": {}, "version": {}, "txTime": {}, "txId": {}}
_USER_TABLE: Fields = {"tableId": {}, "name": {}, "indexes": {"indexId": {}, "expr": {}, "status": {}}, "status": {}}
_BEGINNINGS = (
    *("SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "FROM"),
    *("CREATE TABLE", "CREATE INDEX ON", "DROP TABLE", "DROP INDEX", "UNDROP TABLE", "EXEC REDACT_REVISION"),
)
_TABLE_FOLLOWS = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "HISTORY", "ON"})
_CLAUSES = frozenset({"SELECT", "FROM", "WHERE", "SET", "INTO", "VALUE", "BY", "ON", "REMOVE", "UPDATE", "TABLE"})
_TYPES = (
    "NULL",
    "MISSING",
    "NOT",
    "BOOL",
    "INT",
    "FLOAT",
    "DECIMAL",
    "TIMESTAMP",
    "STRING",
    "SYMBOL",
    "LIST",
    "STRUCT",
)
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_WORD = re.compile(r"[A-Za-z0-9_$]*\Z")


class Ledger(Protocol):
    """What completion asks of a ledger.  Both answer with what is known, and raise nothing."""

    def tables(self) -> Sequence[str]:
        """The names of the active tables."""
        ...

    def fields(self, table: str) -> Fields:
        """The fields of some of a table's documents."""
        ...


class Suggestion(NamedTuple):
    """text: the whole word.  about: what it is."""

    text: str
    about: str


def fields_of(documents: Iterable[IonValue]) -> Fields:
    """The fields of documents and of what is in them."""
    found: Fields = {}
    for document in documents:
        _add_fields(found, strip_annotations(document))
    return found


def _add_fields(found: Fields, value: IonValue) -> None:
    if isinstance(value, dict) and not is_null(value):
        for name, item in struct_items(value):
            _add_fields(found.setdefault(str(name), {}), strip_annotations(item))
    elif isinstance(value, list):
        for item in value:
            _add_fields(found, strip_annotations(item))


def suggestions(text: str, cursor: int, ledger: Ledger) -> tuple[str, list[Suggestion]]:
    """(the part of a word before the cursor, what it could become)."""
    if text[:cursor].lstrip().startswith("\\"):
        return _for_command(text[:cursor].lstrip(), ledger)
    match = _WORD.search(text, 0, cursor)
    word = match[0] if match else ""
    statement = _Statement(text, cursor - len(word), cursor)
    if statement.is_in_literal:
        return word, []
    found = list(dict.fromkeys(statement.suggestions(word, ledger)))
    begins = word.lower()
    return word, [row for row in found if row.text.strip('"').lower().startswith(begins) and row.text != word]


def _for_command(line: str, ledger: Ledger) -> tuple[str, list[Suggestion]]:
    name, blank, argument = line.partition(" ")
    if not blank:
        rows = [Suggestion(n, c.about) for c in COMMANDS for n in c.names[:1] if n.startswith("\\") and " " not in n]
        return name, [row for row in rows if row.text.startswith(name)]
    if name in ("\\f", "\\format", "\\mode"):
        rows = [Suggestion(form, "format") for form in FORMATS]
    elif name == "\\x":
        rows = [Suggestion(value, "") for value in EXPANDED]
    elif name in ("\\d", "\\dt"):
        rows = [Suggestion(table, "table") for table in ledger.tables()]
    elif name == "\\explain":
        return suggestions(argument, len(argument), ledger)
    else:
        rows = []
    word = argument.rpartition(" ")[2]
    return word, [row for row in rows if row.text.lower().startswith(word.lower())]


class _Statement:
    """The statement around the cursor.  before: its tokens before the word; all: of the whole, without that word."""

    def __init__(self, text: str, word_start: int, cursor: int) -> None:
        self.before: list[str] = []
        self.all: list[str] = []
        self.is_in_literal = False
        last_end = 0
        for lexeme, begin, end in lexemes(text):
            if lexeme is None:
                # A literal or a comment that is not closed: in it there is nothing to complete.
                self.is_in_literal = begin < word_start and begin < len(text)
                break
            if begin < word_start < end or (begin < cursor < end and lexeme[0] in "'\"`"):
                self.is_in_literal = True
                break
            if lexeme == ";":
                if begin >= word_start:
                    break
                self.before, self.all = [], []
            elif end <= word_start:
                self.before.append(lexeme)
                self.all.append(lexeme)
            elif begin >= cursor:
                self.all.append(lexeme)
            if end <= word_start:
                last_end = end
        between = text[last_end:word_start]
        line = between.rpartition("\n")[2]
        self.is_in_literal |= "--" in line or between.rfind("/*") > between.rfind("*/")

    def suggestions(self, word: str, ledger: Ledger) -> Iterator[Suggestion]:
        before = [token.upper() for token in self.before]
        last = before[-1] if before else ""
        if not before:
            yield from (Suggestion(_cased(text, word), "statement") for text in _BEGINNINGS)
            yield from (Suggestion(n, c.about) for c in COMMANDS for n in c.names if not n.startswith("\\"))
        elif last == ".":
            yield from (Suggestion(_quoted(name, is_step=True), "field") for name in self._path_fields(ledger))
        elif self._wants_table(before):
            yield from self._sources(word, ledger)
        elif last == "IS" or before[-2:] == ["IS", "NOT"]:
            yield from (Suggestion(_cased(text, word), "type") for text in _TYPES)
        else:
            yield from self._expression(word, ledger)

    def _wants_table(self, before: list[str]) -> bool:
        last = before[-1]
        if last in _TABLE_FOLLOWS:
            # ON begins a condition too, except in CREATE INDEX ON.
            return last != "ON" or "INDEX" in before
        if last == "(":
            return before[-2:-1] == ["HISTORY"]
        clause = next((token for token in reversed(before) if token in _CLAUSES), "")
        return last == "," and clause == "FROM"

    @staticmethod
    def _sources(word: str, ledger: Ledger) -> Iterator[Suggestion]:
        names = ledger.tables()
        yield from (Suggestion(_quoted(name), "table") for name in names)
        yield Suggestion("history(", "every version of every document")
        yield from (Suggestion(_quoted(COMMITTED + name), "with metadata") for name in names)
        yield Suggestion(USER_TABLES, "the catalogue")

    def _expression(self, word: str, ledger: Ledger) -> Iterator[Suggestion]:
        sources = self._sources_by_name(ledger)
        for name, fields in sources.items():
            yield from (Suggestion(_quoted(field), name) for field in fields)
        yield from (Suggestion(_quoted(name), "source") for name in sources)
        if self.before[-1].upper() in ("ON", "(") and "INDEX" in map(str.upper, self.before):
            return
        functions = [*FUNCTIONS, "count", "sum", "avg", "min", "max", "cast"]
        yield from (Suggestion(_cased(f"{name.upper()}(", word), "function") for name in sorted(functions))
        yield from (Suggestion(_cased(text, word), "keyword") for text in sorted(RESERVED_WORDS))

    def _path_fields(self, ledger: Ledger) -> Iterable[str]:
        """The fields of what stands before the dot."""
        steps = list(_steps_backwards(self.before[:-1]))[::-1]
        if not steps:
            return ()
        if [step.lower() for step in steps] == ["information_schema"]:
            return ("user_tables",)
        sources = self._sources_by_name(ledger)
        fields = sources.get(steps[0])
        rest = steps[1:]
        if fields is None:  # a bare field of one of the sources
            fields = next((known for known in sources.values() if steps[0] in known), {})
            rest = steps
        for step in rest:
            fields = fields.get(step, {})
        return fields

    def _sources_by_name(self, ledger: Ledger) -> dict[str, Fields]:
        """Name or alias -> fields, of each thing that the statement reads or changes."""
        found: dict[str, Fields] = {}
        tokens = self.all
        for place, token in enumerate(tokens):
            word = token.upper()
            is_source = word in ("FROM", "JOIN", "INTO", "UPDATE") or (
                word == "ON" and "INDEX" in map(str.upper, tokens)
            )
            if is_source or (token == "," and _clause_before(tokens, place) == "FROM"):
                _add_source(found, tokens[place + 1 :], ledger)
        return found


def _clause_before(tokens: Sequence[str], place: int) -> str:
    return next((t.upper() for t in reversed(tokens[:place]) if t.upper() in _CLAUSES), "")


def _add_source(found: dict[str, Fields], tokens: Sequence[str], ledger: Ledger) -> None:
    """A source, which begins the tokens: ``Person``, ``Person AS p``, ``p.Cars AS c``, ``history(Person) AS h``."""
    if not tokens:
        return
    is_history = tokens[0].lower() == "history" and len(tokens) > 2
    steps, rest = _path(tokens[2:] if is_history else tokens)
    if not steps:
        return
    if is_history:
        while rest and rest[0] != ")":
            rest = rest[1:]
        rest = rest[1:]
    name = steps[0]
    if steps == ["information_schema", "user_tables"]:
        fields = _USER_TABLE
    elif is_history or name.startswith(COMMITTED):
        fields = committed_fields(ledger.fields(name.removeprefix(COMMITTED)))
    elif name in found:
        fields = found[name]
    else:
        fields = ledger.fields(name)
    for step in steps[1:] if fields is not _USER_TABLE else ():
        fields = fields.get(step, {})
    found[_alias(rest) or steps[-1]] = fields


def committed_fields(data: Fields) -> Fields:
    """The fields of a revision in the committed view."""
    block: Fields = {"strandId": {}, "sequenceNo": {}}
    return {"blockAddress": block, "hash": {}, "data": data, "metadata": _METADATA}


def _path(tokens: Sequence[str]) -> tuple[list[str], Sequence[str]]:
    """(names of a path that begins the tokens, what follows)."""
    steps: list[str] = []
    place = 0
    while place < len(tokens) and _is_name(tokens[place]) and (steps or tokens[place].upper() not in RESERVED_WORDS):
        steps.append(tokens[place].strip('"'))
        place += 1
        if place < len(tokens) and tokens[place] == ".":
            place += 1
            continue
        break
    return steps, tokens[place:]


def _alias(rest: Sequence[str]) -> str | None:
    if rest and rest[0].upper() == "AS" and len(rest) > 1:
        return rest[1].strip('"')
    is_alias = bool(rest) and _is_name(rest[0]) and rest[0].upper() not in RESERVED_WORDS
    return rest[0].strip('"') if is_alias else None


def _steps_backwards(tokens: Sequence[str]) -> Iterator[str]:
    """The names of a path from its last to its first; indexes in brackets are left out."""
    place = len(tokens) - 1
    while place >= 0:
        if tokens[place] == "]":
            while place >= 0 and tokens[place] != "[":
                place -= 1
            place -= 1
            continue
        if not _is_name(tokens[place]):
            return
        yield tokens[place].strip('"')
        if place < 1 or tokens[place - 1] != ".":
            return
        place -= 2


def _is_name(token: str) -> bool:
    return bool(_PLAIN_NAME.match(token)) or (token.startswith('"') and len(token) > 1)


@cache
def _quoted(name: str, is_step: bool = False) -> str:
    """A name as PartiQL wants it: in quotes where the parser refuses it without.  is_step: it stands behind a dot."""
    if _PLAIN_NAME.match(name):
        try:
            parse(f"SELECT t.{name} FROM t" if is_step else f"SELECT * FROM {name}")
        except PartiqlError:
            pass
        else:
            return name
    return '"' + name.replace('"', '""') + '"'


def _cased(text: str, word: str) -> str:
    """Keywords in the case of what was typed so far."""
    return text.lower() if word and word == word.lower() and word != word.upper() else text
