"""Makes statements to compare: every part of the language, from a seed.

Each generator is a method of :class:`Statements` that returns a :class:`Request`; :data:`KINDS` lists them with how
often each is drawn.  The tables are fixed (:data:`TABLES`), so that a statement alone repeats a difference.
"""

from __future__ import annotations

from random import Random
from typing import Any

from library import Request

from qldb_emulator.partiql.syntax.lexer import lexemes

TABLES = """{
T:[{a:1,b:"x",l:[{x:1,a:2},{x:2},7],s:{a:1,x:"y",U:4},T:{a:9,l:[3]},U:5,n:null},
{a:2.0,b:sym,l:[],s:{},d:2020-02-29T07:00:45.12Z,U:[{x:6}],p:ann::3},{a:"1",A:3,l:"no",s:[1],T:8,e:1e0}],
U:[{a:1,x:"x",l:[1,[2,3]],T:[{a:4}]},{a:3,x:null,U:{a:1}}],
E:[]
}""".replace("\n", "")

INTS = (
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "-2",
    "10",
    "255",
    "9223372036854775807",
    "-9223372036854775808",
    "`12345678901234567890`",
)
DECIMALS = (
    "0.0",
    "1.0",
    "2.5",
    "-2.5",
    "1.00",
    ".5",
    ".120",
    "1e2",
    "-0.0",
    "100.",
    "1e-7",
    "`-0.0`",
    "`0d2`",
    "`1d300`",
    "1.10e5",
    "123456789012345678901234567890123456789.5",
)
FLOATS = ("`0e0`", "`1e0`", "`-0e0`", "`2.5e0`", "`1e300`", "`nan`", "`+inf`", "`-inf`", "`1e-5`")
TEXTS = (
    "'a'",
    "'b'",
    "'x'",
    "''",
    "'abc'",
    "'Abc'",
    "'1'",
    "'-5'",
    "'1.5'",
    "'true'",
    "' a '",
    "'a%'",
    "'😀é'",
    "'2020-02-29T07:00:45.12Z'",
    "'2020T'",
    "`abc`",
    "`'a b'`",
    "`'1'`",
    "`ann::s`",
    "'null'",
    "'1e2'",
    "'0x1F'",
)
BOOLS = ("true", "false", "`ann::true`")
UNKNOWNS = ("null", "missing", "`null.int`", "`ann::null`")
TIMES = (
    "`2020T`",
    "`2020-02T`",
    "`2020-02-29T`",
    "`2020-02-29T07:00Z`",
    "`2020-02-29T07:00:45.12Z`",
    "`2020-02-29T07:00:45-00:00`",
    "`2020-02-29T23:59:59.999+05:30`",
    "`b::2020-02-29T07:00:45.12Z`",
    "`9999-12-31T`",
    "`2000-01-01T00:00:00Z`",
    "`1999-12-31T`",
)
LOBS = ("`{{YQ==}}`", "`{{Yg==}}`", '`{{"a"}}`', "`{{}}`")
CONTAINERS = (
    "[]",
    "[1]",
    "[1, 2]",
    "['a', null]",
    "[missing, 1]",
    "<<>>",
    "<<1>>",
    "<<1, 2>>",
    "<<2, 1>>",
    "<<1, 'a'>>",
    "`(a 1)`",
    "`()`",
    "sexp(1, 2)",
    "{}",
    "{'a': 1}",
    "{'a': 1, 'b': 'x'}",
    "{'a': missing}",
    "{'a': 1, 'a': 2}",
    "`{a:1,b:x::2}`",
    "`[1,2]`",
    "`x::[1]`",
    "[[1], [2, 3]]",
    "{'a': {'b': 1}}",
    "[{'a': 1}, {'a': 2}]",
    "<<{'a': 1}, {'a': 'x'}>>",
    "(1, 2)",
    "(SELECT a FROM <<{'a': 1}>>)",
    "(SELECT VALUE v FROM [1, 2] AS v)",
)
CLASSES = (INTS, DECIMALS, FLOATS, TEXTS, BOOLS, UNKNOWNS, TIMES, LOBS, CONTAINERS)
ARITHMETIC = ("+", "-", "*", "/", "%")
COMPARISONS = ("=", "<>", "!=", "<", "<=", ">", ">=")
OPERATORS = (*ARITHMETIC, *COMPARISONS, "||", "AND", "OR", "IN", "NOT IN")
TYPES = (
    "bool",
    "boolean",
    "int",
    "integer",
    "smallint",
    "float",
    "real",
    "double precision",
    "decimal",
    "numeric",
    "dec",
    "timestamp",
    "symbol",
    "string",
    "char",
    "varchar",
    "character varying",
    "char varying",
    "clob",
    "blob",
    "list",
    "sexp",
    "struct",
    "tuple",
    "bag",
    "missing",
    "null",
    "decimal(5, 2)",
    "varchar(2)",
    "float(3)",
)
PARTS = ("year", "month", "day", "hour", "minute", "second", "timezone_hour", "timezone_minute", "YEAR", "week")
PATTERNS = (
    "yyyy",
    "yyyy-MM-dd",
    "yyyy-MM-dd''T''HH:mm:ss.SSSX",
    "MMMM d, y",
    "h:mm a",
    "H:m:s",
    "yy",
    "M/d/yyyy h:mm a",
    "yyyy-MM-dd HH:mm:ss xxx",
    "n",
    "SSSSSS",
    "MMM",
    "MMMMM",
    "X",
    "XXXXX",
    "yyyy''year''",
    "y''",
    "Q",
    "hh a",
    "yyyy-MM-dd HH",
)
DATES = (
    "2020",
    "2020-02-29",
    "2020-02-30",
    "2020-13",
    "February 29, 2020",
    "07:05 AM",
    "7:5:3",
    "20",
    "2/9/2020 7:05 PM",
    "2020-02-29T07:00:45.120Z",
    "2020-02-29 07:00:45 +05:30",
    "",
    "junk",
    "1969",
    "2020-02-29T24:00:00Z",
    "2020-02-29 24",
)
NAMES = ("a", "b", "x", "l", "s", "T", "U", "t", "u", "n", "A", '"a"', '"T"', "@a", "@T", "@U", "@t", "E", "d", "z")
STEPS = (
    ".a",
    ".b",
    ".x",
    ".l",
    ".s",
    ".T",
    ".U",
    '."a"',
    '."A"',
    "[0]",
    "[1]",
    "[-1]",
    "['a']",
    "[a]",
    ".A",
    ".n",
    "[null]",
    "[1.0]",
)
WILD = ("[*]", ".*")
CALLS = (
    "size",
    "char_length",
    "character_length",
    "upper",
    "lower",
    "coalesce",
    "nullif",
    "exists",
    "substring",
    "trim",
    "to_string",
    "to_timestamp",
    "utcnow",
    "nosuch",
    "list",
    "bag",
    "sexp",
    "count",
    "sum",
    "avg",
    "min",
    "max",
)
AGGREGATES = ("count", "sum", "avg", "min", "max", "COUNT", "Sum")
VARIABLES = ("t", "T", "u", "U", "a", "x", "l", "s", "n", "k")
WORDS = (
    "select",
    "from",
    "where",
    "and",
    "or",
    "not",
    "in",
    "is",
    "as",
    "at",
    "by",
    "value",
    "values",
    "join",
    "inner",
    "cross",
    "on",
    "like",
    "escape",
    "between",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast",
    "insert",
    "into",
    "update",
    "set",
    "remove",
    "delete",
    "create",
    "drop",
    "table",
    "index",
    "exec",
    "unpivot",
    "null",
    "missing",
    "true",
    "count",
    "sum",
    "trim",
    "extract",
    "substring",
    "date_add",
    "for",
    "both",
    "year",
    "all",
    "distinct",
    "a",
    "t",
    "T",
    "U",
    "x",
    "'x'",
    "1",
    "2.5",
    "`x`",
    "?",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<<",
    ">>",
    ",",
    ".",
    "*",
    ":",
    ";",
    "+",
    "-",
    "/",
    "%",
    "=",
    "<>",
    "<",
    ">",
    "<=",
    "||",
    "@",
    '"q"',
    "undrop",
    "varchar",
    "int",
    "char",
    "timestamp",
    "tuple",
    "!",
    "^",
    "'",
    "--",
    "1e",
    "0.",
    "size",
    "limit",
    "order",
    "group",
    "having",
    "union",
    "left",
    "right",
    "pivot",
    "let",
)


