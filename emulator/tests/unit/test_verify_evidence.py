"""A signed and stamped report: it can be checked without this program, and any change of it or of the files shows."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.authority import authority, needs_openssl, openssl
from helpers.journals import sample
from helpers.ledgers import busy_ledger, redact
from helpers.ledgers import digest as ledger_digest
from helpers.local_driver import LocalSession
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps, dumps_text
from qldb_emulator.journal import merkle, proofs
from qldb_emulator.settings import Settings
from qldb_emulator.verify.checks import show
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

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


@pytest.mark.parametrize("full", ["report.json", "report.json.sig", "page.html"])
def test_a_report_that_finds_no_space_leaves_the_one_before_as_it_was(folder, full, monkeypatch):
    (folder / "page.html").write_text("an earlier page")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    class Full(io.FileIO):
        def write(self, data):
            if os.fsdecode(self.name).endswith((full, f"{full}.unfinished")):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    real = open
    monkeypatch.setattr(io, "open", lambda file, mode="r", *_: Full(file, mode) if "w" in mode else real(file, mode))
    sign = () if full == "page.html" else ("--report", folder / "report.json", "--sign", folder / "key.pem")
    result = run("verify", folder / "journal", "--html", folder / "page.html", *sign)
    assert (result.exit_code in (1, 3), "cannot be written: No space left" in result.output) == (True, True)
    if full != "page.html":
        before["page.html"] = (folder / "page.html").read_bytes()  # it was written before the report
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_report_can_go_to_a_pipe_and_through_a_link(folder):
    os.mkfifo(folder / "pipe")
    (folder / "link.json").symlink_to(folder / "real.json")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((folder / "pipe").read_bytes)
        words = ("--html", folder / "pipe", "--report", folder / "link.json")
        assert run("verify", folder / "journal", *words).exit_code == 0
        assert b"</html>" in reading.result(10)
    assert (folder / "link.json").is_symlink()
    assert json.loads((folder / "real.json").read_bytes())["report"]["verdict"] == "whole"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems have UTF-8 names only")
@pytest.mark.parametrize("place", [b"journal\xff", b"journal\xff/part\xfe.ion", b"new\nline"])
def test_paths_of_any_bytes_can_be_reported(folder, place):
    path = folder / os.fsdecode(place)
    (source,) = [folder / "journal"] if path.suffix == "" else [folder / "all.ion"]
    (folder / "all.ion").write_bytes(b"".join(each.read_bytes() for each in sorted((folder / "journal").iterdir())))
    path.parent.mkdir(exist_ok=True)
    source.rename(path)
    words = ("--report", folder / "report.json", "--html", folder / "page.html")
    assert run("verify", path, *words).exit_code == 0
    assert checked(folder, path)[1] == {
        "form": "held",
        "signature": "not checked",
        "time stamp": "not checked",
        "inputs": "held",
        "verification": "held",
    }
    for target in ("sqlite:tables.sqlite", "csv:csv", "parquet:parquet"):
        kind, _, name = target.partition(":")
        assert run("tables", path, "--to", f"{kind}:{folder / name}").exit_code == 0
    assert run("verify-tables", f"sqlite:{folder / 'tables.sqlite'}").exit_code == 4


# --- A ledger ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(folder: Path) -> Path:
    """The same folder, with the data directory of a ledger, cars."""
    with Emulator(Settings(data_dir=folder / "data")) as emulator:
        busy_ledger(emulator)
    return folder


def report_on(folder: Path, *options: object, target: str = "cars") -> dict[str, Any]:
    """The signed report on a ledger."""
    if "--url" not in options and not target.endswith(".qldb"):
        options = (*options, "--data-dir", folder / "data")
    result = run("verify", target, "--report", folder / "report.json", "--sign", folder / "key.pem", *options)
    assert result.exit_code in (0, 1), result.output
    found: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return found


def checked_ledger(folder: Path, source: object, *options: object) -> tuple[int, dict[str, str]]:
    """As for files, with no time stamp."""
    code, states = checked(folder, source, "--key", folder / "public.pem", *options)
    assert states.pop("time stamp") == "not checked"
    return code, states


HELD = dict.fromkeys(("form", "signature", "blocks", "verification"), "held")


def test_a_report_on_a_ledger_names_its_blocks_and_the_digest_over_them(ledger):
    report = report_on(ledger)
    with Emulator(Settings(data_dir=ledger / "data")) as emulator:
        value, _ = ledger_digest(emulator)
    last = report["report"]["journal"]["last"]["sequence_no"]
    assert report["inputs"] == []
    assert {**report["blocks"], "last_block_hash": ""} == {
        "read_from": "ledger file",
        "strand_id": report["report"]["strand_id"],
        "first_block": 0,
        "last_block": last,
        "last_block_hash": "",
        "digest": show(value),
        "no_digest_because": None,
        "compared_with_digest_from": None,
    }
    says = " ".join(report["says"])
    for part in ("no file was hashed", f"the blocks 0 to {last}", show(value), "nothing about the time before"):
        assert part in says
    assert checked_ledger(ledger, "cars", "--data-dir", ledger / "data") == (4, HELD)
    openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "report.json"),
        *("-sigfile", "report.json.sig"),
        folder=ledger,
    )


@pytest.mark.parametrize("place", ["data directory", "file", "server"])
def test_the_report_on_a_ledger_is_stamped_and_everything_holds(ledger, place):
    """By an authority of openssl's; openssl checks the stamp, too."""
    data = ledger / "data"
    trusted = ("--key", ledger / "public.pem", "--ca", ledger / "ca.pem")
    with Emulator(Settings(data_dir=data)) as emulator, Server(create_dispatcher(emulator)) as server:
        target, *options = {
            "data directory": ("cars", "--data-dir", data),
            "file": (str(data / "us-east-1" / "cars.qldb"),),
            "server": ("cars", "--url", server.url),
        }[place]
        with authority(ledger) as url:
            report_on(ledger, *options, "--timestamp", url, target=str(target))
        LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'Later'}")
        assert checked(ledger, target, *options, *trusted) == (0, {**HELD, "time stamp": "held"})
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("openssl ts -verify ")]
    openssl(*lines[0].split()[1:], folder=ledger)
    report = ledger / "report.json"
    report.write_bytes(report.read_bytes().replace(b"cars", b"Cars"))
    code, states = checked(ledger, *trusted)
    assert (code, states["signature"], states["time stamp"]) == (1, "failed", "failed")


