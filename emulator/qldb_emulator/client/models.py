"""Installs our service models where botocore looks for models, and removes them without a trace.

A receipt beside the models records what was written, what was there before, and where that was moved.  Removal follows
the receipt, and does not touch files that another program has changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL_DIRECTORY = Path(__file__).resolve().parent.parent / "aws_models"
MODEL_FILES = ("qldb/2019-01-02/service-2.json", "qldb-session/2019-07-11/service-2.json")
RECEIPT = ".qldb-emulator-models.json"
BACKUP_SUFFIX = ".before-qldb-emulator"


class ModelsError(Exception):
    """The models cannot be installed or removed; the text says why and, where possible, how to fix it."""


@dataclass(slots=True)
class Receipt:
    """What an installation did.

    files: path below the directory -> SHA-256 of what was written.  backups: files whose earlier version was moved
    aside.  directories: those that were created, outermost first.
    """

    files: dict[str, str] = field(default_factory=dict)
    backups: list[str] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)


def default_directory(home: Path) -> Path:
    """Return the directory that botocore searches by default (documented: boto3, loaders)."""
    return home / ".aws" / "models"


def install(directory: Path, is_forced: bool = False) -> list[Path]:
    """Write the models below a directory; return the paths written, none if everything is there already.

    Raises ModelsError if a file of another origin is there; is_forced moves it aside instead.
    """
    receipt = _read_receipt(directory) or Receipt()
    wanted = {name: (MODEL_DIRECTORY / name).read_bytes() for name in MODEL_FILES}
    present = {name: _bytes(directory / name) for name in wanted}
    for name, data in present.items():
        if data is not None and data != wanted[name] and receipt.files.get(name) != _digest(data) and not is_forced:
            raise ModelsError(f"{directory / name} is there already and not ours; --force puts it aside")
    written = []
    try:
        for name, data in wanted.items():
            if present[name] == data:
                continue
            _make_directories(directory, (directory / name).parent, receipt)
            if present[name] is not None and receipt.files.get(name) != _digest(present[name] or b""):
                _put_aside(directory / name, receipt, name)
            receipt.files[name] = _digest(data)
            _write_receipt(directory, receipt)  # before the file: an interrupted installation can be removed
            _write(directory / name, data)
            written.append(directory / name)
    except OSError as error:
        raise ModelsError(f"The models cannot be written below {directory}: {error.strerror or error}") from error
    return written


def remove(directory: Path) -> tuple[list[Path], list[Path]]:
    """Undo ``install``.  Return (paths removed, paths left because they have changed since).

    Raises ModelsError if nothing of ours was installed there.
    """
    receipt = _read_receipt(directory)
    if receipt is None:
        raise ModelsError(f"No models were installed in {directory}")
    removed, kept = [], []
    try:
        for name, digest in receipt.files.items():
            path = directory / name
            data = _bytes(path)
            if data is not None and _digest(data) != digest:
                kept.append(path)
                continue
            if data is not None:
                path.unlink()
                removed.append(path)
            if name in receipt.backups and _backup(path).exists():
                os.replace(_backup(path), path)
        (directory / RECEIPT).unlink()
        for made in reversed(receipt.directories):
            if Path(made).is_dir() and not any(Path(made).iterdir()):
                Path(made).rmdir()
    except OSError as error:
        raise ModelsError(f"The models cannot be removed from {directory}: {error.strerror or error}") from error
    return removed, kept


def is_installed(directory: Path) -> bool:
    """Whether the models are there, as this version has them."""
    return all(_bytes(directory / name) == (MODEL_DIRECTORY / name).read_bytes() for name in MODEL_FILES)


def _make_directories(root: Path, directory: Path, receipt: Receipt) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for made in reversed(missing):
        made.mkdir()
        receipt.directories.append(str(made.absolute()))


def _put_aside(path: Path, receipt: Receipt, name: str) -> None:
    backup = _backup(path)
    if backup.exists():
        raise ModelsError(f"{path} cannot be put aside: there is a {backup.name} already")
    receipt.backups.append(name)
    os.replace(path, backup)


def _backup(path: Path) -> Path:
    return path.with_name(path.name + BACKUP_SUFFIX)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelsError(f"{path} cannot be read: {error.strerror}") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(data)
    os.replace(unfinished, path)


def _read_receipt(directory: Path) -> Receipt | None:
    data = _bytes(directory / RECEIPT)
    if data is None:
        return None
    try:
        found: dict[str, Any] = json.loads(data)
        return Receipt(dict(found["files"]), list(found["backups"]), list(found["directories"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelsError(f"{directory / RECEIPT} is damaged; delete it and the models by hand") from error


def _write_receipt(directory: Path, receipt: Receipt) -> None:
    parts = {"files": receipt.files, "backups": receipt.backups, "directories": receipt.directories}
    _write(directory / RECEIPT, json.dumps(parts, indent=1).encode())
