"""README and docs/: every command and program in them runs, or is checked as far as it can be, and every link leads on.

What is not run is in NOT_RUN, with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml

from qldb_emulator.cli import ENVIRONMENT_PREFIX, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# The way of a new user, in this order on one server: no page may collide with one before it.
NEW_USER = ["README.md", "docs/getting-started.md", "docs/proof.md"]
RUN = [
    *("docs/snapshots.md", "docs/faults.md", "docs/contributing.md", "docs/configuration.md", "docs/operations.md"),
    *("docs/console.md", "docs/plain-http.md"),
]
WAYS = [NEW_USER, *([page] for page in RUN)]
LANGUAGES = {"", "sh", "python", "py", "js", "java", "go", "csharp", "hcl", "json", "ini", "toml", "sql", "ion", "yaml"}

NOT_RUN = {
    r"pip install": "installing is what compat_tests/package does",
    r"npm |docker ": "needs a network, or an engine",
    r"(?:[A-Z_]+=\S+ )?scripts/": "they are the project's own; those that make environments would do so here",
    r"qldb-emulator serve": "a server runs already; its options are checked",
}
DEFAULT_URL = "http://127.0.0.1:7532"


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str


def blocks(path: Path) -> list[Block]:
    text = path.read_text()
    # Names in braces are Sphinx's directives, such as {toctree}.
    found = re.finditer(r"^( *)```([\w{}-]*)[^\n]*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    name = str(path.relative_to(ROOT))
    return [
        Block(name, text.count("\n", 0, match.start()) + 1, match[2], re.sub(f"^{match[1]}", "", match[3], flags=re.M))
        for match in found
        if not match[2].startswith("{")
    ]


ALL = [block for path in PAGES for block in blocks(path)]


def commands(text: str) -> list[str]:
    """The commands of a shell text: continued lines joined, comments and blank lines dropped."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


# --- Everything that calls itself a command exists -----------------------------------------------------------

OURS = [
    pytest.param(line, id=f"{block.page}:{block.line}: {line[:60]}")
    for block in ALL
    if block.language in ("sh", "yaml")
    for line in commands(block.text)
    if re.search(r"(?:qldb-emulator|scripts/serve) [a-z-]", line) and "pip install" not in line
]