def test_a_digest_that_was_kept_is_what_the_report_rests_on(ledger):
    with Emulator(Settings(data_dir=ledger / "data")) as emulator:
        value, tip = ledger_digest(emulator)
    report = report_on(ledger, "--digest", value.hex(), "--tip", tip)
    assert report["blocks"]["compared_with_digest_from"] == "kept"
    assert "every block up to its tip is as it was when the digest was taken" in report["says"][0]
    assert checked_ledger(ledger, "cars", "--data-dir", ledger / "data") == (4, HELD)


def test_the_report_holds_for_a_ledger_that_went_on_for_its_export_its_copy_and_its_server(ledger, tmp_path):
    report_on(ledger)
    with Emulator(Settings(data_dir=ledger / "data")) as emulator, Server(create_dispatcher(emulator)) as server:
        LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'Later'}")
        redact(LocalSession(emulator, "cars"), "Car", 0)
        assert checked_ledger(ledger, "cars", "--url", server.url) == (4, HELD)
    result = run("verify-report", ledger / "report.json", "cars", "--data-dir", ledger / "data")
    assert re.search(r"; [2-9] blocks were added since", result.output), result.output
    for output_format in ("ION_BINARY", "ION_TEXT"):
        export = tmp_path / output_format
        assert run("export", "cars", export, "--data-dir", ledger / "data", "--format", output_format).exit_code == 0
        assert checked_ledger(ledger, export) == (4, HELD)
    (tmp_path / "us-east-1").mkdir()
    copy = shutil.copy(ledger / "data" / "us-east-1" / "cars.qldb", tmp_path / "us-east-1" / "copy.qldb")
    assert checked_ledger(ledger, copy) == (4, HELD)


