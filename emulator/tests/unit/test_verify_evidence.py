"""A signed and stamped report: it can be checked without this program, and any change of it or of the files shows."""

from __future__ import annotations

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.authority import authority, needs_openssl, openssl
from helpers.journals import sample
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.ion.codec import dumps, dumps_text
from qldb_emulator.journal import merkle, proofs

pytestmark = needs_openssl


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal, a key, and a report that is signed and stamped."""
    folder = tmp_path_factory.mktemp("evidence")
    blocks = sample()
    (folder / "journal").mkdir()
    for first, part in ((0, blocks[:3]), (3, blocks[3:])):
        name = f"{blocks[0].address.strand_id}.{first}-{first + len(part) - 1}.ion"
        (folder / "journal" / name).write_bytes(b"".join(dumps(block.to_ion()) for block in part))
    openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem", folder=folder)
    openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem", folder=folder)
    digest = merkle.root([block.block_hash for block in blocks]).hex()
    with authority(folder) as url:
        result = run(
            *("verify", folder / "journal", "--digest", digest, "--report", folder / "report.json"),
            *("--sign", folder / "key.pem", "--timestamp", url),
        )
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def checked(folder: Path, *options: object) -> tuple[int, dict[str, str]]:
    """Exit code, and the state of each check."""
    result = run("verify-report", folder / "report.json", *options, "--json")
    return result.exit_code, {each["check"]: each["state"] for each in json.loads(result.stdout)["checks"]}


def everything(folder: Path) -> tuple[object, ...]:
    return (folder / "journal", "--key", folder / "public.pem", "--ca", folder / "ca.pem")


def test_all_of_it_holds(folder):
    code, states = checked(folder, *everything(folder))
    assert code == 0
    assert states == dict.fromkeys(("form", "signature", "time stamp", "inputs", "verification"), "held")


def test_without_key_certificates_and_source_it_says_what_it_did_not_check(folder):
    code, states = checked(folder)
    assert code == 4
    assert states == {"form": "held"} | dict.fromkeys(("signature", "time stamp", "inputs"), "not checked")


PAGE = ROOT / "docs" / "audit.md"


def test_openssl_alone_checks_signature_stamp_and_files(folder):
    """By the very lines of docs/audit.md."""
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"openssl .*-verify ", line)]
    assert [line.split()[1] for line in lines] == ["pkeyutl", "ts"]
    for line in lines:
        openssl(*line.split()[1:], folder=folder)
    report = json.loads((folder / "report.json").read_bytes())
    assert len(report["inputs"]) == 2
    for each in report["inputs"]:
        data = (folder / "journal" / each["name"]).read_bytes()
        assert (each["size"], each["sha256"]) == (len(data), sha256(data).hexdigest())


def test_any_change_of_the_report_shows(folder):
    path = folder / "report.json"
    for old, new in ((b"whole", b"Whole"), (b'"files":2', b'"files":3'), (b"{", b"{ ")):
        before = path.read_bytes()
        path.write_bytes(before.replace(old, new, 1))
        code, states = checked(folder, *everything(folder))
        assert code == 1
        assert states["signature"] == states["time stamp"] == "failed"
        path.write_bytes(before)


def test_another_key_or_authority_shows(folder):
    openssl("genpkey", "-algorithm", "ed25519", "-out", "other.pem", folder=folder)
    openssl("pkey", "-in", "other.pem", "-pubout", "-out", "other.pub", folder=folder)
    assert checked(folder, "--key", folder / "other.pub")[1]["signature"] == "failed"
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        3,
        "-subj",
        "/CN=Other",
        "-keyout",
        "o.key",
        "-out",
        "other-ca.pem",
        folder=folder,
    )
    assert checked(folder, "--ca", folder / "other-ca.pem")[1]["time stamp"] == "failed"


@pytest.mark.parametrize("suffix", [".sig", ".tsr"])
def test_what_was_taken_away_is_missed(folder, suffix):
    (folder / f"report.json{suffix}").unlink()
    code, states = checked(folder, *everything(folder))
    assert (code, list(states.values()).count("failed")) == (1, 1)


def test_changed_files_show(folder):
    name = max((folder / "journal").iterdir())
    before = name.read_bytes()
    name.write_bytes(before + b"\xe0\x01\x00\xea")  # another version marker: the same blocks
    assert checked(folder, *everything(folder))[1] == {
        "form": "held",
        "signature": "held",
        "time stamp": "held",
        "inputs": "failed",
        "verification": "held",
    }
    name.unlink()
    assert checked(folder, *everything(folder))[0] == 1


def test_a_report_without_a_digest_says_how_little_it_proves(folder):
    result = run("verify", folder / "journal", "--sign", folder / "key.pem", "--report", folder / "report.json")
    assert result.exit_code == 0
    assert not (folder / "report.json.tsr").exists(), "the stamp of the earlier report is gone"
    (claim, _) = json.loads((folder / "report.json").read_bytes())["says"]
    assert "unchanged since it was signed, and nothing about the time before" in claim


def test_keys_that_cannot_sign_and_authorities_that_do_not_answer(folder):
    openssl("genpkey", "-algorithm", "RSA", "-out", "rsa.pem", folder=folder)
    openssl("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", "locked.pem", folder=folder)
    (folder / "junk.pem").write_text("junk")
    before = (folder / "report.json").read_bytes()
    for options in (
        ("--sign", folder / "rsa.pem"),
        ("--sign", folder / "locked.pem"),
        ("--sign", folder / "junk.pem"),
        ("--timestamp", "http://127.0.0.1:1/"),
        ("--timestamp", "file:///etc/passwd"),
    ):
        result = run("verify", folder / "journal", "--report", folder / "report.json", *options)
        assert (result.exit_code, result.output.startswith("Error: No report was written: ")) == (1, True), (
            result.output
        )
    assert (folder / "report.json").read_bytes() == before


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":"qldb-emulator verification","format_version":9}'])
def test_what_is_no_report(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    result = run("verify-report", tmp_path / "report.json")
    assert (result.exit_code, result.output.count("\n")) == (3, 1)


def test_a_ledger_is_not_signed(tmp_path):
    result = run("verify", "cars", "--report", tmp_path / "report.json", "--data-dir", tmp_path)
    assert (result.exit_code, "export it" in result.output) == (2, True)


# --- The page ----------------------------------------------------------------------------------------------------


def page_of(folder: Path, values: list[object]) -> str:
    (folder / "journal.ion").write_bytes(b"".join(map(dumps, values)))
    run("verify", folder / "journal.ion", "--html", folder / "page.html")
    return (folder / "page.html").read_text()


def test_the_page_names_table_document_and_version_and_draws_where_the_proof_fails(tmp_path):
    values = [block.to_ion() for block in sample()]
    values[3]["revisions"][1] = {**values[3]["revisions"][1], "data": {"b": 99}}
    text = page_of(tmp_path, values)
    for part in ("<dd>Cars</dd>", "<code>doc3</code>, version 0", "does not match its hash", "<svg", "not reached"):
        assert part in text
    assert re.search(r">revision hash</text>\s*<text[^>]*>failed</text>", text)


def test_the_page_of_a_whole_journal_says_what_is_not_compared(tmp_path):
    text = page_of(tmp_path, [block.to_ion() for block in sample()])
    assert "not compared with one that was kept" in text
    assert "No digest was given to compare with" in text


def test_the_page_shows_what_comes_from_the_journal_as_text(tmp_path):
    values = [block.to_ion() for block in sample()]
    values[3]["transactionId"] = "<script>alert(1)</script>"
    assert "<script>" not in page_of(tmp_path, values)


# --- A hash alone ------------------------------------------------------------------------------------------------


def test_a_hash_its_proof_and_the_digest_are_enough(tmp_path):
    from helpers.journals import Nodes

    blocks = sample()
    nodes, tip = Nodes(blocks), blocks[-1].address.sequence_no
    digest = merkle.digest(len(blocks), nodes.read)
    proof = proofs.revision_proof(blocks[3], "doc3", tip, nodes.read)
    (tmp_path / "proof.ion").write_text(dumps_text(proof))
    leaf = next(r["hash"] for r in blocks[3].revisions or () if r["metadata"]["id"] == "doc3")
    options = ("--proof", tmp_path / "proof.ion", "--digest", digest.hex())
    assert run("verify-receipt", "--hash", leaf.hex(), *options).exit_code == 0
    assert run("verify-receipt", "--hash", bytes(32).hex(), *options).exit_code == 1
    assert run("verify-receipt", "--hash", "junk", *options).exit_code == 3
    assert run("verify-receipt", "--hash", leaf.hex(), "--digest", digest.hex()).exit_code == 2
