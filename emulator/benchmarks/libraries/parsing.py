"""Statement text to a tree: our parser against lark (LALR, then a Transformer) with a grammar of our dialect.

The grammar has every operator with its precedence, paths, calls, collections and Ion literals, so that lark decides
among as much as our parser does; of statements and clauses it has those that are compared, which is to its favour.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lark import Lark, Transformer  # type: ignore[import-not-found, import-untyped, unused-ignore]

from qldb_emulator.ion.codec import loads
from qldb_emulator.partiql.syntax.parser import parse

from .sides import Compared, Sides, often

_KEYWORDS = (
    "select",
    "value",
    "from",
    "where",
    "inner",
    "left",
    "join",
    "on",
    "as",
    "at",
    "by",
    "insert",
    "into",
    "update",
    "set",
    "or",
    "and",
    "not",
    "between",
    "like",
    "in",
    "is",
    "null",
    "missing",
    "true",
    "false",
)

GRAMMAR = r"""
?start: statement ";"?
?statement: select | insert | update
select: _SELECT projection _FROM source where?
projection: "*" -> everything | _VALUE expression -> single | column ("," column)*
column: expression (_AS? NAME)?
source: item join*
join: (_INNER | LEFT)? _JOIN item _ON expression | "," item
item: path (_AS NAME)? (_AT NAME)? (_BY NAME)?
where: _WHERE expression
insert: _INSERT _INTO path _VALUE? expression
update: _UPDATE item set+ where?
set: _SET assignment ("," assignment)*
assignment: path "=" expression

?expression: conjunction | expression _OR conjunction -> or_
?conjunction: negation | conjunction _AND negation -> and_
?negation: equality | NOT negation
?equality: comparison
    | equality EQUALITY comparison -> binary
    | equality "=" comparison -> equal
    | equality _IS NOT? (NULL | MISSING) -> is_
    | equality NOT? _IN comparison -> in_
?comparison: sum
    | comparison COMPARISON sum -> binary
    | comparison NOT? _BETWEEN sum _AND sum -> between
    | comparison NOT? _LIKE sum -> like
?sum: product | sum (PLUS | MINUS | CONCATENATION) product -> binary
?product: sign | product (STAR | SLASH | PERCENT) sign -> binary
?sign: path | (PLUS | MINUS) sign -> unary
?path: primary | path "." (NAME | QUOTED) -> field | path "[" expression "]" -> index
?primary: NAME | QUOTED | STRING | NUMBER | ION | TRUE | FALSE | NULL | MISSING
    | "?" -> parameter
    | "(" expression ")" | "(" select ")"
    | NAME "(" expressions? ")" -> call
    | "{" (pair ("," pair)*)? "}" -> struct
    | "[" expressions? "]" -> list
    | _BAG expressions? _END_OF_BAG -> bag
pair: expression ":" expression
expressions: expression ("," expression)*

_BAG.2: "<<"
_END_OF_BAG.2: ">>"
EQUALITY: "<>" | "!="
COMPARISON: "<=" | ">=" | "<" | ">"
CONCATENATION: "||"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
PERCENT: "%"
NAME: /[A-Za-z_$][A-Za-z0-9_$]*/
QUOTED: /"(?:[^"]|"")*"/
STRING: /'(?:[^']|'')*'/
NUMBER: /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/
ION: /`[^`]*`/
%ignore /[ \t\r\n]+/
%ignore /--[^\n]*/
"""

_KEPT = {"left", "not", "null", "missing", "true", "false"}  # what the tree has to tell


class Build(Transformer):  # type: ignore[misc, type-arg, unused-ignore]
    """Literals to values, everything else to tuples."""

    def __default__(self, data: Any, children: list[Any], meta: Any) -> tuple[Any, ...]:
        return (str(data), *children)

    def STRING(self, token: str) -> str:
        return token[1:-1].replace("''", "'")

    def NUMBER(self, token: str) -> int | Decimal:
        return int(token) if token.isdigit() else Decimal(token)

    def ION(self, token: str) -> Any:
        return loads(token[1:-1])


def lark() -> Lark:
    """Return the grammar with its keywords, in any case, as no part of a longer name."""
    words = (f"{'' if word in _KEPT else '_'}{word.upper()}.2: /{word}\\b/i" for word in _KEYWORDS)
    return Lark(GRAMMAR + "\n".join(words) + "\n", parser="lalr")


_DOCUMENT = """    {
        'VIN': '1N4AL11D75C109151',
        'LicensePlateNumber': 'LEWISR261LL',
        'State': 'WA', 'City': 'Seattle',
        'PendingPenaltyTicketAmount': 90.25,
        'ValidFromDate': `2017-08-21T`,
        'ValidToDate': `2020-05-11T`,
        'Owners': {
            'PrimaryOwner': {'PersonId': '294jJ3YUoH1IEEm8GSabOs'},
            'SecondaryOwners': [{'PersonId': '5Ufgdlnj06gF5CWcOIu64s'}]
        }
    }"""

STATEMENTS = {
    "parse-select": "SELECT * FROM VehicleRegistration AS r WHERE r.VIN = ?",
    "parse-update": """UPDATE VehicleRegistration AS r
SET r.Owners.PrimaryOwner.PersonId = ?, r.City = 'Tacoma',
    r.PendingPenaltyTicketAmount = r.PendingPenaltyTicketAmount + 12.5
WHERE r.VIN = ? AND r.State = 'WA' AND NOT r.Mileage > 50000""",
    "parse-history": """SELECT h.metadata.version, h.data.Owners.PrimaryOwner.PersonId AS Owner, p.FirstName, p.LastName
FROM history(VehicleRegistration, `2019-06-05T00:00:00Z`, `2019-06-06T00:00:00Z`) AS h INNER JOIN Person AS p
    ON p.PersonId = h.data.Owners.PrimaryOwner.PersonId WHERE h.metadata.id = ?""",
    "parse-insert": "INSERT INTO VehicleRegistration <<\n" + ",\n".join([_DOCUMENT] * 3) + "\n>>",
}


def comparison(text: str) -> Compared:
    """Parsing of one statement."""

    def sides(_: int) -> Sides:
        parser, build = lark(), Build()
        build.transform(parser.parse(text))
        parse(text)
        return often(lambda: parse(text)), often(lambda: build.transform(parser.parse(text)))

    return sides


COMPARISONS = {name: comparison(text) for name, text in STATEMENTS.items()}
