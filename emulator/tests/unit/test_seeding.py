"""Seeds: which file fills which ledger, what is skipped, and the errors for a bad seed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from helpers.local_driver import REGION, LocalSession, new_ledger
from helpers.support import ROOT

from qldb_emulator.driver.local import LocalTransport
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.seeding import SAMPLES, Seeder, SeedError, sample_path
from qldb_emulator.settings import Settings

SLEEP_SECONDS = 60


@pytest.fixture
def seeder(emulator: Emulator) -> Seeder:
    return Seeder(LocalTransport(emulator))


def values(emulator: Emulator, ledger: str, query: str) -> list[object]:
    return LocalSession(emulator, ledger).run(query)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_tutorials_ledger(emulator: Emulator, seeder: Seeder, name: str) -> None:
    seeder.seed(sample_path(name), name)
    for table in ("Person", "Vehicle", "VehicleRegistration", "DriversLicense"):
        assert len(values(emulator, name, f"SELECT * FROM {table}")) == 5
    owner = (
        "SELECT VALUE p.FirstName FROM VehicleRegistration AS r, Person AS p BY pid "
        "WHERE r.VIN = '1N4AL11D75C109151' AND pid = r.Owners.PrimaryOwner.PersonId"
    )
    assert values(emulator, name, owner) == ["Raul"]
    licence = "SELECT VALUE p.GovId FROM DriversLicense AS d, Person AS p BY pid WHERE pid = d.PersonId"
    assert len(values(emulator, name, licence)) == 5


def test_names_say_which_ledger_is_filled(emulator: Emulator, seeder: Seeder, tmp_path: Path) -> None:
    create = "CREATE TABLE T; INSERT INTO T {'a': 1}"
    seeder.seed(
        write(
            tmp_path,
            {
                "10-cars.partiql": create,
                "20-other.sql": f"-- ledger: named\n{create}",
                "boats/1.partiql": create,
                "boats/2.json": json.dumps({"table": "U", "indexes": ["b"], "documents": [{"b": 2.50}]}),
                "planes/x.ion": '// ledger: jets\n{table: "T", documents: [{a: sym}]}',
                ".hidden.partiql": "nonsense",
                "notes.txt": "left alone",
            },
        )
    )
    assert emulator.ledgers.names(REGION) == ["boats", "cars", "jets", "named"]
    assert len(values(emulator, "boats", "SELECT * FROM T, U")) == 1
    row = emulator.ledgers.find(REGION, "boats")
    assert row is not None
    assert [table.name for table in row.catalogue.tables] == ["T", "U"]


def test_a_ledger_that_was_there_is_not_filled_again(emulator: Emulator, seeder: Seeder, tmp_path: Path) -> None:
    new_ledger(emulator, "cars")
    seeder.seed(write(tmp_path, {"cars.partiql": "CREATE TABLE T"}))
    assert values(emulator, "cars", "SELECT * FROM information_schema.user_tables") == []


def test_more_documents_than_a_transaction_may_change(emulator: Emulator, seeder: Seeder, tmp_path: Path) -> None:
    documents = [{"n": number} for number in range(95)]
    seeder.seed(write(tmp_path, {"many.json": json.dumps([{"table": "T", "documents": documents}])}))
    assert len(values(emulator, "many", "SELECT * FROM T")) == 95


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.partiql", "CREATE TABLE T;\n\nSELECT FROM", "a.partiql, line 3: Parser Error"),
        ("a.partiql", "CREATE TABLE T;\nINSERT INTO T ?", "a.partiql, line 2: Query expects 1 parameters"),
        ("a.json", "{", "a.json: it is not JSON"),
        ("a.ion", "[1]", "a.ion: value 1 is not a struct"),
        ("a.ion", "{}", "value 1 has no string 'table'"),
        ("a.ion", '{table:"T",rows:[]}', "value 1 has 'rows'"),
        ("a.ion", '{table:"T",documents:[1]}', "documents of T are not a list of structs"),
        ("a.ion", '{table:"T",indexes:[1]}', "indexes of T are not a list of strings"),
        ("a.ion", '{table:"T",links:[{table:"U",path:["x"]}]}', "needs a table that stands before it"),
        ("a--b.partiql", "", "a--b.partiql: "),
        ("a.sh", "exit 3", "a.sh ended with exit code 3"),
    ],
)
def test_a_bad_seed_names_file_line_and_reason(
    seeder: Seeder, tmp_path: Path, name: str, text: str, expected: str
) -> None:
    write(tmp_path, {name: text})
    with pytest.raises(SeedError) as error:
        seeder.seed(tmp_path / name)
    assert expected in str(error.value)


def test_a_seed_that_is_not_text_or_is_missing(seeder: Seeder, tmp_path: Path) -> None:
    (tmp_path / "a.partiql").write_bytes(b"\xff\xfe")
    with pytest.raises(SeedError, match="is not UTF-8"):
        seeder.seed(tmp_path / "a.partiql")
    with pytest.raises(SeedError, match="is not found"):
        seeder.seed(tmp_path / "none")


# --- with a server of its own --------------------------------------------------------------------------------


def serve(*options: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "qldb_emulator", "serve", "--ephemeral", "--port", "0", *options]
    path = {"PYTHONPATH": str(ROOT / "emulator"), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**path, **environment})


def wait_ready(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    assert process.stderr is not None
    lines, url = [], ""
    for line in process.stderr:
        lines.append(line)
        if "Ready on " in line:
            url = line.split("Ready on ")[1].split()[0]
        if line.rstrip().endswith("Ready."):
            return url, lines
    raise AssertionError("".join(lines))


def post(url: str, path: str, **members: object) -> dict[str, object]:
    request = urllib.request.Request(url + path, json.dumps(members).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_a_server_seeds_before_it_is_ready_and_again_after_a_reset(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "cars.partiql": "CREATE TABLE Car; INSERT INTO Car {'VIN': '1'}",
            "script.py": "import os, pathlib; pathlib.Path('seen').write_text(os.environ['AWS_ENDPOINT_URL_QLDB'])",
            "script.sh": 'test -n "$AWS_ENDPOINT_URL_QLDB_SESSION"',
        },
    )
    process = serve("--seed", str(folder), "--sample", "vehicle-registration")
    try:
        url, _ = wait_ready(process)
        assert (tmp_path / "seen").read_text() == url
        with urllib.request.urlopen(f"{url}/_qldb/ledgers", timeout=10) as answer:
            ledgers = {row["name"]: row["tables"] for row in json.load(answer)["ledgers"]}
        assert ledgers["cars"] == ["Car"]
        assert post(url, "/_qldb/reset", seed=True) == {"deleted": sorted(ledgers), "seeded": True}
        with urllib.request.urlopen(f"{url}/_qldb/ledgers", timeout=10) as answer:
            assert {row["name"]: row["tables"] for row in json.load(answer)["ledgers"]} == ledgers
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_seed_that_fails_ends_the_server_with_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, {"cars.partiql": "CREATE TABLE Car;\nSELECT FROM"})
    process = serve("--seed", str(tmp_path / "cars.partiql"), "--log-level", "error")
    _, text = process.communicate(timeout=20)
    assert (process.returncode, len(text.splitlines())) == (1, 1)
    assert text.startswith(f"Error: --seed: {tmp_path}/cars.partiql, line 2: Parser Error")


def test_a_signal_ends_a_server_whose_seed_still_runs(tmp_path: Path) -> None:
    write(tmp_path, {"slow.sh": f"touch began; exec sleep {SLEEP_SECONDS}"})
    process = serve("--seed", str(tmp_path), "--log-level", "error")
    for _ in range(1000):
        if (tmp_path / "began").exists():
            break
        time.sleep(0.05)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, text = process.communicate(timeout=20)
    assert (process.returncode, text, time.monotonic() - started < SLEEP_SECONDS / 2) == (0, "", True)


def test_a_seed_that_is_not_there_is_said_before_anything_starts() -> None:
    process = serve("--seed", "/nowhere")
    _, text = process.communicate(timeout=20)
    assert (process.returncode, text) == (1, "Error: --seed: there is no /nowhere\n")


def test_an_exported_journal_becomes_a_ledger(tmp_path: Path) -> None:
    with Emulator(Settings(data_dir=tmp_path / "d")) as old:
        new_ledger(old, "cars").run("CREATE TABLE Car")
    command = [sys.executable, "-m", "qldb_emulator", "export", "cars", str(tmp_path / "old-cars"), "--data-dir"]
    environment = {"PYTHONPATH": str(ROOT / "emulator"), "PATH": "/usr/bin:/bin"}
    subprocess.run([*command, str(tmp_path / "d")], check=True, env=environment, capture_output=True)
    process = serve("--seed", str(tmp_path / "old-cars"))
    try:
        url, _ = wait_ready(process)
        with urllib.request.urlopen(f"{url}/_qldb/ledgers", timeout=10) as answer:
            assert [(row["name"], row["blocks"]) for row in json.load(answer)["ledgers"]] == [("old-cars", 2)]
    finally:
        process.terminate()
        process.communicate(timeout=10)
