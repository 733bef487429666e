"""Where an export's files are: a directory, a zip, one file, an S3 prefix.  They are listed and read, never unpacked.

Nothing in a container is trusted.  Names are only compared, never opened as paths outside it; contents come as streams.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from ..aws.clients import AwsError, client, errors

# A zip that claims far more than its own size is a bomb.  Journals are full of hashes, which do not compress: real
# exports shrink to a third.  Deflate itself can reach 1,000.
ZIP_RATIO_LIMIT = 200
ZIP_RATIO_FREE_BYTES = 64 * 1024 * 1024  # below this a zip does no harm, and a small export of blanks is not an attack
ZIP_ENTRY_LIMIT = 1_000_000
# A process unpacks an entry from its beginning for the first piece that it reads, and goes on for later ones.  That
# takes a fifteenth of verifying, so 8 pieces, each of them in another process, add a third to the work.
ZIP_PIECES_MAX = 8
_SKIP_BYTES = 1 << 20
_DAMAGE: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
with suppress(ImportError):  # a Python without it refuses such an entry with RuntimeError
    from lzma import LZMAError

    _DAMAGE = (*_DAMAGE, LZMAError)
S3_SCHEME = "s3://"
_DRIVE = re.compile(r"[A-Za-z]:")


class SourceError(Exception):
    """A source cannot be read: it is not there, not allowed, or not what it is said to be.  A sentence for people."""


class DamagedError(Exception):
    """One file of a source cannot be read to its end."""


class Item(NamedTuple):
    """A file.  name: with ``/`` between folders, relative to the container.  size: bytes."""

    name: str
    size: int


class Stream(Protocol):
    """What can be read."""

    def read(self, size: int, /) -> bytes: ...


class Container(Protocol):
    """A listing and its contents.  Both raise SourceError; reading a stream may raise DamagedError too."""

    description: str
    pieces_max: int | None
    """Into how many pieces a file may be cut; None: into any number, because opening one reads nothing before it."""

    def items(self) -> Iterator[Item]: ...

    def open(self, name: str, start: int = 0, stop: int | None = None) -> Any:
        """A context manager with a Stream of the bytes from start to stop; stop None: to the end."""
        ...

    def close(self) -> None: ...


def open_container(target: str, region: str | None = None, s3_endpoint: str | None = None) -> Container:
    """The container a user names: ``s3://bucket/prefix``, or the path of a directory, a zip or a file.

    Raises SourceError.
    """
    if target.startswith(S3_SCHEME):
        return S3Prefix(target, region, s3_endpoint)
    path = Path(target)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise SourceError(f"{target} cannot be read: {_reason(error)}") from error
    if stat.S_ISDIR(mode):
        return Directory(path)
    if not stat.S_ISREG(mode):
        raise SourceError(f"{target} is neither a file nor a directory")
    try:
        is_zip = zipfile.is_zipfile(path)
    except OSError as error:
        raise SourceError(f"{target} cannot be read: {_reason(error)}") from error
    return ZipArchive(path) if is_zip and not _is_ion(path) else SingleFile(path)


def _is_ion(path: Path) -> bool:
    """An Ion file may well hold a zip at its end, as a blob of user data."""
    with path.open("rb") as file:
        return file.read(4) == b"\xe0\x01\x00\xea"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class Directory:
    """A directory and the ones below it.  Links to directories are not followed."""

    pieces_max: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self.description = f"directory {path}"

    def items(self) -> Iterator[Item]:
        def refuse(error: OSError) -> None:
            raise SourceError(f"{error.filename} cannot be read: {_reason(error)}") from error

        for folder, folders, files in os.walk(self._path, onerror=refuse):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                try:
                    status = path.stat()
                except OSError as error:
                    raise SourceError(f"{path} cannot be read: {_reason(error)}") from error
                if stat.S_ISREG(status.st_mode):
                    yield Item(path.relative_to(self._path).as_posix(), status.st_size)

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Stream]:
        path = self._path / name
        try:
            with path.open("rb") as file:
                file.seek(start)
                yield _Checked(file, str(path), None if stop is None else stop - start)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {_reason(error)}") from error

    def close(self) -> None:
        pass


class SingleFile:
    """One file, whatever it is called."""

    pieces_max: int | None = None

    def __init__(self, path: Path) -> None:
        self._directory = Directory(path.parent)
        self._path = path
        self.description = f"file {path}"

    def items(self) -> Iterator[Item]:
        yield Item(self._path.name, self._path.stat().st_size)

    def open(self, name: str, start: int = 0, stop: int | None = None) -> Any:
        return self._directory.open(name, start, stop)

    def close(self) -> None:
        pass


class ZipArchive:
    """A zip.  Refused as a whole when it has a name that is no plain path, is encrypted, or claims to be a bomb."""

    pieces_max: int | None = ZIP_PIECES_MAX

    def __init__(self, path: Path) -> None:
        self._path = path
        self.description = f"zip {path}"
        self._entry: dict[str, IO[bytes]] = {}  # the one that was read last, if not to its end
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise SourceError(f"{path} is not a zip that can be read: {error}") from error
        try:
            self._check(path.stat().st_size)
        except SourceError:
            self._zip.close()
            raise

    def _check(self, archive_bytes: int) -> None:
        entries = self._zip.infolist()
        if len(entries) > ZIP_ENTRY_LIMIT:
            raise SourceError(f"{self._path} has {len(entries)} entries, more than the {ZIP_ENTRY_LIMIT} accepted")
        total, names = 0, set()
        for entry in entries:
            name = entry.filename
            if not name or name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in re.split(r"[/\\]", name):
                raise SourceError(f"{self._path} has an entry named {name!r}, which leads out of it: no export has")
            if name in names:
                raise SourceError(f"{self._path} has two entries named {name!r}")
            if entry.flag_bits & 1:
                raise SourceError(f"{self._path} is encrypted: unpack it first")
            names.add(name)
            total += entry.file_size
        if total > max(ZIP_RATIO_FREE_BYTES, ZIP_RATIO_LIMIT * archive_bytes):
            raise SourceError(
                f"{self._path} claims to hold {total} bytes in {archive_bytes}, more than {ZIP_RATIO_LIMIT} times its "
                "size: it looks like a zip bomb. If it is not, unpack it first"
            )

    def items(self) -> Iterator[Item]:
        for entry in self._zip.infolist():
            if not entry.is_dir():
                yield Item(entry.filename, entry.file_size)

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Stream]:
        try:
            file = self._at(name, start)
            try:
                stream = _Checked(file, f"{self._path}:{name}", None if stop is None else stop - file.tell())
                while (ahead := start - file.tell()) > 0 and stream.read(min(ahead, _SKIP_BYTES)):
                    pass
                yield stream
            except BaseException:
                file.close()
                raise
            if stop is None:
                file.close()
            else:  # the next piece begins where this one ends
                self._close_entry()
                self._entry[name] = file
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError) as error:
            raise DamagedError(f"{name} cannot be unpacked: {error}") from error
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {_reason(error)}") from error

    def _at(self, name: str, start: int) -> IO[bytes]:
        """The entry, at this byte or before it."""
        file = self._entry.pop(name, None)  # of a dict, so that only one thread gets it
        if file is not None and file.tell() <= start:
            return file
        if file is not None:
            file.close()
        return self._zip.open(name)

    def _close_entry(self) -> None:
        while self._entry:
            self._entry.popitem()[1].close()

    def close(self) -> None:
        self._close_entry()
        self._zip.close()


class S3Prefix:
    """The objects below ``s3://bucket/prefix``, or the one object of that key."""

    pieces_max: int | None = 1

    def __init__(self, target: str, region: str | None, endpoint: str | None) -> None:
        self._bucket, _, self._prefix = target.removeprefix(S3_SCHEME).partition("/")
        self.description = f"S3 {target}"
        if not self._bucket:
            raise SourceError(f"{target} names no bucket: s3://BUCKET/PREFIX is expected")
        with self._calling():
            self._client = client("s3", region or "us-east-1", endpoint)

    @contextmanager
    def _calling(self) -> Iterator[None]:
        try:
            with errors():
                yield
        except AwsError as error:
            raise SourceError(f"{self.description} cannot be read: {error}") from error

    def items(self) -> Iterator[Item]:
        with self._calling():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for found in page.get("Contents", ()):
                    if not found["Key"].endswith("/"):
                        yield Item(found["Key"], found["Size"])

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Stream]:
        assert (start, stop) == (0, None), "an object is read from its beginning to its end"
        with self._calling():
            body = self._client.get_object(Bucket=self._bucket, Key=name)["Body"]
        try:
            yield _S3Body(body, self._calling)
        finally:
            body.close()

    def close(self) -> None:
        self._client.close()