class Statements:
    """Draws statements.  seed: the same seed, the same statements."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._kinds = [kind for kind, _ in KINDS]
        self._weights = [weight for _, weight in KINDS]

    def next(self) -> Request:
        """A statement of any kind."""
        (kind,) = self._random.choices(self._kinds, self._weights)
        made: Request = getattr(self, kind)()
        return made

    # --- Choices -------------------------------------------------------------------------------------------

    def _pick(self, *choices: Any) -> Any:
        return choices[int(self._random.random() * len(choices))]

    def _chance(self, of: float) -> bool:
        return self._random.random() < of

    def _value(self) -> str:
        """A constant of any type."""
        text: str = self._pick(*self._pick(*CLASSES))
        return text

    def _integer(self) -> str:
        return str(self._pick("0", "1", "2", "3", "-1", "5", "100", "-100", "null"))

    # --- Operators and functions over constants -------------------------------------------------------------

    def operators(self) -> Request:
        one, other = self._value(), self._value()
        if self._chance(0.3):  # of one class: there is more to agree about
            same = self._pick(*CLASSES)
            one, other = self._pick(*same), self._pick(*same)
        return Request(
            self._pick(
                f"{one} {self._pick(*OPERATORS)} {other}",
                f"{one} {self._pick(*OPERATORS)} {other}",
                f"{one} {self._pick(*OPERATORS)} {other}",
                f"{self._pick('-', '+', 'NOT ', '- -', '-+')}{one}",
                f"{one} BETWEEN {other} AND {self._value()}",
                f"{one} NOT BETWEEN {other} AND {self._value()}",
                f"{one} IN ({other}, {self._value()})",
                f"{one} {self._pick('IN', 'NOT IN')} {self._pick(*CONTAINERS)}",
                f"CASE {one} WHEN {other} THEN 1 WHEN {self._value()} THEN 2 {self._pick('', 'ELSE 3 ')}END",
                f"CASE WHEN {one} THEN 1 ELSE {other} END",
                f"{one} {self._pick(*OPERATORS)} {other} {self._pick(*OPERATORS)} {self._value()}",
                f"{{{one}: {other}}}",
            )
        )

    def parameters(self) -> Request:
        """The same with parameters, of values that a text can give to both sides."""
        value = self._pick(
            "1",
            "2.50",
            "1e0",
            '"x"',
            "sym",
            "null",
            "null.int",
            "true",
            "[1,2]",
            "{a:1}",
            "2020T",
            "a::1",
            "(1)",
            "{{YQ==}}",
            "12345678901234567890",
        )
        other = self._pick("1", '"x"', "[1]", "2d0")
        return Request(
            self._pick(
                f"? {self._pick(*OPERATORS)} {self._value()}",
                f"{self._value()} {self._pick(*OPERATORS)} ?",
                f"CAST(? AS {self._pick(*TYPES)})",
                f"? IS {self._pick(*TYPES)}",
                "[?, ?]",
                f"{self._pick(*CALLS)}(?)",
                "SELECT VALUE t.b FROM T AS t WHERE t.a = ?",
                "SELECT VALUE t.b FROM T AS t WHERE t.a IN ?",
                "SELECT * FROM ? AS v",
                "?[?]",
            ),
            f"[{value},{other}]",
        )

    def casts(self) -> Request:
        value, name = self._value(), self._pick(*TYPES)
        return Request(
            self._pick(
                f"CAST({value} AS {name})", f"CAST({value} AS {name})", f"{value} IS {self._pick('', 'NOT ')}{name}"
            )
        )

    def functions(self) -> Request:
        name = self._pick(*CALLS)
        part = self._pick(*PARTS)
        text, time = self._pick(*TEXTS), self._pick(*TIMES)
        some = ", ".join(self._value() for _ in range(self._pick(0, 1, 1, 2, 2, 3)))
        count = self._pick(*INTS[:8])
        side = self._pick("", "leading ", "trailing ", "both ")
        return Request(
            self._pick(
                f"{name}({some})",
                f"{name}({self._pick(text, time, self._pick(*CONTAINERS))})",
                f"substring({text}, {self._integer()}, {self._integer()})",
                f"substring({text} FROM {self._integer()}{self._pick('', ' FOR ' + self._integer())})",
                f"substring({self._value()}, {self._value()})",
                f"trim({side}{self._pick(text, self._value())} FROM {self._pick(text, self._value())})",
                f"trim({self._value()})",
                f"extract({part} FROM {self._pick(time, self._value())})",
                f"date_add({part}, {self._pick(count, self._value())}, {self._pick(time, self._value())})",
                f"date_diff({part}, {self._pick(time, self._value())}, {self._pick(*TIMES)})",
                f"to_string({self._pick(time, self._value())}, '{self._pick(*PATTERNS)}')",
                f"to_timestamp('{self._pick(*DATES)}', '{self._pick(*PATTERNS)}')",
                f"to_timestamp({self._pick(text, self._value())})",
                f"{self._pick('upper', 'lower', 'char_length', 'size', 'exists')}({self._value()})",
                f"nullif({self._value()}, {self._value()})",
                f"coalesce({self._value()}, {self._value()})",
            )
        )

    def likes(self) -> Request:
        pattern = "".join(
            self._random.choices(["a", "b", "%", "_", "\\", "!", "😀", "A", "a%"], k=self._pick(0, 1, 2, 3, 4))
        )
        text = "".join(self._random.choices(["a", "b", "%", "_", "😀", "A", "ab"], k=self._pick(0, 1, 2, 3)))
        value = self._pick(f"'{text}'", f"'{text}'", f"'{text}'", f"`'{text}'`", self._value())
        like = self._pick(f"'{pattern}'", f"'{pattern}'", f"'{pattern}'", self._value())
        escape = self._pick(
            "",
            "",
            " ESCAPE " + self._pick("'\\'", "'!'", self._value(), "'😀'"),
        )
        return Request(
            self._pick(
                f"{value} {self._pick('LIKE', 'NOT LIKE')} {like}{escape}",
                f"{value} LIKE {like}{escape}",
                f"SELECT VALUE {value} LIKE v{escape} FROM <<{like}>> AS v",
                f"SELECT VALUE v LIKE {like}{escape} FROM <<{value}, 1>> AS v",
                f"SELECT VALUE t.a FROM T AS t WHERE t.b LIKE {like}{escape}",
                f"SELECT VALUE 1 FROM <<>> AS v WHERE {value} LIKE {like}{escape}",
            )
        )

    def aggregates(self) -> Request:
        name, other = self._pick(*AGGREGATES), self._pick(*AGGREGATES)
        items = ", ".join(self._value() for _ in range(self._pick(0, 1, 2, 3)))
        numbers = ", ".join(
            self._pick(*INTS, *DECIMALS, *FLOATS, "null", "missing") for _ in range(self._pick(1, 2, 3))
        )
        distinct = self._pick("", "", "DISTINCT ", "ALL ")
        return Request(
            self._pick(
                f"{name}([{numbers}])",
                f"{name}({distinct}<<{items}>>)",
                f"{name}({self._value()})",
                f"SELECT {name}({distinct}v) FROM <<{numbers}>> AS v",
                f"SELECT {name}(v), {other}({distinct}v) AS n FROM [{items}] AS v",
                f"SELECT VALUE {name}(v) FROM <<[{numbers}], {self._value()}>> AS v",
                f"SELECT {name}(t.{self._pick('a', 'b', 'l', 'z', 'U')}) FROM T AS t",
                f"SELECT VALUE {name}(t.l) FROM T AS t",
                f"SELECT count(*), {name}(v) + 1 AS k FROM <<{numbers}>> AS v WHERE v {self._pick(*COMPARISONS)} 1",
                f"SELECT {name}({other}(v)) FROM <<{numbers}>> AS v",
                f"SELECT {name}((SELECT VALUE v FROM <<{numbers}>> AS v)) AS r FROM <<1>>",
                f"SELECT (SELECT {name}(n) FROM t.l AS n) AS r FROM T AS t",
                f"SELECT count(*), v FROM <<{items}>> AS v",
                f"SELECT VALUE 1 FROM T AS t WHERE {name}(t.l) > 1",
                f"{name}({distinct}*)",
                f"SELECT {name}({distinct}*) FROM T",
            )
        )

    # --- Names and paths over tables ------------------------------------------------------------------------

    def _path(self) -> str:
        name, steps = self._pick(*NAMES), "".join(self._pick(*STEPS) for _ in range(self._pick(0, 0, 1, 1, 2)))
        return f"{name}{steps}"

    def paths(self) -> Request:
        root = self._pick(
            "t",
            "t",
            "T",
            "{'a': {'b': 1}}",
            "[{'a': 1}, {'a': [2]}]",
            "(t.l)",
            "<<1, {'a': 2}>>",
            "t.l",
            "t.s",
            self._value(),
        )
        steps = "".join(self._pick(*STEPS, *WILD, *WILD) for _ in range(self._pick(1, 1, 2, 2, 3)))
        path = f"{root}{steps}"
        if self._chance(0.2):
            path = f"({path}){self._pick(*STEPS, *WILD)}"
        return Request(
            self._pick(
                f"SELECT VALUE {path} FROM T AS t",
                f"SELECT VALUE [{path}] FROM T AS t",
                f"SELECT {path} FROM T AS t",
                f"SELECT v FROM T AS t, {path} AS v",
                f"SELECT v, i FROM T AS t, {path} AS v AT i",
                f"SELECT v, i FROM T AS t, UNPIVOT {path} AS v AT i",
                f"{path}",
                f"SELECT * FROM T AS t, {path}",
                f"SELECT {path} AS p, {self._path()} FROM T AS t",
            )
        )

    def names(self) -> Request:
        alias = self._pick(
            "",
            " AS t",
            " t",
            " AS a",
            " AS T",
            " AS U",
            " AS x",
            " AS l",
            " AT i",
            " BY id",
            " AS t AT i",
            " AS t BY id",
            " AS v",
        )
        second = self._pick(
            "",
            "",
            f", {self._path()}",
            f", {self._path()} AS {self._pick('u', 'x', 'a', 'U', 'n')}",
            f" JOIN {self._path()} AS {self._pick('u', 'x', 'U')} ON {self._path()} = {self._path()}",
            f" CROSS JOIN {self._path()} AS u",
            f", (SELECT {self._path()} FROM {self._path()} AS q) AS k",
        )
        source = f"{self._pick('T', 'U', 'E', self._path())}{alias}{second}"
        where = self._pick("", "", f" WHERE {self._path()} = {self._path()}", f" WHERE {self._path()} = 1")
        select = self._pick(
            "*",
            f"{self._path()}",
            f"{self._path()}, {self._path()}",
            f"VALUE {self._path()}",
            f"{self._path()}.*",
            f"{self._path()}.*, {self._path()} AS z",
            f"(SELECT {self._path()} FROM {self._path()} AS q) AS r",
            f"VALUE EXISTS(SELECT VALUE {self._path()} FROM {self._path()})",
            f"{self._path()}, t.*, {self._value()}",
            f"VALUE {{'k': {self._path()}}}",
            f"count(*), {self._path()}",
            f"sum({self._path()})",
        )
        return Request(f"SELECT {select} FROM {source}{where}")

    # --- Queries -------------------------------------------------------------------------------------------

    def _expression(self, names: tuple[str, ...], depth: int) -> str:
        if depth == 0:
            return str(
                self._pick(
                    self._value(), self._pick(*names) + self._pick(*STEPS, "", ""), self._pick(*names), self._integer()
                )
            )
        one, other = self._expression(names, depth - 1), self._expression(names, depth - 1)
        return str(
            self._pick(
                one,
                f"({one} {self._pick(*OPERATORS)} {other})",
                f"{one} {self._pick(*OPERATORS)} {other}",
                f"CASE WHEN {one} = {other} THEN {one} ELSE {other} END",
                f"{{'k': {one}, 'm': {other}}}",
                f"[{one}, {other}]",
                f"<<{one}, {other}>>",
                f"(SELECT VALUE n FROM {one} AS n)",
                f"(SELECT n.a, {other} AS o FROM {one} AS n WHERE n = {other})",
                f"coalesce({one}, {other})",
                f"CAST({one} AS {self._pick(*TYPES)})",
                f"{one} IS {self._pick('', 'NOT ')}{self._pick(*TYPES)}",
                f"EXISTS({one})",
                f"{self._pick(*AGGREGATES)}({one})",
                f"({one} BETWEEN {other} AND {self._value()})",
                f"({one}).a",
                f"({one})[{other}]",
                f"{self._pick('NOT ', '-', '+')}{one}",
                f"{one} LIKE {other}",
                f"size({one})",
            )
        )

    def queries(self) -> Request:
        sources = self._pick(
            ("T AS t", ("t", "a", "b", "l", "s")),
            ("T AS t BY id", ("t", "a", "id")),
            ("U", ("U", "a", "x")),
            ("T AS t, U AS u", ("t", "u", "t.a", "u.a")),
            ("T AS t, t.l AS v AT i", ("t", "v", "i", "v.a")),
            ("T AS t, UNPIVOT t.s AS v AT k", ("t", "v", "k")),
            ("T AS t JOIN U AS u ON t.a = u.a", ("t", "u")),
            (f"[{self._value()}, {self._value()}] AS v AT i", ("v", "i")),
            (f"<<{self._value()}, {self._value()}>> AS v, {self._value()} AS w", ("v", "w")),
            (f"{self._value()} AS v", ("v",)),
            ("(SELECT t.a, t.b AS q FROM T AS t) AS k", ("k", "k.a", "q")),
        )
        source, names = sources
        one, other = self._expression(names, self._pick(0, 1, 2)), self._expression(names, self._pick(0, 1))
        select = self._pick(
            "*",
            f"VALUE {one}",
            f"{one}, {other} AS c",
            f"{self._pick(*names)}.*, {other}",
            f"{one}",
            f"{self._pick(*AGGREGATES)}({one}), {self._pick(*AGGREGATES)}({other}) AS g",
            f"{one}, {one}",
        )
        where = self._pick(
            "", "", f" WHERE {one} {self._pick(*COMPARISONS)} {other}", f" WHERE {self._expression(names, 2)}"
        )
        return Request(f"SELECT {select} FROM {source}{where}{self._pick('', '', '', ';')}")

    def nested(self) -> Request:
        """Queries within queries, whose variables have the names of fields."""
        return Request(self._nested([self._pick(*VARIABLES)], 2, self._pick("T", "U")))

    def _nested(self, names: list[str], depth: int, table: str = "") -> str:
        """A query.  names: the variables around it; table: the first source, if it is a table."""
        names, sources = list(names), []
        for _ in range(self._pick(1, 1, 2)):
            collection = self._pick(
                self._reference(names),
                f"@{self._pick(*names)}",
                "<<{'t': 1, 'x': 2}, {'U': 3}>>",
                "[{'a': {'t': 5}}, {'l': 1, 'l': 2}]",
                "`a::{t:1}`",
            )
            source = self._pick("", "", "", "UNPIVOT ") + collection if sources or not table else table
            alias = self._pick(*VARIABLES)
            sources.append(f"{source} AS {alias}")
            names += [alias, alias]  # the nearest ones more often
        select = self._pick(
            "*",
            f"VALUE {self._correlated(names, depth)}",
            f"{self._correlated(names, depth)} AS o, {self._reference(names)}",
            f"{self._pick(*names)}.*, 1",
            f"{self._pick(*AGGREGATES)}({self._reference(names)}) AS c",
        )
        join = self._pick(", ", " CROSS JOIN ", " JOIN ")
        on = f" ON {self._reference(names)} = {self._reference(names)}" if join == " JOIN " and sources[1:] else ""
        where = self._pick("", "", f" WHERE {self._correlated(names, depth)} = {self._reference(names)}")
        return f"SELECT {select} FROM {join.join(sources)}{on}{where}"

    def _reference(self, names: list[str]) -> str:
        name = self._pick(*names) if self._chance(0.8) else self._pick(*VARIABLES)
        step = self._pick("", "", *STEPS[:9])
        return f"{self._pick('', '', '@')}{self._pick(name, name, name, chr(34) + name + chr(34))}{step}"

    def _correlated(self, names: list[str], depth: int) -> str:
        one, other = self._reference(names), self._reference(names)
        if not depth:
            return one
        return str(
            self._pick(
                one,
                f"[{one}, {other}]",
                f"{one} = {other}",
                f"({self._nested(names, depth - 1)})",
                f"EXISTS({self._nested(names, depth - 1)})",
                f"({self._nested(names, depth - 1)})[0]",
            )
        )

    def expressions(self) -> Request:
        return Request(self._expression(("{'a': 1}", "[1, 'x']", "<<1>>", "2", "'x'"), self._pick(1, 2, 3)))

    # --- DML, at parse level -------------------------------------------------------------------------------

    def _target(self) -> str:
        steps = "".join(self._pick(".a", ".l", ".s", '."a"', "[0]", "['a']") for _ in range(self._pick(0, 0, 1, 1, 2)))
        return f"{self._pick('T', 'U', 't', 'a', 'l', chr(34) + 'T' + chr(34))}{steps}"

    def dml(self) -> Request:
        value, other = (
            self._pick(self._value(), "?", "{'a': 1}", "<<{'a': 1}, {}>>"),
            self._pick(self._value(), self._path()),
        )
        alias = self._pick("", "", " AS t", " t", " BY id", " AS t BY id")
        where = self._pick("", "", f" WHERE {self._path()} = {other}")
        operation = self._pick(
            f"SET {self._target()} = {value}",
            f"SET {self._target()} = {value}, {self._target()} = {other}",
            f"INSERT INTO {self._target()} VALUE {value}{self._pick('', ' AT 0', ' AT ' + self._value())}",
            f"INSERT INTO {self._target()} << {value} >>",
            f"REMOVE {self._target()}",
            f"SET {self._target()} = {value} REMOVE {self._target()}",
        )
        return Request(
            self._pick(
                f"INSERT INTO {self._target()} {value}",
                f"INSERT INTO {self._target()} VALUE {value}{self._pick('', '', ' AT 0')}",
                f"UPDATE {self._target()}{alias} {operation}{where}",
                f"FROM {self._target()}{alias}{self._pick('', ', t.l AS x')}{where} {operation}",
                f"DELETE FROM {self._target()}{alias}{where}",
                f"CREATE TABLE {self._pick('a', chr(34) + 'b c' + chr(34))}",
                f"DROP TABLE {self._pick('T', 'nosuch')}",
                "CREATE INDEX ON T (a)",
                f"EXEC {self._pick('p', 'redact_revision')} {self._value()}, {self._value()}",
            ),
            is_parsed_only=True,
        )

    # --- Malformed -----------------------------------------------------------------------------------------

    def malformed(self) -> Request:
        """A statement with words left out, doubled, exchanged or put in."""
        whole = getattr(
            self,
            self._pick(
                "operators",
                "casts",
                "functions",
                "likes",
                "aggregates",
                "paths",
                "names",
                "queries",
                "dml",
                "dml",
                "names",
                "functions",
            ),
        )()
        words = [whole.statement[start:end] for lexeme, start, end in lexemes(whole.statement) if lexeme]
        for _ in range(self._pick(1, 1, 1, 2, 3)):
            at = self._random.randrange(len(words) + 1)
            change = self._pick("out", "double", "in", "in", "replace", "replace", "swap", "cut")
            if change == "in":
                words.insert(at, self._pick(*WORDS))
            elif at < len(words) and change == "out":
                del words[at]
            elif at < len(words) and change == "double":
                words.insert(at, words[at])
            elif at < len(words) and change == "replace":
                words[at] = self._pick(*WORDS)
            elif at + 1 < len(words) and change == "swap":
                words[at], words[at + 1] = words[at + 1], words[at]
            elif change == "cut":
                words = words[:at] or words
        text = self._pick(" ", " ", " ", "\n").join(words)
        return Request(text, whole.parameters, is_parsed_only=True)

    def soup(self) -> Request:
        """Words at random."""
        return Request(" ".join(self._pick(*WORDS) for _ in range(self._pick(1, 2, 3, 4, 5))), is_parsed_only=True)


KINDS = (
    ("operators", 20),
    ("parameters", 3),
    ("casts", 8),
    ("functions", 12),
    ("likes", 5),
    ("aggregates", 7),
    ("paths", 8),
    ("names", 12),
    ("queries", 14),
    ("nested", 5),
    ("expressions", 6),
    ("dml", 6),
    ("malformed", 18),
    ("soup", 3),
)
