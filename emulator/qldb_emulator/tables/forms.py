"""Makes the JSON texts and the typed columns of many documents at once, from what was noted when they were hashed.

Documents of a table have few forms: the same names, and values of the same types.  All documents of one form are taken
together, a scalar of each at a time, so that most of the work is done by loops in C.  For a table of registrations it
takes a third of what ``json_and_fields`` takes for one document after the other, and it gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any

from ..ion.binary_reader import read_decimal, read_float
from ..ion.hash import END, NOTE, NULL, OTHER_OCTETS, UNNOTED
from ..ion.json import object_form, to_json
from ..ion.values import SYMBOL_ZERO, Clob, IonValue, Symbol
from ..journal.stored import DocumentForm
from .document import timestamp_text_and_scalar
from .fields import (
    MIXED,
    NO_FIELDS,
    Fields,
    Kind,
    Scalar,
    Shape,
    Value,
    digits_of,
    fields_of_scalars,
    scalar_of,
    shape_of,
)

_FORMS_KEPT = 1024
_CHARACTERS_MAX = 8192  # of a form's text: names are hostile if it is longer
_LONG_INT = 8  # octets; from here on a column of 64 bits may be too narrow
_LEAF = "\0"  # stands for a scalar in the text of a form; texts of JSON have it escaped

FieldColumns = tuple[Shape, Sequence[int], list[Sequence[Any]]]
"""The fields of documents of one shape: the shape, which of some rows have it, and the values of each field."""


Scalars = tuple[Sequence[Any], Kind | None, Sequence[Any]]
"""A scalar of each of some documents: as JSON, or an int; the kind; the values, or where kinds differ Scalars."""


class Form:
    """What documents of one form become.

    text: their JSON, with ``%s`` for each scalar.  codes: of the scalars' types.
    names: of the fields that have a type.  fields: for each the place of its value among the scalars, or -1 and what
    it is in every document.
    """

    __slots__ = ("codes", "fields", "names", "text")

    def __init__(self, text: str, codes: list[int], names: list[str], fields: list[tuple[int, Scalar]]) -> None:
        self.text = text
        self.codes = codes
        self.names = tuple(names)
        self.fields = fields

    def texts_and_columns(
        self, leaves: Sequence[list[bytes]], rows: Sequence[int]
    ) -> tuple[list[str], list[FieldColumns]]:
        """Return the JSON text of each document, and their fields.  leaves: of each.  rows: which rows these are."""
        count = len(rows)
        scalars = [_scalars(code, column) for code, column in zip(self.codes, zip(*leaves, strict=True), strict=True)]
        if scalars:
            texts = list(map(self.text.__mod__, zip(*[each[0] for each in scalars], strict=True)))
        else:
            texts = [self.text % ()] * count
        kinds: list[Kind] = []
        columns: list[Sequence[Any]] = []
        for place, constant in self.fields:
            kind: Kind | None
            values: Sequence[Any]
            if constant is not None:
                kind, values = constant[0], [constant[1]] * count
            else:
                _, kind, values = scalars[place]
            if kind is None:
                return texts, self._columns_of_shapes(scalars, rows)
            kinds.append(kind)
            columns.append(values)
        return texts, [(shape_of(self.names, tuple(kinds)), rows, columns)] if kinds else []

    def _columns_of_shapes(self, scalars: list[Scalars], rows: Sequence[int]) -> list[FieldColumns]:
        """Return the fields where the kind of one depends on its value."""
        columns: list[list[Scalar]] = []
        for place, constant in self.fields:
            if constant is not None:
                columns.append([constant] * len(rows))
                continue
            _, kind, values = scalars[place]
            columns.append(list(values) if kind is None else [(kind, value) for value in values])
        return columns_of([fields_of_scalars(self.names, list(each)) for each in zip(*columns, strict=True)], rows)


def columns_of(fields: Iterable[Fields], rows: Iterable[int]) -> list[FieldColumns]:
    """Return the fields of documents by their shapes; no documents without fields.  rows: which rows these are."""
    by_shape: dict[Shape, tuple[list[int], list[tuple[Value, ...]]]] = {}
    for row, (shape, values) in zip(rows, fields, strict=True):
        of_shape = by_shape.get(shape)
        if of_shape is None:
            of_shape = by_shape[shape] = [], []
        of_shape[0].append(row)
        of_shape[1].append(values)
    by_shape.pop(NO_FIELDS[0], None)
    return [(shape, found, list(zip(*values, strict=True))) for shape, (found, values) in by_shape.items()]


# --- From notes to forms -------------------------------------------------------------------------------------

_UNKNOWN = Form("", [], [], [])
_forms: dict[DocumentForm, Form | None] = {}
_seen: set[DocumentForm] = set()


def form_of(noted: DocumentForm) -> Form | None:
    """Return what documents of this form become; None if it is better to read each by itself.

    That is so when a form is seen for the first time, because making one takes longer than reading a document, and for
    names and values that need the rules of ``fields_of`` and ``scalar_of``.
    """
    known = _forms.get(noted, _UNKNOWN)  # one look: another thread may empty it
    if known is not _UNKNOWN:
        return known
    if noted not in _seen:
        if len(_seen) >= _FORMS_KEPT:
            _seen.clear()
        _seen.add(noted)
        return None
    if len(_forms) >= _FORMS_KEPT:
        _forms.clear()
    made = _forms[noted] = _made(noted)
    return made


def _made(noted: DocumentForm) -> Form | None:
    if NOTE - UNNOTED in noted.notes:
        return None
    names: list[str] = []
    scalars: list[tuple[int, Scalar]] = []
    codes: list[int] = []
    notes = iter([note for note in noted.notes if note != OTHER_OCTETS])
    parts = _parts(notes, noted.texts, codes, names, scalars)
    if len(set(names)) < len(names) or SYMBOL_ZERO in names:
        return None
    text = (object_form(tuple(names)) % tuple(parts)).replace("%", "%%").replace(_LEAF, "%s")
    if len(text) > _CHARACTERS_MAX:
        return None
    typed = [number for number, (place, constant) in enumerate(scalars) if place >= 0 or constant is not None]
    return Form(text, codes, [names[number] for number in typed], [scalars[number] for number in typed])


def _parts(
    notes: Iterator[int],
    texts: Sequence[str],
    codes: list[int],
    names: list[str] | None,
    scalars: list[tuple[int, Scalar]],
) -> list[str]:
    """Return the JSON of the values of a container, _LEAF in the place of each scalar.

    notes: from those of the first value on; the container's end is taken, too.
    codes: receives the codes of scalars.  names: receives the fields' names; None for a sequence.
    scalars: receives for each value its place in codes, or -1 and what ``scalar_of`` gives for it.
    """
    parts: list[str] = []
    for note in notes:
        if note >= 0:
            assert names is not None
            names.append(texts[note])
            continue
        code = NOTE - note
        if code == END:
            break
        found: tuple[int, Scalar] = -1, None
        if code == NULL:
            part = "null"
        elif code == 13:
            inner: list[str] = []
            values = _parts(notes, texts, codes, inner, [])
            part, found = object_form(tuple(inner)) % tuple(values), (-1, MIXED)
        elif code == 11 or code == 12:
            part, found = f"[{','.join(_parts(notes, texts, codes, None, []))}]", (-1, MIXED)
        elif code == 7:
            text = texts[next(notes)]
            symbol = SYMBOL_ZERO if text is SYMBOL_ZERO else Symbol(text)
            part, found = to_json(symbol), (-1, scalar_of(symbol))
        else:
            part, found = _LEAF, (len(codes), None)
            codes.append(code)
        parts.append(part)
        scalars.append(found)
    return parts


# --- Scalars ---------------------------------------------------------------------------------------------------


def _scalars(code: int, column: Sequence[bytes]) -> Scalars:
    """Return what a scalar is in some documents.  code: of its type.  column: the octets of its contents in each."""
    if code == 8:
        texts = [octets.decode() for octets in column]
        return list(map(encode_basestring, texts)), "TEXT", texts
    if code == 2 and max(map(len, column)) < _LONG_INT:
        numbers = [int.from_bytes(octets, "big") for octets in column]
        return numbers, "INT", numbers
    if code == 5:
        decimals = [read_decimal(octets, 0, len(octets)) for octets in column]
        texts = list(map(str, decimals))
        return texts, "DECIMAL", [digits_of(decimal) for decimal in decimals] if "E" in "".join(texts) else texts
    if code == 1:
        return ["true" if octet == _TRUE else "false" for octet in column], "BOOL", [octet == _TRUE for octet in column]
    if code == 6:
        times = list(map(timestamp_text_and_scalar, column))
        return [text for text, _ in times], *_of_one_kind([scalar for _, scalar in times])
    values = [_value(code, octets) for octets in column]
    return list(map(to_json, values)), *_of_one_kind(list(map(scalar_of, values)))


def _of_one_kind(scalars: Sequence[Scalar]) -> tuple[Kind | None, Sequence[Any]]:
    """Return the kind of scalars and their values; None and the scalars where they have several."""
    kinds: set[Kind] = set()
    values = []
    for scalar in scalars:
        assert scalar is not None
        kinds.add(scalar[0])
        values.append(scalar[1])
    return (kinds.pop(), values) if len(kinds) == 1 else (None, scalars)


def _value(code: int, octets: bytes) -> IonValue:
    """Return a value of one of the less frequent types."""
    if code == 2:
        return int.from_bytes(octets, "big")
    if code == 3:
        return -int.from_bytes(octets, "big")
    if code == 4:
        return read_float(octets, 0, len(octets))
    return Clob(octets) if code == 9 else octets


_TRUE = b"\x11"  # its type octet