@pytest.mark.parametrize("line", OURS)
def test_every_command_has_the_options_it_is_shown_with(line: str) -> None:
    substituted = re.findall(r"\$\(([^)]*)\)", line)
    lexer = shlex.shlex(substituted[0] if substituted else line.lstrip("- run:"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;<>()"):  # an operator of the shell: one command ends
            if words and words[0].endswith(("qldb-emulator", "scripts/serve")):
                check_words([*(["serve"] if words[0].endswith("serve") else []), *words[1:]])
            words = []
        else:
            words.append(word)


def check_words(words: list[str]) -> None:
    command: click.Command = main
    context = click.Context(main, auto_envvar_prefix=ENVIRONMENT_PREFIX)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    try:
        command.make_context(command.name, list(words), parent=context)
    except click.exceptions.Exit:
        pass  # --help
    except click.BadParameter as error:
        if isinstance(error, click.MissingParameter) or "does not exist" not in error.message:  # a file of the reader's
            raise


# --- Pages whose blocks run, in order, against a server ------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a reader has: the command, a server, a folder of their own."""
    bin_folder = str(Path(sys.executable).parent)
    home = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = [f"{bin_folder}/qldb-emulator", "serve", "--port", "0"]  # ledgers are in the reader's home
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=home)
    assert server.stderr is not None
    url = next(line.split("Ready on ")[1].split()[0] for line in server.stderr if "Ready on " in line)
    yield {
        **home,
        "QLDB_EMULATOR_URL": url,
        "AWS_ENDPOINT_URL_QLDB": url,
        "AWS_ENDPOINT_URL_QLDB_SESSION": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    server.terminate()
    server.communicate(timeout=20)
    assert server.returncode == 0


@pytest.mark.parametrize("pages", WAYS, ids=lambda pages: ", ".join(pages))
def test_the_commands_and_programs_of_pages_run(pages: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    for page in pages:
        run_page(page, environment, tmp_path)


def run_page(page: str, environment: dict[str, str], tmp_path: Path) -> None:
    found = [block for block in ALL if block.page == page]
    url = environment["QLDB_EMULATOR_URL"]
    for block in found:
        if block.language == "sh":
            run_shell(block, environment, tmp_path)
    programs = [block.text for block in found if block.language == "python"]
    if programs:
        program = "\n".join(programs).replace(DEFAULT_URL, url)
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def run_shell(block: Block, environment: dict[str, str], folder: Path) -> None:
    lines = [
        line.replace("scripts/qldb-emulator", "qldb-emulator").replace(DEFAULT_URL, environment["QLDB_EMULATOR_URL"])
        for line in commands(block.text)
        if not any(re.match(pattern, line) for pattern in NOT_RUN)
    ]
    for line in commands(block.text):
        script = re.search(r"(?<!\S)scripts/[\w-]+", line)
        assert script is None or os.access(ROOT / script[0], os.X_OK), f"there is no {line}"
    if lines:
        command = ["bash", "-e", "-c", "\n".join(lines)]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.page}, line {block.line}: {done.stderr}"


def test_the_testing_guides_files_are_a_test_suite_that_passes(tmp_path: Path) -> None:
    found = [block for block in ALL if block.page == "docs/testing.md"]
    for block in found:
        name = re.match(r"(?:#|--) ([a-z_]+\.(?:ini|partiql|py))\n", block.text)
        if name is not None:
            (tmp_path / name[1]).write_text(block.text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cars.partiql", "pytest.ini", "test_cars.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout


def test_the_testing_guides_other_program_runs(tmp_path: Path) -> None:
    programs = [block.text for block in ALL if (block.page, block.language) == ("docs/testing.md", "python")]
    (program,) = [text for text in programs if "LocalServer" in text]
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "'Person'" in done.stdout) == (0, True), done.stderr


# --- The rest ------------------------------------------------------------------------------------------------


def test_recipes_are_yaml() -> None:
    found = [block for block in ALL if block.language == "yaml"]
    assert len(found) >= 3
    for block in found:
        assert isinstance(yaml.safe_load(block.text), dict), f"{block.page}, line {block.line}"


def test_programs_that_are_not_run_are_at_least_programs() -> None:
    for block in ALL:
        if block.language in ("python", "py"):
            compile(block.text, block.page, "exec")


def test_every_block_says_its_language() -> None:
    assert {block.language for block in ALL} <= LANGUAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_site_is_made_without_warnings_and_has_every_page(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    options = ("--builder", "html", "--fail-on-warning", "--keep-going", "--quiet")
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "docs", tmp_path / "0.0.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emulator")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sources = [path for path in (ROOT / "docs").rglob("*.md") if "make" not in path.parts]
    missing = [
        path
        for path in sources
        if not (tmp_path / "0.0.1" / path.relative_to(ROOT / "docs").with_suffix(".html")).exists()
    ]
    assert missing == []
    shown = (tmp_path / "0.0.1" / "index.html").read_text()
    assert not re.findall(r"(?:src|href)=\"https?://(?!github)[^\"]*\\.(?:js|css)", shown), (
        "nothing comes from elsewhere"
    )


def test_the_list_of_versions_begins_with_the_newest_release(tmp_path: Path) -> None:
    for version in ("0.9.0", "main", "0.10.0"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "index.html").touch()
    command = [sys.executable, ROOT / "docs" / "make" / "versions.py", tmp_path]
    subprocess.run(command, capture_output=True, check=True)
    assert 'QLDB_DOCS_VERSIONS = ["0.10.0", "0.9.0", "main"]' in (tmp_path / "versions.js").read_text()
    assert "url=0.10.0/index.html" in (tmp_path / "index.html").read_text()
