"""The library as an oracle: a Java process that answers statements over pipes (``oracle/Oracle.java``)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
MAIN_CLASS = "oracle.Oracle"


class NoLibrary(Exception):
    """Java or Maven is not installed, or the library cannot be fetched."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side says to a statement.

    value: Ion text of a value, with ``$bag::[]`` and ``$missing::null``; None for an error.
    code: the library's error code; None when it has none ("CRASH" for an exception that is no error of the language).
    line, column: where the error is, None when the library does not say.
    text: the first half of the error's text with category and place, thrown: the second half.
    """

    value: str | None = None
    code: str | None = None
    line: int | None = None
    column: int | None = None
    text: str = ""
    thrown: str = ""

    @property
    def whole(self) -> str:
        """The answer on a line."""
        if self.value is not None:
            return self.value
        return f"{self.text}; {self.thrown}" if self.thrown else self.text


@dataclass(frozen=True, slots=True)
class Request:
    """A statement to answer.

    parameters: Ion text of a list.  is_parsed_only: only read it (the library evaluates no DML).
    """

    statement: str
    parameters: str = "[]"
    is_parsed_only: bool = False

    def line(self) -> str:
        kind = "P" if self.is_parsed_only else "E"
        return f"{kind}\t{json.dumps(self.statement)}\t{self.parameters}\n"


class Library:
    """The running library.  A context manager; ``tables`` is Ion text: a struct of lists of documents."""

    def __init__(self, tables: str) -> None:
        """Raises NoLibrary."""
        build()
        java = shutil.which("java")
        assert java is not None
        classes, jars = FOLDER / "target" / "classes", FOLDER / "target" / "lib" / "*"
        command = [java, "-XX:+UseSerialGC", "-Xmx1g", "-cp", f"{classes}:{jars}", MAIN_CLASS]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._in.write(f"T\t{tables}\n".encode())

    def send(self, requests: Sequence[Request]) -> None:
        """Hand statements over; :meth:`receive` gets the answers.  The batch must be small enough for the pipes."""
        self._in.write("".join([request.line() for request in requests]).encode())
        self._in.write(b"F\n")
        self._in.flush()

    def receive(self, count: int) -> list[Answer]:
        """The answers to the statements sent, in order.  Raises RuntimeError when the process is gone."""
        return [_answer(self._out.readline().decode()) for _ in range(count)]

    def ask(self, request: Request) -> Answer:
        """The answer to one statement."""
        self.send([request])
        return self.receive(1)[0]

    def close(self) -> None:
        self._in.close()
        self._process.wait()
        self._out.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def build() -> None:
    """Compile the oracle unless it is compiled already.  Raises NoLibrary."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise NoLibrary(f"{tool} is not installed")
    built = FOLDER / "target" / "classes" / "oracle" / "Oracle.class"
    sources = [FOLDER / "pom.xml", *FOLDER.glob("src/**/*.java")]
    if built.exists() and built.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return
    done = subprocess.run(["mvn", "-q", "-B", "compile"], cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoLibrary(f"the library cannot be built:\n{done.stdout}")


def _answer(line: str) -> Answer:
    kind, _, text = line.rstrip("\n").partition("\t")
    if kind == "V":
        return Answer(value=text)
    if kind != "E":
        raise RuntimeError("the library's process has ended")
    code, at_line, column, generated, thrown = _read(text)
    return Answer(None, code, at_line, column, generated, thrown)


def _read(text: str) -> list[Any]:
    """An Ion list of strings, ints and nulls.  Ion's escapes are more than JSON's."""
    try:
        found: list[Any] = json.loads(text)
    except ValueError:
        from qldb_emulator.ion.codec import loads

        found = loads(text)
    return found
