"""What must hold inside one block, and between it and the one before.

Everything is derived again from the block's own values; nothing of the code that writes blocks is used but the hash
primitives.  A check that fails is a :class:`Finding`.

Two kinds of blocks (``own``):

- blocks of the *service*: checked as the official verifiers do, by membership in ``entriesHashList``.  Two of its
  entries are internals that cannot be recomputed, so only the chain covers ``blockTimestamp`` and ``transactionId``.
- blocks of *ours*: every entry is known, so any altered field is found.  Which kind a block is shows in its entries.

Checks of files (``manifest``, ``file``) and of a whole journal (``digest``) are made in ``audit``, those of a ledger's
file (``nodes``, ``tables``, ``storage``) in ``ledger``; ``audit.CHECKS`` has them all in sentences for a report.

============  ====================================================================================  ================
check         what must hold                                                                        source
============  ====================================================================================  ================
format        the value has the names and types of a block                                          recorded
blockHash     blockHash = entriesHash . previousBlockHash                                            recorded
entriesHash   entriesHash = Merkle root over entriesHashList                                         recorded
link          previousBlockHash = blockHash of the block before                                      recorded
sequence      sequenceNo = that of the block before, plus one                                        documented
strand        strandId = that of the block before                                                    documented
info          h(transactionInfo) is in entriesHashList                                               recorded
redaction     h(redactionInfo) is in entriesHashList                                                 sample
revisions     the Merkle root over the revision hashes is in entriesHashList                         recorded
revision      hash = h(metadata) . h(data), or . dataHash, or one of the forms of a deletion         recorded
address       a revision's blockAddress = the block's                                                recorded
transaction   a revision's txId = the block's transactionId                                          recorded
statement     statementDigest = h(statement), where no parameter can have had a part in it           recorded
version       a document's versions count up by one (only with a table of versions)                  documented
header        ours: entry 0 = h({blockAddress, transactionId, blockTimestamp})                       ours
statements    ours: the entry after it = Merkle root over the statement digests                      ours
layout        ours: the entries are exactly those the block's parts call for, in their order         ours
order         ours: system items by hash, then revisions by document id                              ours
documents     ours: transactionInfo names exactly the documents that have a revision                 ours
times         ours: startTime <= txTime <= blockTimestamp, one txTime, milliseconds in UTC           ours
============  ====================================================================================  ================
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import field, replace
from operator import attrgetter

from ..ion.hash import hash_value
from ..ion.values import IonValue, Timestamp
from ..journal import hashing, merkle
from ..journal.model import Block, BlockAddress, Struct
from ..journal.stored import StoredBlock
from ..records import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed.

    check: a name of the table above.  address: of the block, None when it could not be read.
    expected, found: as text, hashes in base64.  detail: which part of the block.
    table, document, version: of the revision that it is about, if it is about one; version None for a document as such.
    """

    check: str
    address: BlockAddress | None
    expected: str
    found: str
    detail: str = ""
    table: str = ""
    document: str = ""
    version: int | None = None

    @property
    def subject(self) -> str:
        """The revision or document that it is about, in words; empty when it is about none."""
        if not self.document:
            return ""
        table = f"table {self.table}, " if self.table else ""
        version = "" if self.version is None else f", version {self.version}"
        return f"{table}document {self.document}{version}"

    def __str__(self) -> str:
        where = "block at an unknown address" if self.address is None else f"block {self.address.sequence_no}"
        parts = "; ".join(part for part in (self.detail, self.subject) if part)
        detail = f" ({parts})" if parts else ""
        return f"{where}: {self.check}{detail}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class Counts:
    """How much was looked at.

    entries: of entriesHashLists.  revisions: with data; of these data_unproven lost types to JSON that the hash needs.
    deletions: without; of these deletions_unproven have a hash of no known form (the service's is not known, so that
    is no finding there).  redacted: with dataHash.
    system_items: of which only the hash is given.
    statements: all; digests_checked and digests_unknown: whether a digest could be computed without the parameters.
    """

    blocks: int = 0
    entries: int = 0
    revisions: int = 0
    data_unproven: int = 0
    deletions: int = 0
    deletions_unproven: int = 0
    redacted: int = 0
    system_items: int = 0
    statements: int = 0
    digests_checked: int = 0
    digests_unknown: int = 0


