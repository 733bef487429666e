"""Prose is plain: comments, docstrings, messages and pages have no words that make a reader stop."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tokenize
from pathlib import Path

import pytest
from helpers.support import ROOT

# Old-fashioned pronouns, inversions and riddles, with what to write instead.
PLAIN = {
    r"\bwho(?:m)?ever\b": "name the role: the caller, a client, the reader",
    r"\bnobody\b": "say who does not",
    r"\bsomebody(?:'s)?\b": "name the role",
    r"(?<!there )\b(?:is|are|was|were) none\b": "is not a ..., or: is not one of ...",
    r"\b(?:[Ee]very|[Aa]ny)body\b": "name the role",
    r"\b(?:what|who) is no [a-z]": "what is not a ..., or: other values than ...",
    r"\banew\b": "again; for a file: rewrite",
    r"\bhand(?:s|ed) out\b": "return, yield, send",
    r"\bthe mend\b|\bmended\b": "fix",
    r"\bon which this began\b": "say why it is so now",
    r"\b(?:0\.\d+|a (?:third|quarter|half)) of before\b": "takes 16 % less time",
}
PROSE = {".md", ".html", ".txt"}
LEFT_OUT = ("CHANGELOG.md", "LICENSE", "emulator/tests/spec/test_words.py", "docs/performance.md")


def tracked() -> list[str]:
    if shutil.which("git") is None:
        pytest.skip("git is not installed: the files of the project are not known")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the files of the project are not known")
    return [name for name in listed.stdout.splitlines() if name not in LEFT_OUT and (ROOT / name).is_file()]


def words_of(path: Path) -> list[tuple[int, str]]:
    """Return (line, text) of the prose of a file: all of a page; comments and strings of a program."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in PROSE:
        return list(enumerate(text.splitlines(), 1))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


def riddles(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {found[0]!r} ({instead})"
        for line, text in words_of(path)
        for pattern, instead in PLAIN.items()
        if (found := re.search(pattern, text))
    ]


def test_prose_is_plain() -> None:
    paths = [ROOT / name for name in tracked() if Path(name).suffix in {*PROSE, ".py"}]
    assert [riddle for path in paths for riddle in riddles(path)] == []


RIDDLES = [
    *("# for whoever calls", "# nobody reads it", '"a name that is none"', "# the mend", "# 0.84 of before"),
    *("# told to everybody", "# for what is no number", "# written anew", "# rows handed out"),
]


@pytest.mark.parametrize("text", RIDDLES)
def test_a_riddle_is_found(text: str) -> None:
    assert len([pattern for pattern in PLAIN if re.search(pattern, text)]) == 1
