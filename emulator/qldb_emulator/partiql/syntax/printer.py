"""Syntax tree to statement text, such that ``parse(to_text(tree)) == tree`` for every tree that ``parse`` can make.

Parentheses are written only where the parser needs them.  Names are quoted when they were, or must be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from ...ion import codec
from ..language.values import MISSING
from . import ast
from .parser import FUNCTION_KEYWORDS, RANKS
from .reserved import KEYWORDS

# The ranks of nodes that are not operators.  A node is put in parentheses where the place needs a higher rank.
_STATEMENT, _ANY, _NOT, _SIGNED, _TERM = -1, 0, 30, 80, 90

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_Text = tuple[str, int]


def to_text(node: ast.Node) -> str:
    """The text of a statement, or of a part of one, on one line."""
    return _text(node, _STATEMENT)


def name_text(name: str, is_quoted: bool = False) -> str:
    """A name: in double quotes when asked for, and when it is a keyword or no plain name."""
    if is_quoted or name.lower() in KEYWORDS or not _NAME.fullmatch(name):
        return '"' + name.replace('"', '""') + '"'
    return name


def _text(node: ast.Node, least: int = _ANY) -> str:
    text, rank = _WRITERS[type(node)](node)
    return text if rank >= least else f"({text})"


def _list(nodes: Iterable[ast.Node]) -> str:
    return ", ".join(map(_text, nodes))


def _clause(word: str, node: ast.Node | None) -> str:
    return "" if node is None else f" {word} {_text(node)}"


# --- Terms -------------------------------------------------------------------------------------------------


def _literal(node: ast.Literal) -> _Text:
    value = node.value
    if not node.is_ion:
        if value is None or value is MISSING or type(value) is bool:
            return str(value).upper() if value is not None else "NULL", _TERM
        if type(value) is str:
            return "'" + value.replace("'", "''") + "'", _TERM
        if type(value) is int:
            return str(value), _SIGNED
        if type(value) is Decimal:
            text = str(value)
            return text if "." in text or "E" in text else text + ".", _SIGNED
    return f"`{codec.dumps_text(value)}`", _TERM


def _variable(node: ast.Variable) -> _Text:
    return ("@" if node.is_local else "") + name_text(node.name, node.is_quoted), _TERM


def _path(node: ast.Path) -> _Text:
    root = _text(node.root, _TERM)
    if isinstance(node.root, ast.Path):
        root = f"({root})"
    steps = ""
    for step in node.steps:
        steps += f"[{_text(step.index)}]" if isinstance(step, ast.IndexStep) else _text(step)
    return root + steps, _TERM


def _case(node: ast.Case) -> _Text:
    operand = "" if node.operand is None else " " + _text(node.operand)
    whens = "".join([f" WHEN {_text(condition)} THEN {_text(result)}" for condition, result in node.whens])
    return f"CASE{operand}{whens}{_clause('ELSE', node.default)} END", _TERM


def _type_name(node: ast.TypeName) -> _Text:
    arguments = f"({', '.join(map(str, node.arguments))})" if node.arguments else ""
    return node.name.upper() + arguments, _TERM


def _call(node: ast.Call) -> _Text:
    name = name_text(node.name)
    if node.name in FUNCTION_KEYWORDS or (node.name == "substring" and 2 <= len(node.arguments) <= 3):
        name = node.name.upper()
    elif node.name == "history":  # bare it would be the FROM source of that name
        name = name_text(node.name, is_quoted=True)
    return f"{name}({_list(node.arguments)})", _TERM


def _date_call(node: ast.DateCall) -> _Text:
    part = node.part.upper()
    if node.name == "extract":
        return f"EXTRACT({part} FROM {_text(node.arguments[0])})", _TERM
    return f"{node.name.upper()}({part}, {_list(node.arguments)})", _TERM


def _trim(node: ast.Trim) -> _Text:
    parts = [node.side.upper()] if node.side else []
    if node.characters is not None:
        parts.append(_text(node.characters))
    return f"TRIM({' '.join([*parts, 'FROM', _text(node.value)])})", _TERM


def _aggregate(node: ast.Aggregate) -> _Text:
    argument = "*" if node.argument is None else _text(node.argument)
    return f"{node.name.upper()}({'DISTINCT ' if node.is_distinct else ''}{argument})", _TERM


def _struct(node: ast.StructConstructor) -> _Text:
    fields = ", ".join([f"{_text(name)}: {_text(value)}" for name, value in node.fields])
    return f"{{{fields}}}", _TERM


# --- Operators ---------------------------------------------------------------------------------------------


def _unary(node: ast.Unary) -> _Text:
    if node.operator == "NOT":
        return f"NOT {_text(node.operand, _NOT)}", _NOT
    operand = _text(node.operand, _SIGNED)
    space = " " if operand.startswith(node.operator) else ""  # two minuses would begin a comment
    return node.operator + space + operand, _SIGNED


def _binary(node: ast.Binary) -> _Text:
    rank = RANKS[node.operator]
    return f"{_text(node.left, rank)} {node.operator} {_text(node.right, rank + 1)}", rank


def _chain(node: ast.Chain) -> _Text:
    rank = RANKS[node.operator.lower()]
    first, *rest = node.operands
    is_same = isinstance(first, ast.Chain) and first.operator == node.operator
    texts = [_text(first, rank + 1 if is_same else rank), *[_text(operand, rank + 1) for operand in rest]]
    return f" {node.operator} ".join(texts), rank


def _not(is_negated: bool) -> str:
    return "NOT " if is_negated else ""


def _between(node: ast.Between) -> _Text:
    rank = RANKS["between"]
    low, high = _text(node.low, rank + 1), _text(node.high, rank + 1)
    return f"{_text(node.value, rank)} {_not(node.is_negated)}BETWEEN {low} AND {high}", rank


def _in(node: ast.In) -> _Text:
    rank = RANKS["in"]
    value = f"{_text(node.value, rank)} {_not(node.is_negated)}IN "
    collection = node.collection
    if isinstance(collection, ast.ListConstructor) and collection.items:
        return f"{value}({_list(collection.items)})", rank
    if isinstance(collection, ast.Unary) and collection.operator == "NOT":  # parentheses would make it a list
        return value + _text(collection), _NOT
    return value + _text(collection, rank + 1), rank


def _like(node: ast.Like) -> _Text:
    rank = RANKS["like"]
    escape = "" if node.escape is None else f" ESCAPE {_text(node.escape, rank + 1)}"
    pattern = _text(node.pattern, rank + 1)
    return f"{_text(node.value, rank)} {_not(node.is_negated)}LIKE {pattern}{escape}", rank


def _is(node: ast.Is) -> _Text:
    rank = RANKS["is"]
    return f"{_text(node.value, rank)} IS {_not(node.is_negated)}{_text(node.type)}", rank


# --- SELECT and FROM ---------------------------------------------------------------------------------------


def _select(node: ast.Select) -> _Text:
    if node.is_star:
        what = "*"
    elif node.value is not None:
        what = "VALUE " + _text(node.value)
    else:
        what = _list(node.items)
    return f"SELECT {what} FROM {_text(node.source)}{_clause('WHERE', node.where)}", _STATEMENT


def _select_item(node: ast.SelectItem) -> _Text:
    return _text(node.value) + _alias("AS", node.alias), _ANY


def _alias(word: str, name: str | None) -> str:
    return "" if name is None else f" {word} {name_text(name)}"


def _from_item(node: ast.FromItem) -> _Text:
    unpivot = "UNPIVOT " if node.is_unpivot else ""
    aliases = _alias("AS", node.alias) + _alias("AT", node.at) + _alias("BY", node.by)
    return unpivot + _text(node.value) + aliases, _ANY


def _history(node: ast.History) -> _Text:
    times = [each for each in (node.start, node.end) if each is not None]
    return f"history({_list([node.table, *times])})", _TERM


def _join(node: ast.Join) -> _Text:
    joins = []  # from the last to the first: a long row of joins is a deep tree
    source: ast.Source = node
    while isinstance(source, ast.Join):
        comma, on = (",", "") if source.condition is None else (" JOIN", _clause("ON", source.condition))
        joins.append(f"{comma} {_text(source.right)}{on}")
        source = source.left
    return _text(source) + "".join(reversed(joins)), _ANY


# --- Statements --------------------------------------------------------------------------------------------


def _insert(node: ast.Insert) -> _Text:
    value = _text(node.value)
    if node.is_single:
        value = "VALUE " + value
    elif value.startswith("["):  # would be read as a step behind the table
        value = f"({value})"
    return f"INSERT INTO {_text(node.table)} {value}", _STATEMENT


def _assignment(node: ast.Assignment) -> _Text:
    return f"{_text(node.target)} = {_text(node.value)}", _ANY


def _insert_operation(node: ast.InsertOperation) -> _Text:
    value = _text(node.value)
    if node.is_single:
        return f"INSERT INTO {_text(node.target)} VALUE {value}{_clause('AT', node.at)}", _ANY
    if value.startswith(("[", ".")):
        value = f"({value})"  # a bracket would belong to the target
    return f"INSERT INTO {_text(node.target)} {value}", _ANY


def _update(node: ast.Update) -> _Text:
    source, where = _text(node.source), _clause("WHERE", node.where)
    operations = " ".join(map(_text, node.operations))
    if node.is_from_first:
        return f"FROM {source}{where} {operations}", _STATEMENT
    return f"UPDATE {source} {operations}{where}", _STATEMENT


def _delete(node: ast.Delete) -> _Text:
    return f"DELETE FROM {_text(node.source)}{_clause('WHERE', node.where)}", _STATEMENT


def _create_table(node: ast.CreateTable) -> _Text:
    tags = "" if node.tags is None else f" WITH (aws_tags = {_text(node.tags)})"
    return f"CREATE TABLE {name_text(node.name)}{tags}", _STATEMENT


def _create_index(node: ast.CreateIndex) -> _Text:
    return f"CREATE INDEX ON {name_text(node.table)} ({name_text(node.field_name)})", _STATEMENT


def _drop_index(node: ast.DropIndex) -> _Text:
    return f"DROP INDEX {name_text(node.index_id, True)} ON {name_text(node.table)} WITH (purge = true)", _STATEMENT


def _exec(node: ast.Exec) -> _Text:
    arguments = [_text(argument, _ANY if index else _STATEMENT) for index, argument in enumerate(node.arguments)]
    space = " " if arguments else ""  # behind it no parenthesis may stand, not even around a SELECT
    return f"EXEC {name_text(node.name)}{space}{', '.join(arguments)}", _STATEMENT


_WRITERS: Final[dict[type[ast.Node], Callable[[Any], _Text]]] = {
    ast.Literal: _literal,
    ast.Parameter: lambda node: ("?", _TERM),
    ast.Variable: _variable,
    ast.Path: _path,
    ast.FieldStep: lambda node: ("." + name_text(node.name, node.is_quoted), _TERM),
    ast.IndexStep: lambda node: (f"[{_text(node.index)}]", _TERM),
    ast.ElementsStep: lambda node: ("[*]", _TERM),
    ast.FieldsStep: lambda node: (".*", _TERM),
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Chain: _chain,
    ast.Between: _between,
    ast.In: _in,
    ast.Like: _like,
    ast.Is: _is,
    ast.TypeName: _type_name,
    ast.Case: _case,
    ast.Cast: lambda node: (f"CAST({_text(node.value)} AS {_text(node.type)})", _TERM),
    ast.Call: _call,
    ast.DateCall: _date_call,
    ast.Trim: _trim,
    ast.Aggregate: _aggregate,
    ast.ListConstructor: lambda node: (f"[{_list(node.items)}]", _TERM),
    ast.BagConstructor: lambda node: (f"<<{_list(node.items)}>>", _TERM),
    ast.SexpConstructor: lambda node: (f"SEXP({_list(node.items)})", _TERM),
    ast.StructConstructor: _struct,
    ast.Select: _select,
    ast.SelectItem: _select_item,
    ast.SelectAll: lambda node: (_text(node.value, _TERM) + ".*", _ANY),
    ast.FromItem: _from_item,
    ast.History: _history,
    ast.Join: _join,
    ast.Query: lambda node: (_text(node.expression, _STATEMENT), _STATEMENT),
    ast.Insert: _insert,
    ast.Assignment: _assignment,
    ast.SetOperation: lambda node: ("SET " + _list(node.assignments), _ANY),
    ast.InsertOperation: _insert_operation,
    ast.RemoveOperation: lambda node: ("REMOVE " + _text(node.target), _ANY),
    ast.Update: _update,
    ast.Delete: _delete,
    ast.CreateTable: _create_table,
    ast.DropTable: lambda node: ("DROP TABLE " + name_text(node.name), _STATEMENT),
    ast.UndropTable: lambda node: ("UNDROP TABLE " + name_text(node.table_id, True), _STATEMENT),
    ast.CreateIndex: _create_index,
    ast.DropIndex: _drop_index,
    ast.Exec: _exec,
}
