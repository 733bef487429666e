"""``qldb-emulator journal`` over a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from helpers.ledgers import busy_ledger, digest
from helpers.local_driver import REGION, LocalSession, new_ledger
from helpers.postgres import Postgres, postgres

from qldb_emulator.cli import main
from qldb_emulator.clock import SystemClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings
from qldb_emulator.storage import StorageError


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def url(database: Postgres) -> str:
    return database.database("moved")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def emulator(data_dir: Path, journal: str | None = None) -> Emulator:
    return Emulator(Settings(data_dir=data_dir, journal=journal), SystemClock(), RandomIds(SystemClock()))


def test_a_journal_moves_into_the_log_and_back_and_its_digest_stays(url: str, tmp_path: Path) -> None:
    with emulator(tmp_path) as alone:
        busy_ledger(alone)
        before = digest(alone)
    moved = run("journal", "move", "cars", "--journal", url, "--data-dir", tmp_path)
    assert moved.exit_code == 0, moved.output
    with pytest.raises(Exception, match="is a cache"), emulator(tmp_path) as alone:
        digest(alone)
    with emulator(tmp_path, url) as shared, emulator(tmp_path / "other", url) as other:
        assert digest(shared) == digest(other) == before
        LocalSession(other, "cars").run("INSERT INTO Car ?", {"VIN": "later"})
        after = digest(shared)
    back = run("journal", "move", "cars", "--to-file", "--journal", url, "--data-dir", tmp_path / "back", "--json")
    assert back.exit_code == 0, back.output
    with emulator(tmp_path / "back") as alone:
        assert digest(alone) == after
        LocalSession(alone, "cars").run("INSERT INTO Car ?", {"VIN": "alone again"})
    again = run("journal", "move", "cars", "--to-file", "--journal", url, "--data-dir", tmp_path / "none")
    assert "There is no ledger cars" in again.output


def test_a_file_with_a_journal_of_its_own_is_never_taken_for_a_cache(url: str, tmp_path: Path) -> None:
    with emulator(tmp_path / "alone") as alone:
        new_ledger(alone).run("CREATE TABLE Mine")
    with emulator(tmp_path / "shared", url) as shared:
        new_ledger(shared).run("CREATE TABLE Other")
    with (
        emulator(tmp_path / "alone", url) as shared,
        pytest.raises(Exception, match="has a journal of its own, which is not in the shared log"),
    ):
        LocalSession(shared, "cars")
    taken = run("journal", "move", "cars", "--journal", url, "--data-dir", tmp_path / "alone")
    assert taken.exit_code == 1
    assert "There is a ledger cars already" in taken.output
    with emulator(tmp_path / "alone") as alone:
        assert LocalSession(alone, "cars").run("SELECT VALUE name FROM information_schema.user_tables") == ["Mine"]


def test_a_cache_is_rebuilt_from_the_log_or_from_a_copy(url: str, tmp_path: Path) -> None:
    with emulator(tmp_path / "one", url) as shared:
        busy_ledger(shared)
        shared.directory.take_snapshot(shared.ledgers.find(REGION, "cars").file, REGION, "cars", "kept")  # type: ignore[union-attr]
        LocalSession(shared, "cars").run("INSERT INTO Car ?", {"VIN": "later"})
        before = digest(shared)
    copy = tmp_path / "one" / REGION / ".snapshots" / "cars" / "kept.qldb"
    for options in ((), ("--snapshot", copy)):
        rebuilt = run("journal", "rebuild", "cars", "--journal", url, "--data-dir", tmp_path / "two", *options)
        assert rebuilt.exit_code == 0, rebuilt.output
        with emulator(tmp_path / "two", url) as shared:
            assert digest(shared) == before
    (tmp_path / "other.qldb").write_bytes(b"not a ledger")
    wrong = ("--snapshot", tmp_path / "other.qldb")
    refused = run("journal", "rebuild", "cars", "--journal", url, "--data-dir", tmp_path / "two", *wrong)
    assert refused.exit_code == 1
    with emulator(tmp_path / "two", url) as shared:
        assert digest(shared) == before


def exported(tmp_path: Path) -> str:
    """A ledger, exported to ``tmp_path / "export"``; returns its digest."""
    with emulator(tmp_path / "alone") as alone:
        busy_ledger(alone)
        before = digest(alone)
    done = run("export", "cars", tmp_path / "export", "--data-dir", tmp_path / "alone")
    assert done.exit_code == 0, done.output
    return before


def test_an_export_is_imported_into_the_log_while_servers_run(url: str, tmp_path: Path) -> None:
    before = exported(tmp_path)
    with emulator(tmp_path / "one", url) as shared, emulator(tmp_path / "two", url) as other:
        for options in ((), ("--writable",)):
            name = f"old{len(options)}"
            done = run("import", tmp_path / "export", "--as", name, "--journal", url, *options)
            assert done.exit_code == 0, done.output
            if not options:
                assert digest(shared, name) == digest(other, name) == before
                run("journal", "move", name, "--to-file", "--journal", url, "--data-dir", tmp_path / "out")
        LocalSession(other, "old1").run("INSERT INTO Car ?", {"VIN": "later"})
        assert digest(shared, "old1") == digest(other, "old1") != before


def test_an_export_goes_into_the_log_once_and_whole(url: str, tmp_path: Path) -> None:
    exported(tmp_path)
    into = ("--as", "old", "--journal", url)
    assert run("import", tmp_path / "export", *into).exit_code == 0
    again = run("import", tmp_path / "export", *into)
    assert again.exit_code == 1
    assert again.output == f"Error: There is a ledger old already in region {REGION} in this log\n"
    twin = run("import", tmp_path / "export", "--as", "twin", "--journal", url)
    assert twin.exit_code == 1
    assert "or one of the same strand" in twin.output
    assert run("import", tmp_path / "export", *into, "--even-if-broken").exit_code == 2
    for file in (tmp_path / "export").rglob("*.ion"):
        file.write_bytes(file.read_bytes().replace(b"INSERT INTO", b"INSERT  INTO", 1))
    broken = run("import", tmp_path / "export", "--as", "broken", "--journal", url)
    assert broken.exit_code == 1
    assert "Nothing was imported." in broken.output
    names = [row["name"] for row in json.loads(run("journal", "status", "--journal", url, "--json").output)["ledgers"]]
    assert names == ["old"]


def test_status_says_who_is_there_and_what_the_database_keeps(url: str, tmp_path: Path) -> None:
    with emulator(tmp_path, url) as shared:
        assert shared.steward is not None
        shared.steward.start("http://one:7532")
        new_ledger(shared)
        shared.steward.owner_of(REGION, "cars")
        status = json.loads(run("journal", "status", "--journal", url, "--json").output)
        text = run("journal", "status", "--journal", url).output
    assert [(row["url"], row["alive"]) for row in status["servers"]] == [("http://one:7532", True)]
    (ledger,) = status["ledgers"]
    assert ledger["name"] == "cars"
    assert ledger["blocks"] == 1
    assert ledger["owner"] == status["servers"][0]["id"]
    bad = [row["check"] for row in status["checks"] if row["state"] == "bad"]
    assert bad == ["fsync", "full_page_writes"]  # as the tests start it
    assert "remedy: fsync = on" in text
    assert json.loads(run("journal", "status", "--journal", url, "--json").output)["servers"] == []  # it has left


def test_a_ledger_that_a_server_uses_is_not_moved_away(url: str, tmp_path: Path) -> None:
    out = ("journal", "move", "cars", "--to-file", "--journal", url, "--data-dir", tmp_path / "out")
    with emulator(tmp_path, url) as shared:
        assert shared.steward is not None
        shared.steward.start("http://one:7532")
        new_ledger(shared)
        shared.steward.owner_of(REGION, "cars")
        refused = run(*out)
        assert refused.exit_code == 1
        assert refused.output == "Error: The server at http://one:7532 uses the ledger cars. Stop it first\n"
        LocalSession(shared, "cars").run("CREATE TABLE Still")
    assert run(*out).exit_code == 0


@pytest.mark.parametrize(
    "address", ["server1:7532", "http://", "http://x:y", "ftp://x", "http://x/path", "http://u@x", "http://x?q", ""]
)
def test_an_address_for_the_others_is_that_of_a_server(address: str) -> None:
    refused = run(
        "serve", "--ephemeral", "--port", "0", "--journal", "postgresql://127.0.0.1:1/x", "--advertise", address
    )
    assert refused.exit_code == 2
    assert "is not the address of a server, such as http://server1.internal:7532" in refused.output


def test_a_user_without_rights_and_an_unknown_version_are_told(url: str) -> None:
    name = url.rpartition("/")[2]
    weak = url.replace("postgres@", "weak@")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS weak")
        connection.execute("CREATE ROLE weak LOGIN")
    refused = run("journal", "status", "--journal", weak)
    assert refused.exit_code == 1
    assert f"permission denied for database {name}; make them once as a user with CREATE" in refused.output
    assert run("journal", "status", "--journal", url).exit_code == 0
    assert "permission denied for schema qldb_journal" in run("journal", "status", "--journal", weak).output
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE qldb_journal.version SET version = 7")
    refused = run("journal", "status", "--journal", url)
    assert refused.exit_code == 1
    assert (
        "has version 7, and this server knows version 1. Use the version of qldb-emulator that made it"
        in refused.output
    )


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://127.0.0.1:1/x", "does not answer"),
        ("mysql://x", "begins with postgresql://"),
        ("s3://bucket/prefix", "A journal in S3 is not supported"),
        ("postgresql://[::1", "is no address of a PostgreSQL database"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_in_a_sentence(address: str, said: str) -> None:
    refused = run("journal", "status", "--journal", address)
    assert refused.exit_code == 1
    assert said in refused.output
    with pytest.raises(StorageError, match=said):
        Emulator(Settings(is_ephemeral=True, journal=address))
