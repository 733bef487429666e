"""Prints the test files that use amazon.ion or ionhash, also by way of other modules: one path a line.

With another version of amazon.ion only these can end differently, so ``scripts/test`` passes only these a second time.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "emulator" / "tests"
SOURCES = (TESTS, ROOT / "emulator")  # where ``helpers`` and ``benchmarks`` are imported from
ORACLES = ("amazon", "ionhash")


def main() -> None:
    for path in using_amazon_ion():
        print(path.relative_to(ROOT))


def using_amazon_ion() -> list[Path]:
    """The test files that reach an oracle, in order."""
    return [path for path in sorted(TESTS.rglob("test_*.py")) if _reaches(path)]


def _reaches(start: Path) -> bool:
    seen: set[Path] = set()
    rest = [start]
    while rest:
        path = rest.pop()
        if path in seen:
            continue
        seen.add(path)
        names = imported(path)
        if any(name.split(".")[0] in ORACLES for name in names):
            return True
        rest += [found for name in names for found in _modules(name)]
    return False


@cache
def imported(path: Path) -> frozenset[str]:
    """The modules that a file imports, in functions, too; ``from a import b`` as ``a`` and ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(path, node)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _base(path: Path, node: ast.ImportFrom) -> str:
    """The absolute name of the module after ``from``."""
    if not node.level:
        return node.module or ""
    package = path.parents[node.level - 1]
    source = next(source for source in SOURCES if package.is_relative_to(source))
    return ".".join([*package.relative_to(source).parts, *([node.module] if node.module else [])])


def _modules(name: str) -> list[Path]:
    """The files of a module of this project's tests and benchmarks; the product itself never imports an oracle."""
    if name.split(".")[0] == "qldb_emulator":
        return []
    places = [source.joinpath(*name.split(".")) for source in SOURCES]
    files = [path for place in places for path in (place.with_suffix(".py"), place / "__init__.py")]
    return [path for path in files if path.is_file()]


if __name__ == "__main__":
    main()
