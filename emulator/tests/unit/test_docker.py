"""The container's files, read as text: what an image must and must not have, and what must agree with the code."""

from __future__ import annotations

import json
import re
import sys

import pytest
from helpers.support import ROOT

from qldb_emulator.cli.hooks import INIT_DIRECTORY
from qldb_emulator.settings import DEFAULT_PORT

sys.path.insert(0, str(ROOT / "docker"))
from rehearse import instructions

TEXT = (ROOT / "docker" / "Dockerfile").read_text()
INSTRUCTIONS = instructions(TEXT)
LAST_STAGE = INSTRUCTIONS[[n for n, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"][-1] :]


def last(word: str) -> str:
    (found,) = [rest for name, rest in LAST_STAGE if name == word]
    return found


def test_it_has_stages_and_every_base_is_pinned_to_a_release() -> None:
    bases = [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"]
    assert len(bases) > 1
    assert [base for base in bases if ":" not in base or base.endswith(":latest")] == []


def test_it_runs_as_a_user_that_owns_nothing_but_the_data() -> None:
    assert int(last("USER")) > 0
    assert last("VOLUME") == last("WORKDIR") == "/data"
    assert f"install -d -o {last('USER')} -g {last('USER')} /data" in TEXT


def test_it_listens_where_it_says() -> None:
    assert last("EXPOSE") == str(DEFAULT_PORT)
    assert str(DEFAULT_PORT) in last("HEALTHCHECK")
    assert "QLDB_EMULATOR_HOST=0.0.0.0" in last("ENV")


@pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD"])
def test_the_server_is_process_1_and_no_shell_stands_before_it(word: str) -> None:
    assert json.loads(last(word))[0] in ("qldb-emulator", "serve")


def test_packages_come_without_what_they_recommend_and_leave_no_lists() -> None:
    for word, rest in INSTRUCTIONS:
        if word == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest
        assert word != "ADD"


def test_everything_it_copies_is_there_and_let_through() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed[0] == "*"
    for word, rest in INSTRUCTIONS:
        if word == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name}" in allowed


def test_the_compose_file_says_what_the_image_needs() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra test")
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    server = compose["services"]["qldb"]
    assert (server["read_only"], server["tmpfs"], server["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert server["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    assert server["volumes"] == ["ledgers:/data", f"./init:{INIT_DIRECTORY}/ready.d:ro"]
    assert (ROOT / "docker" / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    known = set(re.findall(r"QLDB_EMULATOR_[A-Z0-9_]+", (ROOT / "emulator/qldb_emulator/cli/serve.py").read_text()))
    assert set(server["environment"]) <= known
    assert compose["services"]["backup"]["environment"]["QLDB_EMULATOR_URL"] == f"http://qldb:{DEFAULT_PORT}"
    assert set(compose["volumes"]) == {"ledgers"}
    overlay = yaml.safe_load((ROOT / "docker" / "compose.auth.yaml").read_text())["services"]["qldb"]
    assert set(overlay["environment"]) <= known