@dataclass(slots=True)
class Inspection:
    """One look at one block: what is wrong, and how much was looked at.

    types_lost: the block went through JSON, so that user data may not hash to what it did.
    known: check -> the entry of entriesHashList that can be computed for it.
    data_hashes: id() of a revision -> the Ion Hash of its data.
    sections: how many findings there were after each section of checks, in the order of inspect_block.
    """

    block: Block
    own: bool
    counts: Counts
    types_lost: bool = False
    findings: list[Finding] = field(default_factory=list)
    known: dict[str, bytes] = field(default_factory=dict)
    sections: list[int] = field(default_factory=list)
    data_hashes: dict[int, bytes] = field(default_factory=dict)

    def expect(self, check: str, expected: object, found: object, detail: str = "") -> bool:
        """Note a finding unless both are equal.  Whether they are."""
        if expected == found:
            return True
        self.report(check, show(expected), show(found), detail)
        return False

    def report(self, check: str, expected: str, found: str, detail: str = "") -> None:
        self.findings.append(Finding(check, self.block.address, expected, found, detail))


def show(value: object) -> str:
    """A value as text in a finding: hashes in base64."""
    if isinstance(value, bytes):
        return b64encode(value).decode() if value else "an empty hash"
    return str(value)


def check_block(block: Block, previous: Block | None = None, own: bool | None = None) -> list[Finding]:
    """Everything that is wrong with a block.

    previous: the block before it, if known.  own: whether it is one of ours, as far as the caller knows (see is_own).
    """
    return inspect_block(block, previous, is_own(block) if own is None else own, Counts()).findings


def inspect_block(
    block: Block,
    previous: Block | StoredBlock | None,
    own: bool,
    counts: Counts,
    types_lost: bool = False,
    at_start: bool = True,
) -> Inspection:
    """Run every check on a block, adding to *counts*.

    at_start: whether a block without a previous one is the first of its journal, and not the first of a segment.
    """
    look = Inspection(block, own, counts, types_lost)
    counts.blocks += 1
    counts.entries += len(block.entries_hash_list)
    if previous is not None:
        look.findings += link_findings(previous.address, previous.block_hash, block.address, block.previous_block_hash)
    elif own and at_start:
        look.findings += start_findings(block.address, block.previous_block_hash)
    look.sections.append(len(look.findings))
    _check_chain(look)
    look.sections.append(len(look.findings))
    look.known.update(_known_entries(block))
    _check_entries(look)
    look.sections.append(len(look.findings))
    for position, revision in enumerate(block.revisions or ()):
        _check_revision(look, revision, f"revisions[{position}]")
    look.sections.append(len(look.findings))
    _check_statements(look)
    if own:
        _check_own(look)
    return look


def findings_if_own(look: Inspection) -> list[Finding]:
    """What would be wrong with a block that was inspected as one of the service's, were it one of ours.

    Only a block before it can show whose it is, and a segment of a journal does not have that block.
    """
    linked, chained, entered, revised = look.sections
    other = Inspection(look.block, True, Counts(), look.types_lost, known=look.known)
    _check_entries(other)
    revisions = look.block.revisions or ()
    if any("metadata" in each and "data" not in each and "dataHash" not in each for each in revisions):
        for position, revision in enumerate(revisions):  # the hash of a deletion is known in blocks of ours alone
            _check_revision(other, revision, f"revisions[{position}]")
    else:
        other.findings += look.findings[entered:revised]
    other.findings += look.findings[revised:]
    _check_own(other)
    return [*look.findings[linked:chained], *other.findings]