class _Checked:
    """A file whose own errors are told apart from those of its reader.  limit: how many bytes are read at most."""

    def __init__(self, file: IO[bytes], name: str, limit: int | None = None) -> None:
        self._file = file
        self._name = name
        self._left = limit

    def read(self, size: int, /) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
        try:
            return self._file.read(size)
        except _DAMAGE as error:
            raise DamagedError(f"{self._name} cannot be unpacked: {error}") from error
        except OSError as error:
            if error.errno is None:  # of bz2, which has no exception of its own
                raise DamagedError(f"{self._name} cannot be unpacked: {error}") from error
            raise SourceError(f"{self._name} cannot be read: {_reason(error)}") from error


class _S3Body:
    def __init__(self, body: Any, calling: Any) -> None:
        self._body = body
        self._calling = calling

    def read(self, size: int, /) -> bytes:
        with self._calling():
            data: bytes = self._body.read(size)
            return data


class Memory:
    """Files in memory, for tests and for callers that have the bytes."""

    pieces_max: int | None = None

    def __init__(self, files: dict[str, bytes], description: str = "memory") -> None:
        self._files = files
        self.description = description

    def items(self) -> Iterator[Item]:
        for name, data in self._files.items():
            yield Item(name, len(data))

    @contextmanager
    def open(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[Stream]:
        yield io.BytesIO(self._files[name][start:stop])

    def close(self) -> None:
        pass
