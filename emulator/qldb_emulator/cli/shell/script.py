"""Statements that are run one after another without a prompt: of ``-c``, a file or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ...errors import QldbError
from ...ion.values import IonValue
from ..failure import Failure, complain
from .carets import with_caret
from .state import Shell
from .statements import Part, parts


def run_script(shell: Shell, lines: Iterable[str], parameters: list[IonValue], name: str = "") -> bool:
    """Run statements and commands.  name: of the file they are from.  Whether all of them succeeded.

    The first failure ends the script with Failure, which names the place.  In line mode, failures are shown and the
    next line is run, as AWS's shell did.  Raises UnreachableError.
    """
    is_line_mode = shell.settings.is_line_mode
    succeeded = True
    for group in parts(lines, shell.is_command, is_line_mode):
        for part in group:
            try:
                shell.run(part.text, parameters)
            except (QldbError, Failure) as error:
                failure = Failure(_described(error, part, name))
                if not is_line_mode:
                    raise failure from error
                complain(failure.format_message())
                succeeded = False
                break
            if shell.is_over:
                return succeeded
    return succeeded


def _described(error: QldbError | Failure, part: Part, name: str) -> str:
    message = error.message if isinstance(error, QldbError) else error.format_message()
    return with_caret(message, part.text, name, part.line, part.column)


def read_file(path: Path) -> list[str]:
    """The lines of a file.  Raises Failure."""
    try:
        with path.open("rb") as file:
            return list(decoded_lines(file, str(path)))
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error


def standard_input() -> Iterator[str]:
    """The lines of standard input as they come.  Raises Failure for what is not UTF-8."""
    return decoded_lines(sys.stdin.buffer, "standard input")


def decoded_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """The lines of a file in UTF-8.  Raises Failure with the place of the first byte that is wrong."""
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            place = f"{name}:{number}:{error.start + 1}"
            raise Failure(f"{place}: the byte 0x{line[error.start]:02x} is not UTF-8") from error
        yield text
