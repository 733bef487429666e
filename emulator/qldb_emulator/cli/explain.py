"""``qldb-emulator explain``: the plan of a statement, and what it would conflict with."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from ..partiql.planning.catalogue import Catalogue, IndexInfo, IndexStatus, TableInfo
from ..settings import DEFAULT_REGION
from . import options
from .catalogue import plan_text, read_catalogue
from .connection import answering, region_option, session, url_option
from .failure import Failure
from .places import refuse_meaningless

_TABLE = re.compile(r"\s*([^()\s]+)\s*(?:\(([^()]*)\)\s*)?\Z")
_TABLE_STATUSES = ("ACTIVE", "INACTIVE")


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[LEDGER] STATEMENT")
@click.option("--ledger", metavar="NAME", help="The ledger whose tables and indexes there are.")
@click.option(
    "--catalogue",
    "catalogues",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rows of information_schema.user_tables, as Ion or JSON; may be repeated.",
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME(FIELD,...)",
    help="A table, and the fields that are indexed; may be repeated.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Read the ledger's file in this directory instead of asking a server.",
)
@url_option
@region_option
@answering
def explain(
    words: tuple[str, ...],
    ledger: str | None,
    catalogues: tuple[Path, ...],
    tables: tuple[str, ...],
    data_dir: Path | None,
    url: str,
    region: str | None,
) -> None:
    """Show the plan of STATEMENT (- reads it from standard input) and what it reads, without running it.

    Every table's access path: by index, by document id, or by scanning it.  A scan costs time that grows with the
    table, and makes the transaction conflict with every write to it.  Tables and indexes are those of a ledger, or
    given by --catalogue and --table.
    """
    *names, statement = words
    if len(names) > 1 or (names and ledger is not None):
        raise click.UsageError("Give one statement, in quotes, and at most one ledger before it")
    ledger = names[0] if names else ledger
    context = click.get_current_context()
    options.server_of(context, url)
    if ledger is None:
        refuse_meaningless(context, "none")
    infos = [] if ledger is None else list(_tables_of_ledger(ledger, data_dir, url, region))
    for path in catalogues:
        infos += [_table_of_row(row, path) for row in _rows(path)]
    infos += [_table_of_option(text, number) for number, text in enumerate(tables)]
    active = [table.name for table in infos if table.status == "ACTIVE"]
    twice = next((name for name in active if active.count(name) > 1), None)
    if twice is not None:
        raise click.UsageError(f"table {twice} is given twice")
    text = sys.stdin.read() if statement == "-" else statement
    try:
        click.echo(plan_text(text, Catalogue(tuple(infos))))
    except Failure as error:
        if ledger is None and not infos and "No such variable" in error.format_message():
            raise Failure(f"{error.format_message()}\nName a ledger, or give --table") from error
        raise


def _tables_of_ledger(ledger: str, data_dir: Path | None, url: str, region: str | None) -> tuple[TableInfo, ...]:
    if data_dir is None:
        return read_catalogue(session(url, region, ledger)).tables
    from ..engine.ledger.fold import stored_catalogue

    with options.ledger_for_reading(data_dir, region or DEFAULT_REGION, ledger) as file:
        tip = file.tip()
        return () if tip is None else stored_catalogue(file, tip.sequence_no).tables


def _rows(path: Path) -> list[Any]:
    """The rows in a file: values one after another, or one list of them."""
    from ..ion.codec import IonError, load_all

    data = path.read_bytes()
    try:
        values = list(load_all(data if data.startswith(b"\xe0\x01\x00\xea") else data.decode("utf-8")))
    except (IonError, UnicodeDecodeError) as error:
        raise Failure(f"{path} is neither Ion nor JSON: {error}") from error
    return [row for value in values for row in (value if type(value) is list else [value])]


def _table_of_row(row: Any, path: Path) -> TableInfo:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise Failure(f"{path} does not hold rows of information_schema.user_tables: a row has no name")
    name, status, indexes = str(row["name"]), str(row.get("status", "ACTIVE")), row.get("indexes", [])
    if status not in _TABLE_STATUSES or not isinstance(indexes, list):
        raise Failure(f"{path}: the row of table {name} is not one of information_schema.user_tables")
    fields = []
    for index in indexes:
        expr = index.get("expr") if isinstance(index, dict) else None
        if not isinstance(expr, str) or not (expr.startswith("[") and expr.endswith("]")):
            raise Failure(f"{path}: an index of table {name} has no expr such as [VIN]")
        fields.append((str(expr[1:-1]), str(index.get("status", "ONLINE"))))
    table_id = str(row.get("tableId", f"{path}:{name}"))
    return TableInfo(table_id, name, "ACTIVE" if status == "ACTIVE" else "INACTIVE", _indexes(name, fields))


def _table_of_option(text: str, number: int) -> TableInfo:
    match = _TABLE.match(text)
    if match is None:
        raise click.UsageError(f"--table: {text!r} must look like Vehicle or Vehicle(VIN, Color)")
    fields = [(name.strip(), "ONLINE") for name in (match[2] or "").split(",") if name.strip()]
    return TableInfo(f"--table {number}", match[1], "ACTIVE", _indexes(match[1], fields))


def _indexes(table: str, fields: list[tuple[str, str]]) -> tuple[IndexInfo, ...]:
    """An index that is not ONLINE is not used."""
    is_online: dict[bool, IndexStatus] = {True: "ONLINE", False: "BUILDING"}
    return tuple(IndexInfo(f"{table}:{name}", name, is_online[status == "ONLINE"]) for name, status in fields)