def link_findings(
    previous: BlockAddress, previous_hash: bytes, address: BlockAddress, previous_block_hash: bytes
) -> list[Finding]:
    """What is wrong between two blocks: sequence, strand, link.

    previous, previous_hash: address and blockHash of the block before; previous_block_hash: as the block names it.
    """
    pairs: tuple[tuple[str, object, object], ...] = (
        ("sequence", previous.sequence_no + 1, address.sequence_no),
        ("strand", previous.strand_id, address.strand_id),
        ("link", previous_hash, previous_block_hash),
    )
    return [Finding(check, address, show(one), show(other)) for check, one, other in pairs if one != other]


def start_findings(address: BlockAddress, previous_block_hash: bytes) -> list[Finding]:
    """What is wrong with the beginning of a journal of ours, whose first block this is."""
    if address.sequence_no or not previous_block_hash:
        return []
    detail = "nothing is before the first block"
    return [Finding("link", address, show(b""), show(previous_block_hash), detail)]


def is_own(block: Block) -> bool:
    """Whether a block is one of ours: its header entry or its statements entry has our formula.

    Either suffices, anywhere in the list, so that an altered block of ours does not pass for one of the service.
    """
    if _header(block) in block.entries_hash_list:
        return True
    info = block.transaction_info
    if info is None or (not info.get("statements") and info != {}):
        return False
    return hashing.statements_hash(_statement_digests(block)) in block.entries_hash_list


# --- The chain and the entries -----------------------------------------------------------------------------


def _check_chain(look: Inspection) -> None:
    block = look.block
    look.expect("blockHash", hashing.dot(block.entries_hash, block.previous_block_hash), block.block_hash)
    look.expect("entriesHash", merkle.root(block.entries_hash_list), block.entries_hash)


def _check_entries(look: Inspection) -> None:
    if look.own:
        _check_layout(look)
        return
    entries = look.block.entries_hash_list
    for check, hash_ in look.known.items():
        if hash_ not in entries:
            look.report(check, f"{show(hash_)} in entriesHashList", "not there")


def _known_entries(block: Block) -> Iterable[tuple[str, bytes]]:
    if block.revisions is not None:  # an empty list has the empty root, which no list holds: the field must be absent
        yield "revisions", merkle.root([revision["hash"] for revision in block.revisions])
    if block.transaction_info is not None:
        yield "info", hashing.transaction_info_hash(block.transaction_info)
    if block.redaction_info is not None:
        yield "redaction", hash_value(block.redaction_info)


def _check_layout(look: Inspection) -> None:
    block = look.block
    known = look.known
    expected = [("header", _header(block))]
    if "revisions" in known:
        expected.append(("revisions", known["revisions"]))
    expected.append(("statements", hashing.statements_hash(_statement_digests(block))))
    expected.extend((check, known[check]) for check in ("info", "redaction") if check in known)
    if block.transaction_info is None:
        look.report("info", "a transactionInfo", "none")
    if tuple(hash_ for _, hash_ in expected) == block.entries_hash_list:
        return  # so far there was no text to be made
    names = ", ".join(check for check, _ in expected)
    if look.expect("layout", len(expected), len(block.entries_hash_list), f"entries for {names}"):
        for position, (check, hash_) in enumerate(expected):
            look.expect(check, hash_, block.entries_hash_list[position], f"entriesHashList[{position}]")


def _header(block: Block) -> bytes:
    return hashing.header_hash(block.address, block.transaction_id, block.timestamp)


def _statements(block: Block) -> list[Struct]:
    statements: list[Struct] = (block.transaction_info or {}).get("statements", [])
    return statements


def _statement_digests(block: Block) -> list[bytes]:
    return [statement["statementDigest"] for statement in _statements(block)]


# --- Revisions and statements ------------------------------------------------------------------------------


