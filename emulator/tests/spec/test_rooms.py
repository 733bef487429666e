"""The shape of the house, read from our own imports: arrows point down, and some things are said in one room only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.support import ROOT

PACKAGE = ROOT / "emulator" / "qldb_emulator"
LEAVES = {
    "__init__",
    "__version__",
    "budget",
    "clock",
    "compiled",
    "context",
    "ids",
    "limits",
    "errors",
    "extras",
    "records",
    "settings",
}

# room -> the rooms it may import; leaves are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "cli": {
        *("web", "engine", "verify", "tables", "storage", "partiql", "ion", "journal", "log"),
        *("client", "admin", "aws", "driver", "seeding", "testing"),
        "auth",
    },
    "__main__": {"cli"},
    "admin": set(),
    "driver": {"ion", "journal", "engine", "auth"},
    "seeding": {"driver", "partiql", "ion"},
    "testing": {"web", "engine", "driver", "seeding", "client"},
    "pytest_plugin": {"testing", "engine"},
    "auth": set(),
    "web": {"wire", "engine", "auth"},
    "wire": {"aws_models"},
    "engine": {"log", "storage", "partiql", "journal", "ion", "aws"},
    "partiql": {"ion"},
    "log": {"storage"},
    "storage": {"journal.model"},
    "journal": {"ion"},
    "verify": {"journal", "ion", "aws", "partiql.syntax", "partiql.syntax.parser", "partiql.language.errors"},
    "tables": {"verify", "journal", "ion"},
    "aws": set(),
    "ion": set(),
    "aws_models": set(),
    "client": {"aws_models"},
}

# Parts of a room that may import more than the rest of it: the JSON interface and the console show what is stored.
MAY_ALSO_IMPORT: dict[str, set[str]] = {
    "web/interface": {"driver", "seeding", "ion", "journal", "partiql", "verify", "storage.rows", "storage.errors"},
    "web/console": {"ion", "journal", "partiql", "storage.rows", "seeding"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yield every import as a dotted name; our own begin with a dot and are relative to the package."""
    package = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield from (
                [f".{target}"] if node.module else [f".{'.'.join([*base, alias.name])}" for alias in node.names]
            )
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_down(path: Path) -> None:
    room = room_of(path)
    wrong = []
    for name in imports(path):
        if not name.startswith("."):
            continue
        target = name[1:]
        top = target.split(".")[0]
        allowed = {""} | LEAVES | {room} | (set() if room in LEAVES else MAY_IMPORT[room])
        allowed |= MAY_ALSO_IMPORT.get("/".join(path.relative_to(PACKAGE).parts[:2]), set())
        if top not in allowed and target not in allowed:
            wrong.append(target)
    assert wrong == []


ONLY_IN = {
    "flask": {"web"},
    "werkzeug": {"web"},
    "sqlite3": {"storage", "tables"},
    "sqlite_utils": {"tables"},
    "pyarrow": {"seeding", "tables"},
    "psycopg": {"log", "tables"},
    "rfc3161_client": {"verify"},
    "asn1crypto": {"verify"},
    "jinja2": {"web", "verify"},
    "click": {"cli"},
    "boto3": {"aws", "client", "testing"},
    "botocore": {"aws", "client"},
    "pyqldb": {"client", "testing"},
    "pytest": {"pytest_plugin"},
    "moto": {"aws"},
    "trustme": {"web"},
    "cryptography": {"verify", "web"},
}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_imported_in_its_room_only(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        rooms = ONLY_IN.get(name.split(".")[0])
        assert rooms is None or room in rooms, f"{name} belongs in {rooms}"


# What every server imports; Flask comes with the first request that needs it (docs/design/007-start-without-flask.md).
WITHOUT_FLASK = {
    *("access", "answer", "app", "connection", "dates", "dispatch", "forwarding", "gateway", "health", "http1"),
    *(
        "listening",
        "metrics",
        "occasionally",
        "peer",
        "process_metrics",
        "routes",
        "server",
        "stopping",
        "turns",
        "wsgi",
    ),
}


@pytest.mark.parametrize("name", sorted(WITHOUT_FLASK))
def test_a_start_imports_no_flask(name: str) -> None:
    tree = ast.parse((PACKAGE / "web" / f"{name}.py").read_text())
    top = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in top if node.module and node.module.split(".")[0] in {"flask", "werkzeug"}] == []
    own = {node.module for node in top if node.level == 1}
    assert own <= WITHOUT_FLASK


