"""The shape of the house, read from our own imports: arrows point down, and some things are said in one room only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

PACKAGE = ROOT / "emulator" / "qldb_emulator"
LEAVES = {"__init__", "__version__", "clock", "context", "ids", "limits", "errors", "records", "settings"}

# room -> the rooms it may import; leaves are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "cli": {
        *("web", "engine", "verify", "tables", "storage", "partiql", "ion", "journal"),
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
    "engine": {"storage", "partiql", "journal", "ion", "aws"},
    "partiql": {"ion"},
    "storage": {"journal.model"},
    "journal": {"ion"},
    "verify": {"journal", "ion", "aws"},
    "tables": {"verify", "journal", "ion"},
    "aws": set(),
    "ion": set(),
    "aws_models": set(),
    "client": {"aws_models"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> Iterator[str]:
    """Every import as a dotted name; our own begin with a dot and are relative to the package."""
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
        if top not in allowed and target not in allowed:
            wrong.append(target)
    assert wrong == []


ONLY_IN = {
    "flask": {"web"},
    "werkzeug": {"web"},
    "sqlite3": {"storage", "tables"},
    "sqlite_utils": {"tables"},
    "pyarrow": {"tables"},
    "psycopg": {"tables"},
    "cryptography": {"verify"},
    "rfc3161_client": {"verify"},
    "asn1crypto": {"verify"},
    "jinja2": {"web", "verify"},
    "click": {"cli"},
    "boto3": {"aws", "client", "testing"},
    "botocore": {"aws", "client"},
    "pyqldb": {"client", "testing"},
    "pytest": {"pytest_plugin"},
    "moto": {"aws"},
}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_imported_in_its_room_only(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        rooms = ONLY_IN.get(name.split(".")[0])
        assert rooms is None or room in rooms, f"{name} belongs in {rooms}"


# What every server imports; Flask comes with the first request that needs it (docs/design/007-start-without-flask.md).
WITHOUT_FLASK = {"dates", "dispatch", "gateway", "health", "metrics", "routes", "server", "turns"}


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
