"""Converts Ion bytes and text to values and back: the public functions of this package.

Depth is bounded in every conversion, so a hostile value raises :class:`IonError` and never RecursionError.
``max_depth`` defaults to limits.ion_depth plus what a journal block wraps round a document; the engine passes the plain
limit for what users send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ParamSpec, TypeVar

from . import binary_reader, binary_writer, text_writer
from .symbols import DOCUMENT_DEPTH, MAX_DEPTH, TOO_DEEP
from .values import Document, IonError, IonValue

__all__ = [
    "DOCUMENT_DEPTH",
    "MAX_DEPTH",
    "TOO_DEEP",
    "Document",
    "IonError",
    "dump_all",
    "dumps",
    "dumps_text",
    "is_binary",
    "load_all",
    "loads",
    "loads_document",
]

P = ParamSpec("P")
R = TypeVar("R")


def is_binary(data: bytes) -> bool:
    """Whether the data begins like Ion binary; otherwise it can only be text."""
    return data[:4] == binary_reader.VERSION_MARKER


def loads(data: bytes | str, max_depth: int = MAX_DEPTH) -> IonValue:
    """Return the one value in Ion binary (with its version marker) or Ion text (UTF-8, or a str).

    Raises IonError when there is not exactly one value, or the data is not valid Ion.
    """
    if not isinstance(data, str) and is_binary(data):
        return _bounded(binary_reader.read_one, bytes(data), max_depth)
    values = load_all(data, max_depth)
    for value in values:
        for _ in values:
            raise IonError("expected one Ion value, found more")
        return value
    raise IonError("expected one Ion value, found none")


def load_all(data: bytes | str, max_depth: int = MAX_DEPTH) -> Iterator[IonValue]:
    """Yield every top-level value, in order, lazily.

    Raises IonError (while iterating) where the data is not valid Ion.
    """
    try:
        if isinstance(data, str):
            yield from _read_text(data, max_depth)
        elif is_binary(data):
            yield from binary_reader.read_all(bytes(data), max_depth)
        else:
            yield from _read_text(_decoded(bytes(data)), max_depth)
    except RecursionError:
        raise IonError(TOO_DEEP) from None


def loads_document(data: bytes) -> IonValue:
    """Return the one value in self-contained Ion binary that our own writer made, as the engine stores it.

    An un-annotated struct without repeated names becomes a :class:`Document`, which :func:`dumps` copies.
    """
    value = _bounded(binary_reader.read_one, data, MAX_DEPTH)
    return Document(value, data) if type(value) is dict else value


def dumps(value: IonValue, max_depth: int = MAX_DEPTH) -> bytes:
    """Return self-contained Ion binary of one value.

    Raises IonError for what Ion cannot hold, TypeError for an object that is not an Ion value.
    """
    if type(value) is Document:
        return value.ion
    return _bounded(binary_writer.write_all, [value], max_depth)


def dump_all(values: Iterable[IonValue], max_depth: int = MAX_DEPTH) -> bytes:
    """Return self-contained Ion binary of many values, with one symbol table."""
    return _bounded(binary_writer.write_all, values, max_depth)


def dumps_text(value: IonValue, max_depth: int = MAX_DEPTH) -> str:
    """Return Ion text of one value on one line, in the service's form: ``{a:1,b:"x",c:2017-08-21,d:90.25}``."""
    return _bounded(text_writer.write, value, max_depth)


def _read_text(text: str, max_depth: int) -> Iterator[IonValue]:
    from . import text_reader  # late: it compiles twenty patterns, and a server that only gets binary never needs them

    return text_reader.read_all(text, max_depth)


def _decoded(data: bytes) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise IonError(f"neither Ion binary nor UTF-8 text: {error.reason} at byte {error.start}") from None


def _bounded(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function; turn a RecursionError into an IonError that says "too deep"."""
    try:
        return function(*args, **kwargs)
    except RecursionError:
        raise IonError(TOO_DEEP) from None