def test_a_server_gives_blocks_for_a_report_and_the_digest_is_its_own(ledger):
    with Emulator(Settings(data_dir=ledger / "data")) as emulator, Server(create_dispatcher(emulator)) as server:
        report = report_on(ledger, "--url", server.url)
        assert report["blocks"]["read_from"] == report["blocks"]["compared_with_digest_from"] == "server"
        says = " ".join(report["says"])
        assert "which the same server gave when its blocks were read" in says
        assert "What its queries read was not compared" in says
        assert checked_ledger(ledger, "cars", "--url", server.url) == (4, HELD)
        LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'Later'}")
        assert checked_ledger(ledger, "cars", "--url", server.url) == (4, HELD)


def test_another_ledger_a_shorter_one_and_a_changed_one_fail(ledger, tmp_path):
    with Emulator(Settings(data_dir=ledger / "data")) as emulator:
        busy_ledger(emulator, "other")
        shutil.copytree(ledger / "data", tmp_path / "before")
        LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'Later'}")
    report_on(ledger)
    failed = {**HELD, "blocks": "failed", "verification": "failed"}
    assert checked_ledger(ledger, "other", "--data-dir", ledger / "data") == (1, failed)
    assert checked_ledger(ledger, "cars", "--data-dir", tmp_path / "before")[1]["blocks"] == "failed"
    with closing(sqlite3.connect(ledger / "data" / "us-east-1" / "cars.qldb")) as connection:
        connection.execute("UPDATE revision SET version = 7 WHERE seq = (SELECT max(seq) FROM revision)")
        connection.commit()
    changed = {**HELD, "verification": "failed"}
    assert checked_ledger(ledger, "cars", "--data-dir", ledger / "data") == (1, changed)


def test_a_finding_in_a_ledgers_rows_names_table_document_and_version(ledger):
    with closing(sqlite3.connect(ledger / "data" / "us-east-1" / "cars.qldb")) as connection:
        connection.execute("UPDATE revision SET tx_time_ms = 1 WHERE seq = (SELECT max(seq) FROM revision)")
        connection.execute("DELETE FROM index_entry")
        connection.commit()
    report = report_on(ledger, "--html", ledger / "page.html")
    assert report["report"]["verdict"] == "broken"
    findings = report["report"]["journal"]["findings"]
    of_row = next(each for each in findings if each["detail"].startswith("revision.tx_time_ms"))
    assert (of_row["table"], bool(of_row["document"]), type(of_row["version"])) == ("Car", True, int)
    assert report["report"]["ledger"] == "cars"
    text = (ledger / "page.html").read_text()
    assert f"<code>{of_row['document']}</code>, version {of_row['version']}" in text
    assert "<dt>ledger</dt><dd>cars</dd>" in text
    assert checked_ledger(ledger, "cars", "--data-dir", ledger / "data") == (4, HELD), "broken then, and now"


def test_a_ledger_that_begins_in_its_middle_has_the_hash_of_its_last_block(ledger, tmp_path):
    values = [dumps(block.to_ion()) for block in sample()[3:]]
    (tmp_path / "late.ion").write_bytes(b"".join(values))
    result = run("import", tmp_path / "late.ion", "--as", "late", "--data-dir", ledger / "data")
    assert result.exit_code == 0, result.output
    result = run("verify", "late", "--report", ledger / "report.json", "--data-dir", ledger / "data")
    assert result.exit_code == 4, result.output
    report = json.loads((ledger / "report.json").read_bytes())
    assert report["blocks"]["digest"] is None
    assert show(sample()[-1].block_hash) in " ".join(report["says"])
    assert checked(ledger, "late", "--data-dir", ledger / "data")[1]["blocks"] == "not checked"


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
