"""Rehearses the Dockerfile without a Docker engine: its steps run with chroot in copies of a Debian root file system.

    debootstrap --variant=minbase trixie /tmp/base http://deb.debian.org/debian
    python3 docker/rehearse.py /tmp/base          # as root

Then the entry point runs there as the image's user, with the root mounted read-only, and answers a health check.
What this does not show: that the base image on the registry is like the root given here, layers, other architectures.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BORROWED = "borrowed-certificates.crt"
Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """(instruction, arguments) of a Dockerfile; continued lines joined, comments dropped."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        found.append((word.upper(), rest.strip()))
    return found


class Stage:
    """One FROM: a root file system and what later instructions said of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.directory = "/"
        self.user = "0"
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.healthcheck: list[str] = []

    def run(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        """A command inside, in its directory, as its user."""
        inside = f"cd {shlex.quote(self.directory)} && exec {shlex.join(command)}"
        user = ["--userspec", f"{self.user}:{self.user}"] if self.user != "0" else []
        chroot = ["chroot", *user, str(self.root), "/bin/sh", "-c", inside]
        return subprocess.Popen(chroot, env=self.environment, **options)


def build(text: str, base: Path, work: Path) -> Stage:
    """Run every instruction; the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for number, (word, rest) in enumerate(instructions(text)):
        print(f"== {word} {rest[:100]}", flush=True)
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else str(number)
            root = work / f"stage-{number}"
            subprocess.run(["cp", "-a", str(base), str(root)], check=True)
            # An engine lends its containers the network; a machine behind an authority of its own needs that, too.
            shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
            shutil.copy(CERTIFICATES, root / BORROWED)
            stage = stages[name] = Stage(root)
        elif word == "RUN":
            if stage.run(["/bin/sh", "-c", f"export PIP_CERT=/{BORROWED}; {rest}"]).wait():
                raise SystemExit(f"failed: RUN {rest}")
        elif word == "COPY":
            copy(stage, rest, stages)
        elif word == "ENV":
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                stage.environment[key] = value.replace("$PATH", stage.environment["PATH"])
        elif word == "WORKDIR":
            stage.directory = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest
        elif word == "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        elif word == "CMD":
            stage.command = json.loads(rest)
        elif word == "HEALTHCHECK":
            stage.healthcheck = json.loads(rest[rest.index("[") :])
        elif word not in ("ARG", "LABEL", "VOLUME", "EXPOSE", "STOPSIGNAL"):
            raise SystemExit(f"the rehearsal knows no {word}")
    (stage.root / BORROWED).unlink()
    return stage


def copy(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    """COPY, of this checkout or of a stage."""
    words = rest.split()
    source = ROOT
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    *names, target = words
    place = stage.root / str(Path(stage.directory, target)).lstrip("/")
    for name in names:
        origin = source / name.lstrip("/")
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if source == ROOT else None
            shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, place / origin.name)


def serve(stage: Stage) -> None:
    """Run the entry point as process 1 of a namespace of its own, root read-only; check health; stop it."""
    data, temporary = stage.root / "data", stage.root / "tmp"
    for folder in (data, temporary):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(folder)], check=True)
    environment = {**stage.environment, "QLDB_EMULATOR_PORT": "17532", "QLDB_EMULATOR_SAMPLE": "vehicle-registration"}
    stage.environment = environment
    subprocess.run(["mount", "--bind", str(stage.root), str(stage.root)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(stage.root)], check=True)
    for folder in (data, temporary):  # the bind mount hides what was mounted below
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(folder)], check=True)
    started = time.monotonic()
    inside = f"cd /data && exec {shlex.join(stage.entrypoint + stage.command)}"
    server = subprocess.Popen(
        [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child=SIGTERM",
            "chroot",
            "--userspec",
            f"{stage.user}:{stage.user}",
            str(stage.root),
            "/bin/sh",
            "-c",
            inside,
        ],
        env=environment,
    )
    try:
        while stage.run(stage.healthcheck, stderr=subprocess.DEVNULL).wait():
            if server.poll() is not None or time.monotonic() - started > 60:
                raise SystemExit("the server did not become healthy")
            time.sleep(0.1)
        print(f"healthy after {time.monotonic() - started:.1f} s, checks included")
        with urllib.request.urlopen("http://127.0.0.1:17532/_qldb/health", timeout=5) as answer:
            print(answer.read().decode())
        probe = stage.run(["/bin/sh", "-c", "touch /opt/x 2>/dev/null && echo writable || echo read-only; id -u"])
        probe.wait()
    finally:
        (child,) = subprocess.run(
            ["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        stopping = time.monotonic()
        os.kill(int(child), 15)
        print(f"exit code {server.wait(30)} after SIGTERM to process 1, in {time.monotonic() - stopping:.1f} s")
        for folder in (data, temporary, stage.root):
            subprocess.run(["umount", str(folder)], check=False)
        for folder in (data, temporary):
            subprocess.run(["umount", str(folder)], check=False, stderr=subprocess.DEVNULL)


def sizes(stage: Stage, base: Path) -> None:
    """How large the image is, unpacked and as one compressed layer, and how much of it is the base."""
    for name, root in (("base", base), ("image", stage.root)):
        unpacked = output(f"du -sxm {root}").split()[0]
        packed = output(f"tar -C {root} --one-file-system -c . | gzip -6 | wc -c")
        print(f"{name}: {unpacked} MB unpacked, {int(packed) / 1e6:.1f} MB compressed")
        parts = output(f"cd {root}; du -sxm usr/* opt var | sort -rn | head -8").split("\n")
        print("  of it, in MB:", ", ".join(parts))


def output(command: str) -> str:
    """What a shell command prints."""
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """The whole rehearsal."""
    if len(sys.argv) != 2 or os.geteuid() != 0:
        raise SystemExit(__doc__)
    base = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="rehearse-", dir=base.parent) as work:
        stage = build((ROOT / "docker" / "Dockerfile").read_text(), base, Path(work))
        sizes(stage, base)
        serve(stage)


if __name__ == "__main__":
    main()
