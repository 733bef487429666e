"""``import --url``: an archive becomes a ledger of a running server, or nothing does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.ledgers import busy_ledger, digest
from helpers.local_driver import LocalSession

from qldb_emulator.auth.keys import read_auth_file
from qldb_emulator.cli import import_remote, main
from qldb_emulator.clock import SystemClock
from qldb_emulator.driver.http import HttpTransport, UnreachableError
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.limits import Limits
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.interface import uploads
from qldb_emulator.web.interface.uploads import Uploads
from qldb_emulator.web.server import Server

Run = Callable[..., Result]
PIECE_BYTES = 1_500


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An export as a directory, and the digest of its ledger."""
    folder = tmp_path_factory.mktemp("archive")
    with Emulator(Settings(data_dir=folder / "data")) as emulator:
        busy_ledger(emulator)
        kept = digest(emulator)
    arguments = ["export", "cars", str(folder / "out"), "--data-dir", str(folder / "data")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder / "out", kept


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """With pieces so small that an export needs some."""
    limits = Limits(request_bytes=2 * PIECE_BYTES)
    with Emulator(Settings(data_dir=tmp_path / "data", limits=limits)) as emulator:
        yield emulator


@pytest.fixture
def url(emulator: Emulator) -> Iterator[str]:
    with Server(create_dispatcher(emulator)) as server:
        yield server.url


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def runner(*arguments: object, **environment: str) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], env={"HOME": str(tmp_path), **environment})

    return runner


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Uploads]:
    """The uploads of every server of the test."""
    made: list[Uploads] = []
    real = Uploads.__init__

    def remembered(self: Uploads, *arguments: Any) -> None:
        made.append(self)
        real(self, *arguments)

    monkeypatch.setattr(Uploads, "__init__", remembered)
    return made


def kept_files(started: list[Uploads]) -> list[str]:
    return [name for each in started if each._folder is not None for name in os.listdir(each._folder.name)]


def zipped(directory: Path, to: Path) -> Path:
    return Path(shutil.make_archive(str(to), "zip", directory))


# --- what becomes a ledger ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["directory", "zip"])
def test_an_archive_becomes_a_ledger_of_the_server_with_the_same_digest(
    run: Run, url: str, emulator: Emulator, archive: Any, tmp_path: Path, form: str, started: list[Uploads]
) -> None:
    source = archive[0] if form == "directory" else zipped(archive[0], tmp_path / "export")
    answer = run("import", source, "--as", "copy", "--url", url)
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout.startswith("The journal is whole: every check held.\n")
    assert answer.stdout.endswith(f"\n\nImported as ledger copy at {url}.\n")
    assert f"source      {form} {source}, uploaded" in answer.stdout
    assert digest(emulator, "copy") == archive[1]
    assert kept_files(started) == []  # no copy is left on the server
    with pytest.raises(QldbError, match="imported to be read only"):
        LocalSession(emulator, "copy").run("CREATE TABLE More")


def test_one_file_becomes_a_ledger_that_can_be_written_to(
    run: Run, url: str, emulator: Emulator, archive: Any, tmp_path: Path
) -> None:
    part = next(archive[0].glob("**/*-*.ion"))
    shutil.copy(part, tmp_path / "blocks.txt")
    assert run("import", "blocks.txt", "--as", "copy", "--writable", QLDB_EMULATOR_URL=url).exit_code == 0
    LocalSession(emulator, "copy").run("CREATE TABLE More")


def test_the_answer_is_the_same_as_of_an_import_into_a_data_directory(run: Run, url: str, archive: Any) -> None:
    here = json.loads(run("import", archive[0], "--as", "copy", "--json", "--data-dir", "here").stdout)
    there = json.loads(run("import", archive[0], "--as", "copy", "--json", "--url", url).stdout)
    assert there.pop("source") == f"{here.pop('source')}, uploaded"
    assert there == here


def test_a_digest_is_compared_and_a_false_one_imports_nothing(
    run: Run, url: str, emulator: Emulator, archive: Any
) -> None:
    kept, tip = base64.b64encode(archive[1][0]).decode(), archive[1][1]
    good = run("import", archive[0], "--as", "good", "--url", url, "--digest", kept, "--tip", tip)
    assert (good.exit_code, "equal" in good.stdout) == (0, True)
    false = base64.b64encode(bytes(32)).decode()
    bad = run("import", archive[0], "--as", "bad", "--url", url, "--digest", false)
    assert (bad.exit_code, bad.stdout.endswith("\n\nNothing was imported.\n")) == (1, True)
    assert [each.name for each in emulator.ledgers.in_region("us-east-1")] == ["good"]


