"""Makes the pages of docs/ that follow from the code: the command line, the admin interface, the differences from AWS.

python docs/make/pages.py            # writes them; scripts/docs does so in an environment of its own
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from qldb_emulator import __version__, errors
from qldb_emulator.cli import COMMANDS, ENVIRONMENT_PREFIX, failure, main
from qldb_emulator.limits import describe
from qldb_emulator.web.admin import ROUTES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "emulator" / "qldb_emulator"
MANUAL = ROOT / "packaging" / "man" / "qldb-emulator.1"
MADE = "Made by `scripts/docs` from the code; a test holds it to be fresh."
Row = list[str]


def table(header: Row, rows: list[Row]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in [header, ["---"] * len(header), *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("``", "`")


# --- The command line ----------------------------------------------------------------------------------------


def cli_page() -> str:
    """docs/cli.md."""
    parts = [
        "# Command line",
        MADE,
        "Every option can also be given by the environment variable in its row; the command line goes before it.",
        "## Exit codes",
        table(["code", "meaning"], exit_codes()),
    ]
    context = click.Context(main, info_name="qldb-emulator", auto_envvar_prefix=ENVIRONMENT_PREFIX)
    for name in sorted(COMMANDS):
        command = main.get_command(context, name)
        assert command is not None
        parts += list(command_parts(command, name, context))
    return "\n\n".join(parts) + "\n"


def exit_codes() -> list[Row]:
    """From the docstring of ``cli.failure``."""
    rows = re.findall(r"^(\d+) +(.+)$", failure.__doc__ or "", re.MULTILINE)
    return [[code, meaning] for code, meaning in rows]


def command_parts(command: click.Command, name: str, parent: click.Context, depth: int = 2) -> Iterator[str]:
    """A heading, the help, the options; then the same for subcommands."""
    prefix = f"{parent.auto_envvar_prefix}_{name.upper().replace('-', '_')}"
    context = click.Context(command, info_name=name, parent=parent, auto_envvar_prefix=prefix)
    yield f"{'#' * depth} {context.command_path}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {context.command_path} {usage}"
    yield "\n\n".join(map(paragraph, inspect.cleandoc(command.help or "").split("\n\n")))
    rows = [option_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield table(["option", "default", "variable", "meaning"], rows)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            subcommand = command.get_command(context, child)
            assert subcommand is not None
            yield from command_parts(subcommand, child, context, depth + 1)


def paragraph(text: str) -> str:
    """One of a help text's: with click's mark before it, its lines stay as they are."""
    if text.startswith("\b"):
        return "\n".join(f"    {line}" for line in text.splitlines()[1:])
    return " ".join(text.split())


def option_row(option: click.Option, context: click.Context) -> Row:
    """A row of an option.  Nothing in it is click's wording, which differs from release to release."""
    names = " / ".join(filter(None, (", ".join(option.opts), ", ".join(option.secondary_opts))))
    if not option.is_flag:
        names += f" {option.metavar or kind(option.type)}"
    given = option.envvar
    variable = given if isinstance(given, str) else f"{context.auto_envvar_prefix}_{(option.name or '').upper()}"
    said = re.search(r"\s*\[default: ([^\]]*)\]", option.help or "")
    about = re.sub(r"\s*\[default: [^\]]*\]", "", option.help or "")
    return [f"`{names}`", said[1] if said else shown_default(option), f"`{variable}`", about]


def kind(found: click.ParamType) -> str:
    """What stands for a value."""
    if isinstance(found, click.Choice):
        return "[" + "|".join(map(str, found.choices)) + "]"
    return "NUMBER" if "range" in found.name or found.name in ("integer", "float") else found.name.upper()


def shown_default(option: click.Option) -> str:
    """An option's default, where it shows one."""
    if isinstance(option.show_default, str):
        return option.show_default
    return f"`{str(option.default).lower() if option.is_flag else option.default}`" if option.show_default else ""


# --- The manual page -----------------------------------------------------------------------------------------


def man_page() -> str:
    """packaging/man/qldb-emulator.1, in the macros of man(7): every command with its options."""
    parts = [
        '.\\" Made by scripts/docs from the code.',
        f'.TH QLDB-EMULATOR 1 "" "qldb-emulator {__version__}" "User Commands"',
        ".SH NAME",
        "qldb-emulator \\- Amazon QLDB that runs on your machine",
        ".SH SYNOPSIS",
        ".B qldb-emulator",
        ".I COMMAND",
        "[OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        "Each option can also be given by an environment variable, QLDB_EMULATOR_COMMAND_OPTION or the one named "
        "here, or in the configuration file qldb-emulator.toml.  The command line goes before the environment, the "
        "environment before the file.",
    ]
    context = click.Context(main, info_name="qldb-emulator", auto_envvar_prefix=ENVIRONMENT_PREFIX)
    for name in sorted(COMMANDS):
        command = main.get_command(context, name)
        assert command is not None
        parts += list(man_parts(command, name, context))
    parts += [".SH EXIT STATUS"]
    for code, meaning in exit_codes():
        parts += [".TP", f".B {code}", roff(meaning)]
    return "\n".join(parts) + "\n"


