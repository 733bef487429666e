"""Makes HTML of README and docs/: ``python docs/make/site.py DIRECTORY``.  Needs the package markdown."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import markdown  # type: ignore[import-untyped, unused-ignore]

ROOT = Path(__file__).resolve().parents[2]
ORDER = (
    *("getting-started", "testing", "ci", "container", "snapshots", "clients", "faults", "audit", "auth", "cli"),
    *("limits", "differences", "conformance", "scoreboard", "architecture", "contributing"),
)


def pages() -> list[tuple[str, Path]]:
    """(name, file) of every page: README, docs/ in ORDER and then what has no place in it, the changelog."""
    names = [path.stem for path in sorted((ROOT / "docs").glob("*.md"))]
    ordered = [name for name in ORDER if name in names] + [name for name in names if name not in ORDER]
    return [
        ("index", ROOT / "README.md"),
        *((name, ROOT / "docs" / f"{name}.md") for name in ordered),
        ("changelog", ROOT / "CHANGELOG.md"),
    ]


STYLE = """
body { max-width: 60rem; margin: 0 auto; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; border-bottom: 1px solid #8888; padding-bottom: .5rem; }
pre { overflow-x: auto; padding: .7rem; background: #8881; } code { font-size: .9em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #8886; padding: .2rem .5rem; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8bf; } }
"""


def linked(text: str) -> str:
    """Links between Markdown files as links between pages."""
    text = re.sub(r"\]\((?:docs/)?([a-z-]+)\.md(#[^)]*)?\)", r"](\1.html\2)", text)
    text = re.sub(r"\]\((?:\.\./)?CHANGELOG\.(?:md|html)\)", "](changelog.html)", text)
    return re.sub(r"\[([^\]]*)\]\((?:docs/)?design[^)]*\)", r"\1", text)


def page(title: str, text: str, names: list[str]) -> str:
    """One page with its navigation."""
    links = " ".join(f'<a href="{name}.html">{name}</a>' for name in names)
    body = markdown.markdown(linked(text), extensions=["tables", "fenced_code", "toc"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><nav>{links}</nav><main>{body}</main></body></html>\n"
    )


def main() -> None:
    """Writes every page, and fails when a link between pages leads nowhere."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    present = pages()
    names = [name for name, _ in present]
    for name, path in present:
        (target / f"{name}.html").write_text(page(f"qldb-emulator: {name}", path.read_text(), names))
    for picture in [*(ROOT / "docs").glob("*.svg"), *(ROOT / "docs").glob("pictures/*.jpg")]:
        copy = target / picture.relative_to(ROOT / "docs")
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(picture.read_bytes())
    missing = [
        f"{name}.html -> {link}"
        for name in names
        for link in re.findall(r'href="([a-z-]+\.html)', (target / f"{name}.html").read_text())
        if link.removesuffix(".html") not in names
    ]
    if missing:
        raise SystemExit("links that lead nowhere: " + ", ".join(missing))
    print(f"{len(names)} pages in {target}")


if __name__ == "__main__":
    main()