def test_a_broken_journal_is_imported_only_to_look_into_it(
    run: Run, url: str, emulator: Emulator, archive: Any, tmp_path: Path
) -> None:
    shutil.copytree(archive[0], tmp_path / "broken")
    part = next((tmp_path / "broken").glob("**/*-*.ion"))
    text = part.read_text()
    assert "sequenceNo:3}" in text
    part.write_text(text.replace("sequenceNo:3}", "sequenceNo:5}"))
    refused = run("import", "broken", "--as", "broken", "--url", url)
    assert (refused.exit_code, "Nothing was imported." in refused.stdout) == (1, True)
    assert emulator.ledgers.find("us-east-1", "broken") is None
    looked = run("import", "broken", "--as", "broken", "--url", url, "--even-if-broken")
    assert (looked.exit_code, f"Imported as ledger broken at {url}." in looked.stdout) == (1, True)
    assert emulator.ledgers.find("us-east-1", "broken") is not None


def test_only_the_files_of_the_chosen_journal_are_sent(run: Run, url: str, archive: Any, tmp_path: Path) -> None:
    shutil.copytree(archive[0], tmp_path / "both" / "export")
    (tmp_path / "both" / "holiday.mov").write_bytes(os.urandom(20 * PIECE_BYTES))
    sizes: list[int] = []
    real = import_remote._send

    def told(server: HttpTransport, path: str, file: Any, piece_bytes: int) -> None:
        sizes.append(file.seek(0, 2))
        names = zipfile.ZipFile(file).namelist()
        assert all(name.startswith("export/") for name in names)
        real(server, path, file, piece_bytes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(import_remote, "_send", told)
        assert run("import", "both", "--as", "copy", "--url", url).exit_code == 0
    assert len(sizes) == 1


# --- what is refused, before anything is sent --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("out", "--as", "taken"), 1, "Error: Ledger name already exists\n"),
        (("out", "--as", "a--b"), 2, "cannot be a ledger's name"),
        (("nowhere", "--as", "copy"), 3, "Error: nowhere cannot be read: No such file or directory\n"),
        (("empty", "--as", "copy"), 3, "Error: directory empty has no file with a journal block\n"),
        (("out", "--as", "copy", "--strand", "x"), 3, "has no strand x"),
        (("out", "--as", "copy", "--checkpoint", "file"), 2, "--checkpoint is for the data directory"),
        (("out", "--as", "copy", "--html", "file"), 2, "--html is for the data directory"),
        (("out", "--as", "copy", "--data-dir", "data"), 2, "the ledger is in one of them"),
        (("out", "--as", "copy", "--journal", "postgresql://x"), 2, "one of the server, or of the database"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once(
    run: Run,
    url: str,
    archive: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    (tmp_path / "out").symlink_to(archive[0])
    (tmp_path / "empty").mkdir()
    assert run("ledgers", "create", "taken", "--url", url).exit_code == 0
    monkeypatch.setattr(import_remote, "_send", lambda *_: pytest.fail("something was sent"))
    answer = run("import", *arguments, "--url", url)
    assert (answer.exit_code, text in answer.stderr) == (code, True), answer.stderr


def test_no_server_is_said_in_one_sentence(run: Run, archive: Any) -> None:
    answer = run("import", archive[0], "--as", "copy", "--url", "http://127.0.0.1:9")
    assert answer.exit_code == 3
    assert answer.stderr.startswith("Error: No emulator answers at http://127.0.0.1:9: ")
    assert answer.stderr.count("\n") == 1


def test_with_keys_the_permission_to_create_the_ledger_is_needed_before_anything_is_sent(
    emulator: Emulator, archive: Any, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(name: str, *actions: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return {"access_key": name, "secret_key": "SK", "user": name, "policy": {"Statement": [statement]}}

    keys = [key("MAKER", "qldb:CreateLedger"), key("READER", "qldb:DescribeLedger", "qldb:SendCommand")]
    (tmp_path / "auth.json").write_text(json.dumps({"keys": keys}))
    sent: list[str] = []
    real = import_remote._send
    monkeypatch.setattr(import_remote, "_send", lambda *given: (sent.append(given[1]), real(*given)))
    authenticator = read_auth_file(tmp_path / "auth.json", SystemClock())
    with Server(create_dispatcher(emulator, authenticator)) as server:

        def ask(name: str) -> Result:
            signer = {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": "SK", "AWS_REGION": "us-east-1"}
            return run("import", archive[0], "--as", "copy", "--url", server.url, **signer)

        refused = ask("READER")
        assert (refused.exit_code, "not authorized to perform: qldb:CreateLedger" in refused.stderr) == (1, True)
        assert sent == []
        assert ask("MAKER").exit_code == 0


# --- what is interrupted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_arrived", [True, False], ids=["the answer was lost", "the piece was lost"])
def test_an_upload_goes_on_after_a_lost_connection(
    run: Run, url: str, emulator: Emulator, archive: Any, monkeypatch: pytest.MonkeyPatch, has_arrived: bool
) -> None:
    real = HttpTransport.interface
    puts: list[str] = []

    def shaky(self: HttpTransport, method: str, path: str, *rest: Any) -> dict[str, Any]:
        if method == "PUT":
            puts.append(path.partition("?")[2])
            if len(puts) == 2:
                if has_arrived:
                    real(self, method, path, *rest)
                raise UnreachableError("the connection was lost")
        return real(self, method, path, *rest)

    monkeypatch.setattr(HttpTransport, "interface", shaky)
    monkeypatch.setattr(import_remote, "RETRY_SECONDS", (0, 0))
    assert run("import", archive[0], "--as", "copy", "--url", url).exit_code == 0
    assert puts[1] == puts[2] == f"offset={PIECE_BYTES}"
    assert digest(emulator, "copy") == archive[1]


def test_a_server_that_stays_away_ends_the_command(
    run: Run, url: str, archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> Any:
        raise UnreachableError("No emulator answers at there: gone")

    monkeypatch.setattr(import_remote, "_arrived", gone)
    monkeypatch.setattr(import_remote, "RETRY_SECONDS", (0, 0))
    answer = run("import", archive[0], "--as", "copy", "--url", url)
    assert (answer.exit_code, answer.stderr.startswith("Error: No emulator answers at there: gone")) == (3, True)


def test_ctrl_c_leaves_no_file_on_the_server(
    run: Run, url: str, archive: Any, monkeypatch: pytest.MonkeyPatch, started: list[Uploads]
) -> None:
    def interrupted(*_: Any) -> Any:
        assert len(kept_files(started)) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(import_remote, "_imported", interrupted)
    assert run("import", archive[0], "--as", "copy", "--url", url).exit_code == 130
    assert kept_files(started) == []


def test_an_import_ends_with_its_client_and_can_be_requested_again(
    url: str, emulator: Emulator, archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, goes_on = threading.Event(), threading.Event()
    real, real_told, told = uploads.read_blocks, uploads._Told, []

    def slow(container: Any, journal: Any, progress: Any) -> Iterator[Any]:
        def waited(count: int) -> None:
            has_begun.set()
            assert goes_on.wait(20)
            progress(count)

        yield from real(container, journal, waited)

    file = zipped(archive[0], tmp_path / "export").read_bytes()
    with closing(HttpTransport(url)) as server:
        path = f"/uploads/{server.interface('POST', '/uploads')['uploadId']}"
        for place in range(0, len(file), PIECE_BYTES):
            server.interface("PUT", f"{path}?offset={place}", file[place : place + PIECE_BYTES])
        assert server.interface("GET", path) == {"bytes": len(file)}
        wanted = json.dumps({"name": "copy"}).encode()
        with monkeypatch.context() as patched:
            patched.setattr(uploads, "read_blocks", slow)
            patched.setattr(uploads, "_Told", lambda done: told.append(real_told(done)) or told[-1])
            lines = server.interface_lines("POST", f"{path}/import", wanted)
            assert next(lines)["progress"] == 0
            assert has_begun.wait(20)
            lines.close()  # type: ignore[attr-defined]  # a generator has it
            assert _until(lambda: told[0].is_client_gone)  # with the next line that the server writes
            goes_on.set()
            assert told[0].done.wait(20)
            assert told[0].outcome is None
        assert emulator.ledgers.find("us-east-1", "copy") is None
        assert list((emulator.directory.root / "us-east-1").glob("*")) == []
        assert [*server.interface_lines("POST", f"{path}/import", wanted)][-1]["report"]["ledger"] == "copy"


def _until(holds: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(holds() or pause.wait(0.05) for _ in range(400))


# --- what a server keeps -----------------------------------------------------------------------------------------


def test_a_file_that_its_client_left_makes_room_for_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_BYTES", 100)
    now = 0.0
    with closing(Uploads(lambda: now)) as files:
        files.start("left", None)
        files.append(files._uploads["left"], 0, bytes(80))
        files.start("next", None)
        with pytest.raises(QldbError, match="uploads may have 100 bytes together"):
            files.append(files._uploads["next"], 0, bytes(80))
        now = uploads.UPLOAD_IDLE_SECONDS + 1
        files._uploads["next"].used = now
        assert files.append(files._uploads["next"], 0, bytes(80)) == 80
        assert list(files._uploads) == ["next"]


def test_a_server_that_shares_its_journals_says_how_to_import(tmp_path: Path) -> None:
    with (
        Emulator(Settings(data_dir=tmp_path)) as emulator,
        Server(create_dispatcher(emulator)) as server,
        closing(HttpTransport(server.url)) as transport,
    ):
        object.__setattr__(emulator.settings, "journal", "postgresql://nowhere")
        with pytest.raises(QldbError, match="use qldb-emulator import --journal"):
            transport.interface("POST", "/uploads", b'{"name": "copy"}')
