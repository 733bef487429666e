"""Writes versions.js, the list from which every page of the site offers the other versions:
``python docs/make/versions.py SITE``.

SITE has a directory for each version.  ``index.html`` beside them leads to the newest release.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def order(version: str) -> tuple[int, ...]:
    """Releases by number; other names, such as ``main``, come before all of them."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else ()


def main() -> None:
    """Read the directories, write the two files."""
    site = Path(sys.argv[1])
    versions = sorted((path.parent.name for path in site.glob("*/index.html")), key=order, reverse=True)
    (site / "versions.js").write_text(f"window.QLDB_DOCS_VERSIONS = {json.dumps(versions)};\n")
    newest = versions[0]
    (site / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><title>qldb-emulator</title>'
        f'<meta http-equiv="refresh" content="0; url={newest}/index.html"><a href="{newest}/index.html">{newest}</a>\n'
    )
    print(f"{site / newest / 'index.html'}  (versions: {', '.join(versions)})")


if __name__ == "__main__":
    main()
