"""Turns an Ion value into a :class:`Block`, or says why it is not one.

Names and types are those of ``layout``: the official verifiers, too, refuse a block with anything else in it.  Where
blocks of the service vary (journal.md 1) the layout allows it: ``transactionInfo`` absent, timestamps of any precision,
an empty ``previousBlockHash``, revisions with only a hash.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ion.values import Annotated, IonValue, MultiStruct, Timestamp, ion_type
from . import layout
from .hashing import HASH_BYTES
from .layout import ListOf, MapOf, OneOf, Record, Scalar, Shape
from .model import Block, BlockAddress, Struct


class BlockFormatError(ValueError):
    """A value is not a block.

    field: path of the faulty part, as ``revisions[0].metadata.version``.  address: of the block, if it was found.
    """

    def __init__(self, field: str, problem: str, address: BlockAddress | None = None) -> None:
        super().__init__(field, problem, address)
        self.field = field
        self.problem = problem
        self.address = address

    def __str__(self) -> str:
        address = self.address
        where = "a block" if address is None else f"block {address.sequence_no} of strand {address.strand_id}"
        return f"{where}: {self.field} {self.problem}"

    def within(self, part: str) -> BlockFormatError:
        """Return the same error as the container sees it: ``.name`` of a field, or ``[0]``, precedes the path.

        The path is made while the error travels outwards, so that a correct block costs no text.
        """
        return BlockFormatError(part + self.field, self.problem, self.address)


Check = Callable[[IonValue], None]
"""Raises BlockFormatError, its field the path from the value: empty for the value itself, otherwise as ``.name[0]``."""


def block_from_ion(value: IonValue) -> Block:
    """Return the block in an Ion struct; its nested structs stay as they are.  Raises BlockFormatError."""
    if type(value) is not dict:
        raise _no_struct(value).within("block")
    if "blockAddress" not in value:
        raise BlockFormatError("blockAddress", "is missing")
    address = address_from_ion(value["blockAddress"], "blockAddress")
    try:
        _block(value)
    except BlockFormatError as error:
        raise BlockFormatError(error.field.removeprefix("."), error.problem, address) from None
    revisions = value.get("revisions")
    return Block(
        address=address,
        transaction_id=value["transactionId"],
        timestamp=value["blockTimestamp"],
        block_hash=value["blockHash"],
        entries_hash=value["entriesHash"],
        previous_block_hash=value["previousBlockHash"],
        entries_hash_list=tuple(value["entriesHashList"]),
        transaction_info=value.get("transactionInfo"),
        redaction_info=value.get("redactionInfo"),
        revisions=None if revisions is None else tuple(revisions),
    )


def address_from_ion(value: IonValue, field: str = "block address") -> BlockAddress:
    """Return the address in an Ion struct ``{strandId, sequenceNo}``.  Raises BlockFormatError."""
    _named(_address, value, field)
    return BlockAddress(value["strandId"], value["sequenceNo"])


def revision_from_ion(value: IonValue, field: str = "revision") -> Struct:
    """Return the value itself if it has the form of a revision.  Raises BlockFormatError."""
    _named(_revision, value, field)
    struct: Struct = value
    return struct


def transaction_info_from_ion(value: IonValue) -> Struct:
    """Return the value itself if it has the form of a block's transactionInfo.  Raises BlockFormatError."""
    _named(_transaction_info, value, "transactionInfo")
    struct: Struct = value
    return struct


def _named(check: Check, value: IonValue, field: str) -> None:
    try:
        check(value)
    except BlockFormatError as error:
        raise error.within(field) from None


# --- Checks ------------------------------------------------------------------------------------------------
# Types must match exactly: a bool is not an int, a Symbol not a string, a Clob not a blob.  Only user data may be
# annotated.


def _exactly(python_type: type, name: str) -> Check:
    def check(value: IonValue) -> None:
        if type(value) is not python_type:
            raise BlockFormatError("", f"must be a {name}, not {_describe(value)}")

    return check


def _describe(value: IonValue) -> str:
    try:
        return f"a {ion_type(value)}"
    except TypeError:
        return f"a {type(value).__name__}"


