"""``models install|path|remove`` and ``env``: what they write and print, and what they do not change."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qldb_emulator.cli import main
from qldb_emulator.cli.env import variables
from qldb_emulator.client.models import MODEL_DIRECTORY, MODEL_FILES, RECEIPT, install, is_installed, remove
from qldb_emulator.wire import model as wire_model

CONTROL, SESSION = MODEL_FILES


def _tree(directory: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def _run(*arguments: str, **environment: str | None) -> Result:
    return CliRunner().invoke(main, arguments, env={"HOME": "/nonexistent", **environment})


# --- models -------------------------------------------------------------------------------------------------------


def test_the_models_are_those_that_the_server_reads():
    assert MODEL_DIRECTORY == wire_model.MODEL_DIRECTORY
    assert _run("models", "path").output == f"{MODEL_DIRECTORY}\n"


@pytest.mark.parametrize("before", [(), ("models/ec2/2016-11-15/service-2.json",), ("models/qldb/x",)])
def test_removing_undoes_installing_exactly(tmp_path, before):
    for name in before:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("theirs")
    tree = _tree(tmp_path)
    target = tmp_path / "models"
    assert [target / CONTROL, target / SESSION] == install(target)
    assert is_installed(target)
    assert install(target) == []
    assert ([target / CONTROL, target / SESSION], []) == remove(target)
    assert tree == _tree(tmp_path)


def test_a_file_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / CONTROL).parent.mkdir(parents=True)
    (tmp_path / CONTROL).write_text("theirs")
    tree = _tree(tmp_path)
    result = _run("models", "install", "--directory", str(tmp_path))
    assert result.exit_code == 1
    expected = f"Error: {tmp_path / CONTROL} is there already and not ours; --force puts it aside\n"
    assert expected == result.stderr
    assert tree == _tree(tmp_path)


def test_force_puts_a_file_aside_and_removing_puts_it_back(tmp_path):
    (tmp_path / CONTROL).parent.mkdir(parents=True)
    (tmp_path / CONTROL).write_text("theirs")
    tree = _tree(tmp_path)
    result = _run("models", "install", "--force", "--directory", str(tmp_path))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"Now set AWS_DATA_PATH={tmp_path}")
    assert is_installed(tmp_path)
    assert _run("models", "remove", "--directory", str(tmp_path)).exit_code == 0
    assert tree == _tree(tmp_path)


def test_a_model_that_an_older_version_of_ours_wrote_is_renewed(tmp_path):
    install(tmp_path)
    receipt = (tmp_path / RECEIPT).read_text()
    old = b"an older model of ours"
    (tmp_path / CONTROL).write_bytes(old)
    import hashlib

    new_digest = hashlib.sha256((MODEL_DIRECTORY / CONTROL).read_bytes()).hexdigest()
    (tmp_path / RECEIPT).write_text(receipt.replace(new_digest, hashlib.sha256(old).hexdigest()))
    assert [tmp_path / CONTROL] == install(tmp_path)
    assert is_installed(tmp_path)
    remove(tmp_path)
    assert _tree(tmp_path) == {}


def test_a_model_that_was_changed_since_is_kept_and_said(tmp_path):
    install(tmp_path)
    (tmp_path / CONTROL).write_text("changed")
    result = _run("models", "remove", "--directory", str(tmp_path))
    assert f"kept {tmp_path / CONTROL}: it was changed since\n" == result.stderr
    assert [name for name, data in _tree(tmp_path).items() if data is not None] == [CONTROL]


def test_removing_what_was_never_installed_says_so(tmp_path):
    result = _run("models", "remove", "--directory", str(tmp_path))
    assert (result.exit_code, result.stderr) == (1, f"Error: No models were installed in {tmp_path}\n")


def test_a_damaged_receipt_is_named(tmp_path):
    install(tmp_path)
    (tmp_path / RECEIPT).write_text("[]")
    result = _run("models", "remove", "--directory", str(tmp_path))
    assert (result.exit_code, "is damaged" in result.stderr) == (1, True)


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    result = _run("models", "install", "--directory", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


def test_without_a_directory_the_models_go_below_home(tmp_path):
    assert _run("models", "install", HOME=str(tmp_path)).exit_code == 0
    assert is_installed(tmp_path / ".aws" / "models")


# --- env ----------------------------------------------------------------------------------------------------------

URL = "http://127.0.0.1:7532"
ALWAYS = {"AWS_ENDPOINT_URL_QLDB": URL, "AWS_ENDPOINT_URL_QLDB_SESSION": URL, "AWS_DATA_PATH": str(MODEL_DIRECTORY)}
REGION = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
ENVIRONMENTS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("nothing set", {}, {**ALWAYS, **REGION, **KEYS}),
    ("region set", {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, {**ALWAYS, **KEYS}),
    ("one region set", {"AWS_REGION": "eu-west-1"}, {**ALWAYS, **KEYS, "AWS_DEFAULT_REGION": "eu-west-1"}),
    ("key set", {"AWS_ACCESS_KEY_ID": "AKIA"}, {**ALWAYS, **REGION}),
    ("profile set", {"AWS_PROFILE": "work"}, {**ALWAYS, **REGION}),
    ("empty is not set", {"AWS_PROFILE": "", "AWS_REGION": ""}, {**ALWAYS, **REGION, **KEYS}),
    (
        "other models",
        {"AWS_DATA_PATH": "/a"},
        {**ALWAYS, **REGION, **KEYS, "AWS_DATA_PATH": f"/a{os.pathsep}{MODEL_DIRECTORY}"},
    ),
    ("our models already", {"AWS_DATA_PATH": str(MODEL_DIRECTORY)}, {**ALWAYS, **REGION, **KEYS}),
]


@pytest.mark.parametrize(
    ("environment", "expected"), [row[1:] for row in ENVIRONMENTS], ids=[row[0] for row in ENVIRONMENTS]
)
def test_only_what_is_missing_is_set(environment, expected, tmp_path):
    assert expected == variables(URL, None, environment, tmp_path)


def test_a_credentials_file_is_not_hidden(tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\n")
    assert variables(URL, None, {}, tmp_path) == {**ALWAYS, **REGION}


def test_a_region_that_is_asked_for_is_set():
    found = variables(URL, "eu-west-1", {"AWS_REGION": "us-west-2"}, Path("/nonexistent"))
    assert (found["AWS_REGION"], found["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")


def test_a_shell_takes_what_is_printed():
    result = _run("env", "--url", "http://localhost:1/it's", AWS_ACCESS_KEY_ID=None, AWS_PROFILE=None)
    assert result.exit_code == 0
    script = result.stdout + 'printf %s "$AWS_ENDPOINT_URL_QLDB|$AWS_ACCESS_KEY_ID"'
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "http://localhost:1/it's|local"


SYNTAX = [
    ("fish", "set -gx AWS_ENDPOINT_URL_QLDB 'http://localhost:1/it\\'s';"),
    ("powershell", "$env:AWS_ENDPOINT_URL_QLDB = 'http://localhost:1/it''s'"),
]


@pytest.mark.parametrize(("shell", "line"), SYNTAX, ids=[row[0] for row in SYNTAX])
def test_other_shells_have_their_own_syntax(shell, line):
    assert line == _run("env", "--url", "http://localhost:1/it's", "--shell", shell).stdout.splitlines()[0]


def test_what_is_not_a_url_is_refused():
    result = _run("env", "--url", "localhost:7532")
    assert result.exit_code == 2
    assert "is not a URL" in result.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_takes_what_is_printed():
    script = _run("env", "--shell", "fish").stdout + "echo -n $AWS_ENDPOINT_URL_QLDB"
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == URL
