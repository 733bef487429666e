"""Runs a command with exports of a ledger in which every kind of transaction occurs; its exit code is ours.

The command finds their directory in QLDB_EXPORTS: one folder for each format, and ``digest.txt`` with the digest in
base64.  Needs the package itself: run it with the Python of its test environment.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "emulator" / "tests"))

from helpers.ledgers import busy_ledger, digest

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

FORMATS = ("ION_TEXT", "ION_BINARY", "JSON")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Emulator(Settings(data_dir=root / "data")) as emulator:
            busy_ledger(emulator)
            (root / "digest.txt").write_text(base64.b64encode(digest(emulator)[0]).decode())
        for output_format in FORMATS:
            command = [sys.executable, "-m", "qldb_emulator", "export", "cars", str(root / output_format)]
            subprocess.run([*command, "--data-dir", str(root / "data"), "--format", output_format], check=True)
        return subprocess.call(sys.argv[1:], env={**os.environ, "QLDB_EXPORTS": folder})


if __name__ == "__main__":
    sys.exit(main())