_plain_list = _exactly(list, "list")
_blob = _exactly(bytes, "blob")


MAX_COUNT = 2**62  # blocks, versions or statements; below the largest integer that SQLite stores (ours)


def _count(value: IonValue) -> None:
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return
    if type(value) is int and value > MAX_COUNT:
        raise BlockFormatError("", "is larger than any count can be")
    raise BlockFormatError("", f"must be an int from 0, not {value if type(value) is int else _describe(value)}")


def _hash(value: IonValue) -> None:
    if type(value) is bytes and len(value) == HASH_BYTES:
        return
    _blob(value)
    raise BlockFormatError("", f"must have {HASH_BYTES} bytes, not {len(value)}")


def _hash_or_empty(value: IonValue) -> None:
    _blob(value)
    if value:
        _hash(value)


def _no_struct(value: IonValue) -> BlockFormatError:
    if type(value) is MultiStruct:
        return BlockFormatError("", "has a field twice")
    return BlockFormatError("", f"must be a struct, not {_describe(value)}")


def _data(value: IonValue) -> None:
    # User data is free: any struct, annotated or not, repeated and annotated fields included.
    if not isinstance(value.value if type(value) is Annotated else value, dict):
        raise _no_struct(value)


_SCALARS: dict[Scalar, Check] = {
    Scalar.TEXT: _exactly(str, "string"),
    Scalar.COUNT: _count,
    Scalar.TIME: _exactly(Timestamp, "timestamp"),
    Scalar.HASH: _hash,
    Scalar.HASH_OR_EMPTY: _hash_or_empty,
    Scalar.DATA: _data,
}


def _check_of(shape: Shape) -> Check:
    """Return the check of a value against a shape of the layout."""
    if isinstance(shape, ListOf):
        return _list_of(_check_of(shape.item))
    if isinstance(shape, MapOf):
        return _map_of(_check_of(shape.item))
    if isinstance(shape, OneOf):
        return _one_of(shape)
    if isinstance(shape, Record):
        return _record(shape)
    return _SCALARS[shape]


def _list_of(check: Check) -> Check:
    def check_list(value: IonValue) -> None:
        _plain_list(value)
        position = 0
        try:
            for position, item in enumerate(value):  # noqa: B007 the error names the position that was reached
                check(item)
        except BlockFormatError as error:
            raise error.within(f"[{position}]") from None

    return check_list


def _map_of(check: Check) -> Check:
    def check_map(value: IonValue) -> None:
        if type(value) is not dict:
            raise _no_struct(value)
        name = ""
        try:
            for name, item in value.items():  # noqa: B007 as above
                check(item)
        except BlockFormatError as error:
            raise error.within(f".{name}") from None

    return check_map


def _one_of(shape: OneOf) -> Check:
    usual, short = _record(shape.usual), _record(shape.short)
    short_names = shape.short.required

    def check_one(value: IonValue) -> None:
        is_short = type(value) is dict and value.keys() == short_names
        (short if is_short else usual)(value)

    return check_one


def _record(record: Record) -> Check:
    required = dict.fromkeys(name for name in record.names if name in record.required).keys()
    checks = {field.name: _check_of(field.shape) for field in record.fields}
    exclusive = frozenset(record.exclusive)

    def check_record(value: IonValue) -> None:
        if type(value) is not dict:
            raise _no_struct(value)
        if not required <= value.keys():
            missing = next(name for name in required if name not in value)
            raise BlockFormatError(f".{missing}", "is missing")
        name = ""
        try:
            for name, item in value.items():
                check = checks.get(name)
                if check is None:
                    raise BlockFormatError("", "is not a field known here")
                check(item)
        except BlockFormatError as error:
            raise error.within(f".{name}") from None
        if exclusive and exclusive <= value.keys():
            first, second = record.exclusive
            raise BlockFormatError(f".{second}", f"stands beside {first}: only one of them may be there")

    return check_record


_address = _check_of(layout.ADDRESS)
_revision = _check_of(OneOf(layout.REVISION, layout.SYSTEM_ITEM))
_block = _check_of(layout.BLOCK)
_transaction_info = _check_of(layout.TRANSACTION_INFO)