def man_parts(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """A section of a command, then those of its subcommands."""
    prefix = f"{parent.auto_envvar_prefix}_{name.upper().replace('-', '_')}"
    context = click.Context(command, info_name=name, parent=parent, auto_envvar_prefix=prefix)
    yield f'.SH "{context.command_path.upper()}"'
    yield roff(f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}")
    for text in inspect.cleandoc(command.help or "").split("\n\n"):
        if text.startswith("\b"):
            yield ".PP\n.nf\n" + "\n".join(map(roff, text.splitlines()[1:])) + "\n.fi"
        else:
            yield ".PP\n" + roff(" ".join(text.split()))
    for option in command.params:
        if isinstance(option, click.Option):
            names, default, variable, about = option_row(option, context)
            shown = f"  [default: {default.strip('`')}]" if default else ""
            yield f".TP\n.B {roff(names.strip('`'))}"
            yield roff(f"{about.replace('`', '')}{shown}  ({variable.strip('`')})")
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            subcommand = command.get_command(context, child)
            assert subcommand is not None
            yield from man_parts(subcommand, child, context)


def roff(text: str) -> str:
    """A line of text in roff: hyphens to copy, no line that begins as a macro does."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


# --- The admin interface -------------------------------------------------------------------------------------


def admin_table() -> str:
    """Every route."""
    rows = []
    for route in ROUTES:
        path = route.rule.replace("<", "{").replace(">", "}")
        rows.append([f"`{route.method} {path}`", "" if route.is_open else "yes", route.about])
    return table(["request", "needs `--admin`", "what it does"], rows)


# --- Differences ---------------------------------------------------------------------------------------------


def differences_table() -> str:
    """Everything whose source is not the service itself: behaviours, texts, limits."""
    uncertain = ("inferred", "ours")
    behaviours = [[module, *row] for module, rows in docstring_tables() for row in rows if row[2].startswith(uncertain)]
    problems = [
        [f"`{name}`", problem.text.replace("{", "`{").replace("}", "}`"), problem.source, problem.evidence]
        for name, problem in vars(errors).items()
        if isinstance(problem, errors.Problem) and problem.source in uncertain
    ]
    limits = [
        [f"`{name}`", str(value), unit, source]
        for name, value, unit, source, *_ in describe()
        if not source.startswith("documented")
    ]
    return "\n\n".join(
        [
            "## Behaviours that were inferred, or are ours",
            table(["where", "behaviour", "here", "how it is known"], behaviours),
            "## Error texts that were inferred, or are ours",
            table(["row of errors.py", "text", "how it is known", "evidence"], problems),
            "## Limits that were inferred, or are ours",
            table(["limit", "value", "unit", "how it is known"], limits),
        ]
    )


def docstring_tables() -> Iterator[tuple[str, list[Row]]]:
    """(module, rows) of every table with the columns behaviour, what happens, and source in a module's docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        tables = [found for found in simple_tables(text) if found[0][-1] == "source" and len(found[0]) == 3]
        rows = [row for found in tables for row in found[1:]]
        if rows:
            yield f"`{path.relative_to(PACKAGE)}`", rows


def simple_tables(text: str) -> Iterator[list[Row]]:
    """The tables between rows of ``====`` in a text, the header first; a cell may go on in the next line."""
    rules = re.compile(r"^=+(?: +=+)+$")
    lines = text.splitlines()
    marks = [number for number, line in enumerate(lines) if rules.match(line.strip())]
    for top, middle, bottom in zip(marks[::3], marks[1::3], marks[2::3], strict=False):
        starts = [found.start() for found in re.finditer("=+", lines[top])]
        ends: list[int | None] = [*starts[1:], None]
        rows: list[Row] = []
        for number in (*range(top + 1, middle), *range(middle + 1, bottom)):
            cells = [lines[number][start:end].strip() for start, end in zip(starts, ends, strict=True)]
            if not cells[0] and rows:
                rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
        if rows:
            yield rows


# --- Pages ---------------------------------------------------------------------------------------------------

_PLACE = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MAKERS = {"admin": admin_table, "differences": differences_table}


def filled(text: str) -> str:
    """Return a page with the part between ``<!-- made: NAME -->`` and ``<!-- end -->`` generated again."""
    return _PLACE.sub(lambda found: f"{found[1]}{_MAKERS[found[2]]()}\n{found[3]}", text)


def pages() -> dict[Path, str]:
    """Every page that is made, wholly or in part: its path and what it should be."""
    made = {DOCS / "cli.md": cli_page(), MANUAL: man_page()}
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        if _PLACE.search(text):
            made[path] = filled(text)
    return made


if __name__ == "__main__":
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)
