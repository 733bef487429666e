"""How Sphinx makes the site of docs/: scripts/docs runs it, warnings are errors."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "emulator"))

from qldb_emulator import __version__  # noqa: E402
from qldb_emulator.cli.shell.highlight import PartiqlLexer  # noqa: E402

project = "qldb-emulator"
author = "the authors of qldb-emulator"
release = os.environ.get("QLDB_DOCS_VERSION", __version__)
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["make", "_*", "pictures"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["pyqldb", "boto3"]
add_module_names = False

# A prompt or a comment is not part of a command; both are left in what is copied, since no block has a prompt.
copybutton_exclude = ".linenos, .gp"

html_theme = "furo"
html_title = f"qldb-emulator {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["../../versions.js", "versions.js"]
templates_path = ["_templates"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

# Where links go that leave docs/: what they name, in words, since the site has no copy of it.
_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+(?!CHANGELOG)[^)]*\)")


def _links_that_stay(app: Sphinx, page: str, source: list[str]) -> None:
    """Links to files outside docs/ work in a checkout; the site shows their words alone."""
    text = source[0]
    if page == "architecture":
        text = text.replace("](design)", "](design/index.md)")
    text = text.replace("](../CHANGELOG.md)", "](changelog.md)")
    if not page.startswith(("reference/", "design/")):
        text = _OUTSIDE.sub(r"\1", text)
    if page == "index":
        text = re.sub(r"^[a-z-]+$\n", _entry_that_exists, text, flags=re.MULTILINE)
    source[0] = text


def _entry_that_exists(entry: re.Match[str]) -> str:
    """A line of a table of contents, or nothing: a page that is renamed is then in no table, which is a warning."""
    return entry[0] if (ROOT / "docs" / f"{entry[0].strip()}.md").exists() else ""


def _tables_that_scroll(app: Sphinx, document: nodes.document, page: str) -> None:
    """Give every code span in a table its own class: on a phone it may break."""
    for table in document.findall(nodes.table):
        for literal in table.findall(nodes.literal):
            literal["classes"].append("in-table")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_lexer("ion", PartiqlLexer)
    app.add_lexer("sql", PartiqlLexer)
    app.connect("source-read", _links_that_stay)
    app.connect("doctree-resolved", _tables_that_scroll)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
