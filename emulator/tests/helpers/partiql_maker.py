"""Makes random documents and statements over two small tables, T and U."""

from __future__ import annotations

from random import Random
from typing import Any

LITERALS = ("0", "1", "2", "1.0", "'x'", "'1'", "true", "null", "missing", "?", "[1, 'x']", "<<1, 2>>")
STEPS = ("", ".a", ".b", ".B", '."b"', ".s.x", ".s.a", ".l[0]", ".l[1].a", ".l", ".l[*].a", ".s.*")
COMPARISONS = ("=", "=", "=", "<>", "<", ">=")


class Maker:
    """Makes documents and queries from a seed: a drawn integer, which is quicker than drawing every part."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.is_nested = False  # inside a nested query no field stands without its alias

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def scalar(self) -> Any:
        return self.pick(0, 1, 2, 3, "x", "y", "1", True, False, None)

    def document(self) -> dict[str, Any]:
        whole = {
            "a": self.scalar(),
            "b": self.scalar(),
            "B": self.scalar(),
            "l": [self.pick(self.scalar(), {"a": self.scalar()}) for _ in range(self.pick(0, 1, 2, 3))],
            "s": {name: self.scalar() for name in self.pick((), ("a",), ("x", "a"))},
        }
        return {name: value for name, value in whole.items() if self.pick(True, True, False)}

    def documents(self) -> list[dict[str, Any]]:
        return [self.document() for _ in range(self.pick(0, 1, 2, 3, 4))]

    def path(self, aliases: list[str]) -> str:
        """Return a path from an alias, or a bare field where there is one source only."""
        steps: str = self.pick(*STEPS)
        if (
            len(aliases) == 1
            and not self.is_nested
            and steps.startswith(".")
            and not {"*", '"'} & set(steps)
            and self.pick(True, False)
        ):
            return steps[1:]
        path = str(self.pick(*aliases)) + steps
        return f"[{path}]" if "*" in steps else path  # a select list takes no wildcards by themselves

    def leaf(self, aliases: list[str]) -> str:
        return str(self.pick(self.pick(*LITERALS), self.path(aliases), self.path(aliases)))

    def value(self, aliases: list[str], depth: int) -> str:
        """Return any expression."""
        if depth == 0:
            return self.leaf(aliases)
        one, other = self.value(aliases, depth - 1), self.value(aliases, depth - 1)
        truth = self.truth(aliases, depth - 1)
        outer, self.is_nested = self.is_nested, True
        source, inner = self.path(aliases), self.value(aliases, depth - 1)
        self.is_nested = outer
        return str(
            self.pick(
                self.leaf(aliases),
                f"({one} {self.pick('+', '-', '*')} {self.pick('0', '1', '2', other)})",
                f"COALESCE({one}, {other})",
                f"CASE WHEN {truth} THEN {one} ELSE {other} END",
                f"{{'k': {one}, 'm': {other}}}",
                f"(SELECT VALUE n FROM {source} AS n WHERE n = {inner})",
                f"(SELECT n.a, {inner} AS o FROM {source} AS n)",
                truth,
            )
        )

    def truth(self, aliases: list[str], depth: int) -> str:
        """Return an expression that is true, false or unknown."""
        one, other, third = (self.value(aliases, max(0, depth - 1)) for _ in range(3))
        simple = self.pick(
            f"({one} {self.pick(*COMPARISONS)} {other})",
            f"({one} {self.pick(*COMPARISONS)} {other})",
            f"({one} IN ({other}, {third}))",
            f"({one} IN {other})",
            f"({one} IS {self.pick('', 'NOT')} {self.pick('NULL', 'MISSING', 'STRING')})",
            f"({one} BETWEEN {other} AND {third})",
        )
        if depth == 0:
            return str(simple)
        parts = [self.truth(aliases, depth - 1) for _ in range(3)]
        return str(
            self.pick(simple, simple, f"({parts[0]} AND {parts[1]})", f"({' OR '.join(parts)})", f"(NOT {parts[0]})")
        )

    def query(self) -> str:
        """Return a SELECT over the tables T and U."""
        source, aliases, is_single = self.sources()
        names = aliases[:1] if is_single else aliases
        value, other = self.value(names, 2), self.value(names, 1)
        select = self.pick(
            "*",
            f"VALUE {value}",
            f"({value}), ({other}) AS c, {self.pick(*aliases)}.*",
            f"COUNT(*), COUNT({value}) AS n, MIN({value}), MAX(DISTINCT {other}) AS m",
        )
        where = self.pick(
            "", f" WHERE {self.truth(names, 2)}", f" WHERE {self.lookup(names)} AND {self.truth(names, 1)}"
        )
        return f"SELECT {select} FROM {source}{where}"

    def lookup(self, names: list[str]) -> str:
        """Return a condition that may use an index or a document id."""
        key = self.pick("a", f"{names[0]}.a", f"{names[-1]}.a") if len(names) == 1 else f"{self.pick(*names)}.a"
        return str(self.pick(f"{key} = {self.leaf(names)}", f"{key} IN ({self.leaf(names)}, 1)", f"{key} IN ?"))

    def sources(self) -> tuple[str, list[str], bool]:
        """The text of a FROM clause, its aliases, and whether it has one source only."""
        text, alias = self.pick(("T AS t", "t"), ("T AS t BY tid", "t"), ("U AS u", "u"))
        aliases = [alias]
        for number in range(self.pick(0, 0, 1, 2)):
            new = f"v{number}"
            text += self.pick(
                f", U AS {new}",
                f" JOIN U AS {new} ON {self.lookup([*aliases, new])}",
                f" JOIN U AS {new} ON {self.truth([*aliases, new], 1)}",
                f", {alias}.l AS {new} AT {new}at",
                f", UNPIVOT {alias}.s AS {new} AT {new}at",
                f", (SELECT n.a, n AS n FROM {alias}.l AS n) AS {new}",
            )
            aliases.append(new)
        is_single = len(aliases) == 1
        if "BY tid" in text and not is_single:
            aliases.append("tid")
        return text, aliases, is_single
