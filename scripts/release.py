"""The steps of scripts/release, which makes the environment that this needs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "MANIFEST.in")
FOLDERS = ("emulator/qldb_emulator", "packaging")
SEMVER = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


class ReleaseError(Exception):
    """Something is not fit to be released.  The text says what."""


def say(text: str) -> None:
    """A step, on standard error."""
    print(f"== {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    """What a command prints.  Raises ReleaseError with what it said when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def version() -> str:
    """The package's version.  Raises ReleaseError when it is no version."""
    text = (ROOT / "emulator/qldb_emulator/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    if found is None or not SEMVER.fullmatch(found[1]):
        raise ReleaseError("emulator/qldb_emulator/__init__.py has no __version__ of the form 1.2.3")
    return found[1]


def release_notes(name: str) -> str:
    """The section of a version in the changelog.  Raises ReleaseError when there is none."""
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(
        rf"^## {re.escape(name)}(?: - \d{{4}}-\d\d-\d\d)?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md has no section {name}")
    return found[1].strip() + "\n"


def check_clean(name: str) -> None:
    """Raises ReleaseError when the checkout differs from its commit, or the version's tag is elsewhere."""
    if run("git", "status", "--porcelain").strip():
        raise ReleaseError("the checkout has changes that are not committed")
    tag = run("git", "tag", "--list", f"v{name}").strip()
    if tag and run("git", "rev-list", "-n1", tag) != run("git", "rev-parse", "HEAD"):
        raise ReleaseError(f"{tag} is another commit: raise the version")


def commit_time() -> str:
    """When the commit was made, in seconds since 1970: the time of all files of the release."""
    return run("git", "log", "-1", "--format=%ct").strip()


def build(target: Path, epoch: str) -> list[Path]:
    """Wheel and sdist, from a copy of the sources alone."""
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source"
        source.mkdir()
        for name in SOURCES:
            shutil.copy(ROOT / name, source / name)
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for path in source.rglob("*"):  # what an editor left of rights is no part of a release
            path.chmod(0o755 if path.is_dir() else 0o644)
        # Two times: setuptools makes the wheel of a release from the sources, not from the sdist that was just made.
        build_one = (sys.executable, "-m", "build", "--no-isolation", "--outdir", target)
        run(*build_one, "--wheel", cwd=source, SOURCE_DATE_EPOCH=epoch)
        shutil.rmtree(source / "build", ignore_errors=True)
        run(*build_one, "--sdist", cwd=source, SOURCE_DATE_EPOCH=epoch)
    (sdist,) = target.glob("*.tar.gz")
    repack(sdist, int(epoch))
    return sorted(target.iterdir())


def repack(sdist: Path, epoch: int) -> None:
    """Give an sdist the time, owner and order that do not depend on where it was built: setuptools does not."""
    import gzip
    import io

    with tarfile.open(sdist) as archive:
        members = [(member, archive.extractfile(member)) for member in archive.getmembers()]
        contents = [(member, None if data is None else data.read()) for member, data in members]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in sorted(contents, key=lambda row: row[0].name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            archive.addfile(member, None if data is None else io.BytesIO(data))
    with sdist.open("wb") as stream, gzip.GzipFile("", "wb", 9, stream, mtime=epoch) as compressed:
        compressed.write(packed.getvalue())


def sha256(path: Path) -> str:
    """In hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_reproducible(made: list[Path], epoch: str) -> None:
    """Build again, elsewhere, and compare octet by octet.  Raises ReleaseError."""
    with tempfile.TemporaryDirectory() as again:
        other = {path.name: sha256(path) for path in build(Path(again), epoch)}
    differing = [path.name for path in made if other.get(path.name) != sha256(path)]
    if differing:
        raise ReleaseError(f"built twice, these differ: {', '.join(differing)}")


def try_installed(tool: str, command: Path, name: str) -> None:
    """Ask an installed command for its version, and let it serve one statement.  Raises ReleaseError."""
    said = run(command, "--version")
    if not said.startswith(f"qldb-emulator, version {name} ("):  # behind it: which build runs
        raise ReleaseError(f"installed with {tool}, it says: {said}")
    process = subprocess.Popen([command, "serve", "--ephemeral", "--port", "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        url = next((m[1] for line in process.stderr if (m := re.search(r"Ready on (http://\S+)", line))), None)
        if url is None:
            raise ReleaseError(f"installed with {tool}, the server does not start")
        run(command, "ledgers", "create", "cars", "--url", url)
        run(command, "shell", "cars", "--url", url, "-c", "CREATE TABLE Car")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    say(f"installed with {tool}: serves")


def check_installs(wheel: Path, sdist: Path, name: str) -> list[str]:
    """Install with each tool that is there, into environments that have nothing else; the tools that are not there."""
    missing = []
    with tempfile.TemporaryDirectory() as work:
        bare = Path(work) / "pip"
        run(sys.executable, "-m", "venv", bare)
        run(bare / "bin/pip", "install", "--quiet", wheel)
        try_installed("pip", bare / "bin/qldb-emulator", name)
        if shutil.which("uv"):
            run("uv", "venv", "--quiet", "--python", sys.executable, Path(work) / "uv")
            # The sdist: what a distribution's packager begins with.
            run("uv", "pip", "install", "--quiet", "--python", Path(work) / "uv/bin/python", sdist)
            try_installed("uv, from the sdist", Path(work) / "uv/bin/qldb-emulator", name)
        else:
            missing.append("uv")
        if shutil.which("pipx"):
            places = {"PIPX_HOME": f"{work}/pipx", "PIPX_BIN_DIR": f"{work}/bin", "PIPX_MAN_DIR": f"{work}/man"}
            run("pipx", "install", wheel, **places)
            try_installed("pipx", Path(work) / "bin/qldb-emulator", name)
            # pipx before 1.3, such as Debian 12's, leaves manual pages in the environment.
            has_man = "PIPX_MAN_DIR" in run("pipx", "environment", **places)
            man = Path(work) / ("man" if has_man else "pipx/venvs/qldb-emulator/share/man")
            if not (man / "man1/qldb-emulator.1").exists():
                raise ReleaseError("installed with pipx, there is no manual page")
        else:
            missing.append("pipx")
        bill_of_materials(bare, wheel.parent / f"qldb-emulator-{name}.cdx.json")
    return missing


def bill_of_materials(environment: Path, target: Path) -> None:
    """What an environment with the wheel alone holds, as CycloneDX 1.6, without time or serial number."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    options = ("--output-reproducible", "--sv", "1.6", "--of", "JSON", "-o", target)
    run(tool, "environment", *options, environment / "bin/python")
    names = {component["name"].lower() for component in json.loads(target.read_text())["components"]}
    if not {"flask", "click", "qldb-emulator"} <= names:
        raise ReleaseError(f"the SBOM names {', '.join(sorted(names))} alone")
    say(f"SBOM: {len(names)} components")


def image_arguments(name: str, epoch: str) -> str:
    """The command that builds the image with its labels."""
    from datetime import UTC, datetime

    created = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    revision = run("git", "rev-parse", "HEAD").strip()
    return (
        f"docker build -f docker/Dockerfile --build-arg VERSION={name} --build-arg REVISION={revision} "
        f"--build-arg CREATED={created} -t qldb-emulator:{name} ."
    )


def main() -> None:
    """All steps."""
    mode, target = sys.argv[1], ROOT / sys.argv[2]
    name, epoch = version(), commit_time()
    notes = release_notes(name)
    if mode == "release":
        check_clean(name)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    say(f"qldb-emulator {name}")
    made = build(target, epoch)
    wheel, sdist = sorted(made, key=lambda path: path.suffix == ".gz")
    run(sys.executable, "-m", "twine", "check", "--strict", *made)
    say("twine takes wheel and sdist")
    check_reproducible(made, epoch)
    say("built twice, equal octet by octet")
    missing = check_installs(wheel, sdist, name)
    (target / "NOTES.md").write_text(notes)
    (target / "IMAGE").write_text(image_arguments(name, epoch) + "\n")
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(target.iterdir()))
    (target / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    for tool in missing:
        say(f"not tried: {tool} is not installed")
    if mode == "release":
        say(f"To publish: git tag -s v{name} && git push --tags; twine upload {target.name}/*.whl {target.name}/*.gz")
        say(f"The image: {(target / 'IMAGE').read_text().strip()}")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(f"scripts/release: {error}")
