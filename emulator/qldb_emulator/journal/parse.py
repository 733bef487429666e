"""An Ion value becomes a :class:`Block`, or it is said why not.

Strict about names and types, since a block with anything else in it would be refused by the official verifiers too;
lenient where blocks of the service are known to vary (journal.md 1): ``transactionInfo`` absent, timestamps of any
precision, an empty ``previousBlockHash``, revisions of which only the hash is given.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ion.values import IonValue, MultiStruct, Timestamp, ion_type
from .hashing import HASH_BYTES
from .model import Block, BlockAddress, Struct


class BlockFormatError(ValueError):
    """A value is not a block.

    field: path of what is wrong, as ``revisions[0].metadata.version``.  address: of the block, as far as it was found.
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
        """The same of what holds it: ``.name`` of a field, or ``[0]``.

        So a path is put together on the way out, and costs nothing where nothing is wrong.
        """
        return BlockFormatError(part + self.field, self.problem, self.address)


Check = Callable[[IonValue], None]
"""Raises BlockFormatError, its field the path from the value on: empty for the value itself, else as ``.name[0]``."""


def block_from_ion(value: IonValue) -> Block:
    """The block an Ion struct holds, its nested structs kept as they are.  Raises BlockFormatError."""
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
    """The address an Ion struct ``{strandId, sequenceNo}`` holds.  Raises BlockFormatError."""
    _named(_address, value, field)
    return BlockAddress(value["strandId"], value["sequenceNo"])


def revision_from_ion(value: IonValue, field: str = "revision") -> Struct:
    """The value itself, once it has the form of a revision.  Raises BlockFormatError."""
    _named(_revision, value, field)
    struct: Struct = value
    return struct


def _named(check: Check, value: IonValue, field: str) -> None:
    try:
        check(value)
    except BlockFormatError as error:
        raise error.within(field) from None


# --- Checks ------------------------------------------------------------------------------------------------
# Exact types: a bool is no int here, a Symbol no string, a Clob no blob, and an annotated value none of them.


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


_string = _exactly(str, "string")
_timestamp = _exactly(Timestamp, "timestamp")
_plain_list = _exactly(list, "list")
_blob = _exactly(bytes, "blob")


MAX_COUNT = 2**62  # no journal gets there, and what stores numbers holds no more


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


def _document(value: IonValue) -> None:
    # User data is free: any struct, repeated and annotated fields included.
    if not isinstance(value, dict):
        raise _no_struct(value)


def _list_of(check: Check) -> Check:
    def check_list(value: IonValue) -> None:
        _plain_list(value)
        position = 0
        try:
            for position, item in enumerate(value):  # noqa: B007 the position is where it ended
                check(item)
        except BlockFormatError as error:
            raise error.within(f"[{position}]") from None

    return check_list


def _struct_of_any_names(check: Check) -> Check:
    def check_struct(value: IonValue) -> None:
        if type(value) is not dict:
            raise _no_struct(value)
        name = ""
        try:
            for name, item in value.items():  # noqa: B007
                check(item)
        except BlockFormatError as error:
            raise error.within(f".{name}") from None

    return check_struct


Fields = dict[str, tuple[bool, Check]]  # name -> (required, check)


def _struct_with(table: Fields) -> Check:
    required = {name: None for name, (needed, _) in table.items() if needed}.keys()
    checks = {name: check for name, (_, check) in table.items()}

    def check_struct(value: IonValue) -> None:
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

    return check_struct


def _revision(value: IonValue) -> None:
    if type(value) is not dict:
        raise _no_struct(value)
    if len(value) == 1 and "hash" in value:  # an item of the system's own tables
        _named(_hash, value["hash"], ".hash")
        return
    _whole_revision(value)
    if "data" in value and "dataHash" in value:
        raise BlockFormatError(".dataHash", "stands beside data: a revision has one of them at most")


def _checked(value: IonValue) -> None:
    """Of a field that was looked at before."""


_address = _struct_with({"strandId": (True, _string), "sequenceNo": (True, _count)})
_METADATA: Fields = {
    "id": (True, _string),
    "version": (True, _count),
    "txTime": (True, _timestamp),
    "txId": (True, _string),
}
_whole_revision = _struct_with(
    {
        "blockAddress": (True, _address),
        "hash": (True, _hash),
        "data": (False, _document),
        "dataHash": (False, _hash),
        "metadata": (True, _struct_with(_METADATA)),
    }
)
_STATEMENT: Fields = {"statement": (True, _string), "startTime": (True, _timestamp), "statementDigest": (True, _hash)}
_DOCUMENT: Fields = {"tableName": (True, _string), "tableId": (True, _string), "statements": (True, _list_of(_count))}
_TRANSACTION_INFO: Fields = {
    "statements": (False, _list_of(_struct_with(_STATEMENT))),
    "documents": (False, _struct_of_any_names(_struct_with(_DOCUMENT))),
}
_REDACTION: Fields = {
    "blockAddress": (True, _address),
    "tableId": (True, _string),
    "documentId": (True, _string),
    "version": (True, _count),
}
_block = _struct_with(
    {
        "blockAddress": (True, _checked),
        "transactionId": (True, _string),
        "blockTimestamp": (True, _timestamp),
        "blockHash": (True, _hash),
        "entriesHash": (True, _hash),
        "previousBlockHash": (True, _hash_or_empty),
        "entriesHashList": (True, _list_of(_hash)),
        "transactionInfo": (False, _struct_with(_TRANSACTION_INFO)),
        "redactionInfo": (False, _struct_with({"revisions": (True, _list_of(_struct_with(_REDACTION)))})),
        "revisions": (False, _list_of(_revision)),
    }
)
