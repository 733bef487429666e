"""Writes a command's results to files: all of them, or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

UNFINISHED = ".unfinished"


def write_files(files: Mapping[Path, bytes], obsolete: Iterable[Path] = ()) -> None:
    """Write files; if one cannot be written, what was there before stays.  Raises OSError.

    What is no regular file, such as /dev/stdout or a pipe, is written as it is.  obsolete: files to remove once the new
    ones are on the disk.
    """
    made: dict[Path, Path] = {}
    try:
        for path, contents in files.items():
            place = path.resolve()  # a link stays one
            if place.exists() and not place.is_file():
                place.write_bytes(contents)
                continue
            unfinished = place.with_name(place.name + UNFINISHED)
            made[unfinished] = place
            with unfinished.open("wb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
        for path in obsolete:
            path.unlink(missing_ok=True)
        for unfinished, place in made.items():
            os.replace(unfinished, place)
    except BaseException:
        for unfinished in made:
            with contextlib.suppress(OSError):  # the first error is the one to show
                unfinished.unlink(missing_ok=True)
        raise
