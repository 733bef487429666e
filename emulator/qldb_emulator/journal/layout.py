"""The one description of a block: names, order and types of its parts, and which may be absent.

``parse`` checks values against these tables, ``encode`` writes blocks by them, ``struct_hashes`` hashes by them, and
``verify.json_blocks`` gives the values of a JSON export their types back.  Pure data.

Source: journal.md 1.1 to 1.3 (recorded in two complete blocks; what may be absent: sample).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum

from ..records import dataclass


class Scalar(Enum):
    """A value without parts.  The value of the enumeration's member is the Ion type in messages."""

    TEXT = "string"
    COUNT = "int"  # not negative
    TIME = "timestamp"
    HASH = "blob"  # 32 bytes
    HASH_OR_EMPTY = "blob, maybe empty"  # the hash before the first block has no bytes
    DATA = "struct"  # a user's document: its fields are free


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one shape."""

    item: Shape


@dataclass(frozen=True, slots=True)
class MapOf:
    """A struct whose field names are data (document ids), with values of one shape."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    optional: whether it may be absent.  repeats: whether block after block holds the same value, so that its hash is
    worth keeping.
    """

    name: str
    shape: Shape
    optional: bool = False
    repeats: bool = False


class Record:
    """A struct with these fields and no others, in this order as the service wrote it.

    exclusive: names of optional fields of which at most one is present.  repeats: as for a field, of the whole struct.
    """

    __slots__ = ("exclusive", "fields", "names", "repeats", "required")

    def __init__(self, *fields: Field, exclusive: tuple[str, ...] = (), repeats: bool = False) -> None:
        self.fields = fields
        self.exclusive = exclusive
        self.repeats = repeats
        self.names = tuple(field.name for field in fields)
        self.required = frozenset(field.name for field in fields if not field.optional)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A struct of the first record, or of the second if it has exactly the names of the second."""

    usual: Record
    short: Record


Shape = Scalar | ListOf | MapOf | Record | OneOf

ADDRESS = Record(Field("strandId", Scalar.TEXT, repeats=True), Field("sequenceNo", Scalar.COUNT))

STATEMENT = Record(
    Field("statement", Scalar.TEXT, repeats=True),
    Field("startTime", Scalar.TIME),
    Field("statementDigest", Scalar.HASH),
)
CHANGED_DOCUMENT = Record(
    Field("tableName", Scalar.TEXT, repeats=True),
    Field("tableId", Scalar.TEXT, repeats=True),
    Field("statements", ListOf(Scalar.COUNT)),  # indexes into the transaction's statements
    repeats=True,
)
TRANSACTION_INFO = Record(
    Field("statements", ListOf(STATEMENT), optional=True),
    Field("documents", MapOf(CHANGED_DOCUMENT), optional=True),
)

REDACTION = Record(
    Field("blockAddress", ADDRESS),
    Field("tableId", Scalar.TEXT),
    Field("documentId", Scalar.TEXT),
    Field("version", Scalar.COUNT),
)
REDACTION_INFO = Record(Field("revisions", ListOf(REDACTION)))

METADATA = Record(
    Field("id", Scalar.TEXT),
    Field("version", Scalar.COUNT, repeats=True),
    Field("txTime", Scalar.TIME),
    Field("txId", Scalar.TEXT),
)
REVISION = Record(
    Field("blockAddress", ADDRESS),
    Field("hash", Scalar.HASH),
    Field("data", Scalar.DATA, optional=True),  # absent in a deletion
    Field("dataHash", Scalar.HASH, optional=True),  # replaces data that was redacted
    Field("metadata", METADATA),
    exclusive=("data", "dataHash"),
)
SYSTEM_ITEM = Record(Field("hash", Scalar.HASH))  # a revision of the catalogue's own tables

HEADER = (  # the fields that the first entry of a block of ours covers
    Field("blockAddress", ADDRESS),
    Field("transactionId", Scalar.TEXT),
    Field("blockTimestamp", Scalar.TIME),
)
BLOCK = Record(
    *HEADER,
    Field("blockHash", Scalar.HASH),
    Field("entriesHash", Scalar.HASH),
    Field("previousBlockHash", Scalar.HASH_OR_EMPTY),
    Field("entriesHashList", ListOf(Scalar.HASH)),
    Field("transactionInfo", TRANSACTION_INFO, optional=True),
    Field("redactionInfo", REDACTION_INFO, optional=True),
    Field("revisions", ListOf(OneOf(REVISION, SYSTEM_ITEM)), optional=True),
)


def names_within(shape: Shape, without: Collection[str] = ()) -> Iterator[str]:
    """Yield every field name of a shape, outer ones first, some more than once.

    without: names of fields to leave out, with everything below them.
    """
    if isinstance(shape, ListOf | MapOf):
        yield from names_within(shape.item, without)
    elif isinstance(shape, OneOf):
        yield from names_within(shape.usual, without)
    elif isinstance(shape, Record):
        for field in shape.fields:
            if field.name not in without:
                yield field.name
                yield from names_within(field.shape, without)