def _check_revision(look: Inspection, revision: Struct, where: str) -> None:
    metadata = revision.get("metadata")
    if metadata is None:
        look.counts.system_items += 1
        return
    block = look.block
    address = block.address.to_ion()
    before = len(look.findings)
    if revision["blockAddress"] != address:
        look.expect("address", _address_text(address), _address_text(revision["blockAddress"]), where)
    look.expect("transaction", block.transaction_id, metadata["txId"], where)
    check_revision_hash(look, revision, where)
    if len(look.findings) > before:
        entry = (block.transaction_info or {}).get("documents", {}).get(metadata["id"], {})
        look.findings[before:] = [
            replace(finding, table=entry.get("tableName", ""), document=metadata["id"], version=metadata["version"])
            for finding in look.findings[before:]
        ]


def check_revision_hash(look: Inspection, revision: Struct, where: str) -> None:
    """Recompute a revision's hash from its metadata and data, or what stands in the place of the data."""
    metadata, counts = revision["metadata"], look.counts
    if "data" in revision:
        counts.revisions += 1
        data_hash = look.data_hashes[id(revision)] = hash_value(revision["data"])
        expected = hashing.revision_hash_of(metadata, data_hash)
        if look.types_lost and expected != revision["hash"]:
            counts.data_unproven += 1
            return
        look.expect("revision", expected, revision["hash"], where)
    elif "dataHash" in revision:
        counts.redacted += 1
        expected = hashing.revision_hash_of(metadata, revision["dataHash"])
        look.expect("revision", expected, revision["hash"], f"{where}, redacted")
    elif look.own:
        counts.deletions += 1
        look.expect("revision", hashing.deletion_hash(metadata), revision["hash"], f"{where}, deletion")
    else:
        counts.deletions += 1
        counts.deletions_unproven += revision["hash"] not in hashing.deletion_candidates(metadata).values()


def _check_statements(look: Inspection) -> None:
    for position, statement in enumerate(_statements(look.block)):
        text, counts = statement["statement"], look.counts
        counts.statements += 1
        expected, found = hashing.statement_digest(text), statement["statementDigest"]
        if "?" in text and expected != found:
            counts.digests_unknown += 1  # parameter values are not in a journal
            continue
        counts.digests_checked += 1
        look.expect("statement", expected, found, f"transactionInfo.statements[{position}]")


# --- Ours --------------------------------------------------------------------------------------------------


def _check_own(look: Inspection) -> None:
    revisions = look.block.revisions or ()
    system_items = [revision["hash"] for revision in revisions if "metadata" not in revision]
    documents = [revision["metadata"]["id"] for revision in revisions if "metadata" in revision]
    in_order = all("metadata" in revision for revision in revisions[len(system_items) :])
    if not in_order or system_items != sorted(system_items) or documents != sorted(documents):
        look.report("order", "system items by hash, then revisions by document id", ", ".join(documents))
    named = (look.block.transaction_info or {}).get("documents", {})
    if sorted(named) != sorted(documents):
        look.expect("documents", _names(named), _names(documents), "documents of transactionInfo, of revisions")
    _check_times(look, [revision["metadata"]["txTime"] for revision in revisions if "metadata" in revision])


def _check_times(look: Inspection, tx_times: list[Timestamp]) -> None:
    start_times = [statement["startTime"] for statement in _statements(look.block)]
    times = [*start_times, *tx_times[:1], look.block.timestamp]
    if len(tx_times) > 1 and len(set(tx_times)) > 1:
        look.report("times", "one txTime", ", ".join(sorted(map(str, set(tx_times)))))
    for time in times:
        if time.precision != "second" or len(time.fraction) != 3 or time.offset != 0:
            look.report("times", "milliseconds in UTC", str(time))
            return
    moments = list(map(_moment, times))
    commit = moments[len(start_times) :]
    latest_start = max(moments[: len(start_times)], default=commit[0])
    if not latest_start <= commit[0] <= commit[-1]:
        look.report("times", "startTime <= txTime <= blockTimestamp", " ".join(map(str, times)))


# Of times to the millisecond in UTC this is in the order of time.
_moment = attrgetter("year", "month", "day", "hour", "minute", "second", "fraction")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _address_text(address: IonValue) -> str:
    return f"{address['strandId']} {address['sequenceNo']}"