NEVER = {"uuid", "secrets", "datetime"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_time_and_randomness_come_from_the_leaves_only(path: Path) -> None:
    if path.stem in {"clock", "ids"} and path.parent == PACKAGE:
        return
    names = set(imports(path))
    assert "random" not in names
    assert not names & NEVER
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
            # Durations may be measured anywhere; the time of day may not be asked for.
            assert node.attr not in {"time", "time_ns"}, f"line {node.lineno}"


def test_amazon_ion_is_an_oracle_and_not_a_dependency() -> None:
    assert [str(path) for path in modules() for name in imports(path) if name.startswith(("amazon", "ionhash"))] == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_cli_reads_the_environment(path: Path) -> None:
    if room_of(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in {"environ", "getenv", "environb"}, f"line {node.lineno}"


# --- Circles -------------------------------------------------------------------------------------------------

CORE_FILES_MAX = 4
"""A few files that tell one idea together may import each other, within one folder.  More is a circle."""

# Circles that still are to be cut, by the rooms they are in.  Remove a row with its last circle.
STILL_CIRCULAR = {}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, also inside functions and for type checking alone."""
    paths = {module_name(path): path for path in modules()}
    graph = {}
    for name, path in paths.items():
        package = list(path.relative_to(PACKAGE).parts[:-1])
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else ())]
            targets = [".".join([*base, alias.name]) for alias in node.names]
            found |= {target if target in paths else ".".join(base) for target in targets}
        graph[name] = (found & paths.keys()) - {name}
    return graph


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return everything that a module imports, directly or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in graph[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Groups of modules each of which imports, directly or not, every other."""
    reach = {name: reachable(graph, name) for name in graph}
    return {frozenset(other for other in reach[name] if name in reach[other]) for name in graph if name in reach[name]}


def is_core(circle: frozenset[str]) -> bool:
    return len(circle) <= CORE_FILES_MAX and len({name.rpartition(".")[0] for name in circle}) == 1


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {frozenset("abc")}
    assert is_core(frozenset({"x.a", "x.b"}))
    assert not is_core(frozenset({"x.a", "y.b"}))
    assert not is_core(frozenset(f"x.{number}" for number in range(CORE_FILES_MAX + 1)))


def test_files_import_each_other_in_no_circle() -> None:
    wrong = [sorted(circle) for circle in circles(import_graph()) if not is_core(circle)]
    assert [names for names in wrong if names[0].split(".")[0] not in STILL_CIRCULAR] == []


# --- What each package says of itself ------------------------------------------------------------------------

PAGE_LINES = 8
"""A title, an empty line, and some five lines.  An example of its use, or a table, may follow."""


def packages() -> list[str]:
    return sorted(module_name(path) for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)


@pytest.mark.parametrize("name", packages())
def test_a_package_says_its_idea_what_flows_through_it_and_where_to_begin(name: str) -> None:
    folder = PACKAGE.joinpath(*name.split("."))
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    lines = text.splitlines()[:PAGE_LINES]
    assert lines[0].endswith(".")
    assert sum(line.startswith("In: ") for line in lines) == 1
    assert sum(line.startswith("Out: ") for line in lines) == 1
    first = re.search(r"Open ``(\w+)`` first", "\n".join(lines))
    assert first is not None, "say which file to open first"
    assert (folder / f"{first[1]}.py").is_file(), f"{first[1]}.py is not there"


# --- The page of the architecture ----------------------------------------------------------------------------

ARCHITECTURE = ROOT / "docs" / "architecture.md"
_ROW = re.compile(r"\| `(?P<room>[a-z_.]+)/?` \| [^|]+ \|(?P<uses>[^|]*)\|")


def rooms_of_page() -> dict[str, set[str]]:
    """Return the table of rooms: room -> what it may use."""
    rows = _ROW.finditer(ARCHITECTURE.read_text())
    return {row["room"].removesuffix(".py"): set(re.findall(r"`([a-z_.]+)`", row["uses"])) for row in rows}


def test_the_page_of_the_architecture_has_every_room_and_its_arrows() -> None:
    page = rooms_of_page()
    rooms = {room: uses for room, uses in page.items() if "." not in room}
    assert rooms.keys() == MAY_IMPORT.keys() - {"__main__"}, "rooms of docs/architecture.md and of MAY_IMPORT"
    for room, uses in rooms.items():
        arrows = {target.split(".")[0] for target in MAY_IMPORT[room]}
        assert uses == arrows, f"the row of {room} in docs/architecture.md names other rooms"


def test_the_page_of_the_architecture_names_the_rooms_of_the_engine_from_below() -> None:
    """Each may import those before it."""
    order = [room.removeprefix("engine.") for room in rooms_of_page() if room.startswith("engine.")]
    assert set(order) == {name.split(".")[1] for name in packages() if name.startswith("engine.")}
    for name, targets in import_graph().items():
        room = name.split(".")[1] if name.startswith("engine.") and name.count(".") == 2 else None
        if room is None:
            continue
        above = set(order[order.index(room) + 1 :])
        used = {target.split(".")[1] for target in targets if target.startswith("engine.") and target.count(".") == 2}
        assert used & above <= LOOKS_UP.get(name, set()), f"{name} imports from a room above it"


# Files that import from a room above theirs.
LOOKS_UP = {
    "engine.session.sessions": {"workbench"},  # asks the fault rules about every command, and logs every statement
}


def test_every_file_that_the_page_of_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`((?!emulator/)[a-z_0-9]+(?:/[a-z_0-9]+)*\.py)`", ARCHITECTURE.read_text()))
    assert named
    assert [name for name in sorted(named) if not (PACKAGE / name).is_file()] == []
