"""A block and receipts that QLDB itself wrote, through the commands."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.local_driver import LocalSession
from helpers.support import SHARED, needs_shared

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.ion.json import to_json
from qldb_emulator.settings import Settings

pytestmark = needs_shared


@pytest.fixture
def captured():
    return loads((SHARED / "vectors" / "cli_block100.ion").read_bytes())


def run(*arguments: object):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    "encode",
    [dumps, lambda block: dumps_text(block).encode(), lambda block: to_json(block).encode()],
    ids=["binary", "text", "JSON"],
)
def test_a_real_block_is_verified_and_queried_in_every_format(captured, tmp_path: Path, encode):
    file = tmp_path / "block"
    file.write_bytes(encode(captured["block"]))
    result = run("verify", file, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["verdict"], report["journal"]["profile"]) == (4, "incomplete", "service")
    # Its document has dates and decimals, which JSON lost: read as such, it leads to the hash all the same.
    assert report["journal"]["counts"]["data_unproven"] == 0
    assert report["not_proved"][0].startswith("The journal begins at block 100, ")
    assert run("import", file, "--as", "real", "--data-dir", tmp_path / "data").exit_code == 0
    with Emulator(Settings(data_dir=tmp_path / "data")) as emulator:
        (document,) = captured["block"]["transactionInfo"]["documents"].values()
        (row,) = LocalSession(emulator, "real").run(f"SELECT * FROM history({document['tableName']})")
        assert dumps_text(row) == dumps_text(captured["block"]["revisions"][0])


@pytest.mark.parametrize("kind", ["revision", "block"])
def test_a_real_receipt_holds_as_the_aws_cli_printed_it(captured, tmp_path: Path, kind):
    value = captured["block"]["revisions"][0] if kind == "revision" else captured["block"]
    answer = {
        kind.capitalize(): {"IonText": dumps_text(value)},
        "Proof": {"IonText": dumps_text(captured[f"{kind}Proof"])},
    }
    digest = {
        "Digest": base64.b64encode(captured["digest"]).decode(),
        "DigestTipAddress": {"IonText": dumps_text(captured["digestTipAddress"])},
    }
    for name, members in (("answer", answer), ("digest", digest)):
        (tmp_path / name).write_text(json.dumps(members))
    arguments = ["verify-receipt", f"--{kind}", tmp_path / "answer", "--digest", tmp_path / "digest"]
    result = run(*arguments)
    assert (result.exit_code, result.output[:18]) == (0, "The receipt holds:")
    broken = json.dumps(answer).replace("FnQeJBAicTX0Ah32ZnVtSX", "GnQeJBAicTX0Ah32ZnVtSX")
    (tmp_path / "answer").write_text(broken if kind == "revision" else broken.replace("INSERT", "insert"))
    result = run(*arguments)
    assert (result.exit_code, "expected" in result.output) == (1, True)
