"""An export, complete or not, as one sequence of blocks: which files there are, in which order, and what they claim.

Files are taken in this order of trust:

1. what completed manifests list (their keys end like the names here, wherever the export was copied to);
2. further files with a data object's name, ``<strand id>.<first>-<last>.<ext>``;
3. without any such name: every file that begins with a block, in the order of those.

A manifest is no proof of anything, but one that does not fit the files is a finding: something was lost or added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace

from ..ids import ID_LENGTH
from ..ion.codec import IonError
from ..ion.stream import Quick, read_items, read_stream
from ..ion.values import IonValue
from ..journal.exports import COMPLETED, STARTED, data_name
from ..journal.model import BlockAddress
from ..journal.read_stored import read_block
from ..journal.stored import StoredBlock
from ..records import dataclass
from .checks import Finding
from .containers import Container, DamagedError, Item, SourceError
from .json_blocks import is_json_block

# A prefix stands before the export's id with nothing between, so only the id's length tells them apart.
_EXPORT = re.compile(r".*?(?P<export>[0-9A-Za-z]{22})\.(?P<strand>[0-9A-Za-z]+)\Z", re.DOTALL)
_OTHER_DATA = (".ion", ".10n", ".json", ".jsonl", ".ndjson", ".txt")
MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A file with blocks of one strand.  first, last: as its name claims; last is None for a name that claims none."""

    name: str
    size: int
    strand_id: str
    first: int
    last: int | None


Reading = tuple[Part, IonValue | StoredBlock | Finding, bytes | None]
"""The file that a value is from, the value, and its own Ion binary if it has one; or a Finding instead of values.

From ``read_blocks`` a block in the usual form is a StoredBlock.
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A completed manifest.  keys: as it lists them."""

    name: str
    export_id: str
    strand_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """What is to be read of one strand, in order, and what is wrong with the set of files before any is read.

    ledger: the name it had, as far as a manifest tells.
    """

    strand_id: str
    parts: tuple[Part, ...]
    manifests: tuple[Manifest, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    ledger: str = ""

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(part.size for part in self.parts)


@dataclass(slots=True)
class _Listing:
    parts: list[Part] = field(default_factory=list)
    manifests: list[Manifest] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    ledgers: dict[str, str] = field(default_factory=dict)
    others: list[Item] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def journals(container: Container, export_id: str | None = None) -> dict[str, Journal]:
    """The journals in a container, by strand id.  export_id: take only what this export's manifest lists.

    Raises SourceError, also when no file has a block.
    """
    listing = _list(container)
    if export_id is not None:
        listing.manifests = [manifest for manifest in listing.manifests if manifest.export_id == export_id]
        if not listing.manifests:
            raise SourceError(f"{container.description} has no completed manifest of an export {export_id}")
    if not listing.parts:
        listing.parts = _peeked(container, listing.others)
    strands = dict.fromkeys([*(p.strand_id for p in listing.parts), *(m.strand_id for m in listing.manifests)])
    if not strands:
        raise SourceError(f"{container.description} has no file with a journal block")
    found = {strand_id: _journal(strand_id, listing, export_id is not None) for strand_id in strands}
    if listing.findings:
        found = {
            strand_id: replace(journal, findings=(*listing.findings, *journal.findings))
            for strand_id, journal in found.items()
        }
    return found


def choose_journal(container: Container, strand_id: str | None = None, export_id: str | None = None) -> Journal:
    """The one journal of a container, or the one of a strand.  Raises SourceError."""
    found = journals(container, export_id)
    if strand_id is not None and strand_id not in found:
        raise SourceError(f"{container.description} has no strand {strand_id}; it has {', '.join(found)}")
    if strand_id is None and len(found) > 1:
        raise SourceError(
            f"{container.description} has the journals of {len(found)} ledgers; choose one with --strand: "
            f"{', '.join(found)}"
        )
    return found[strand_id] if strand_id is not None else next(iter(found.values()))


def read_values(
    container: Container, journal: Journal, progress: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """Every top-level value of a journal's files in order, and a Finding for each file that cannot be read to its end.

    progress: is told of bytes as they are read.  Raises SourceError.
    """
    return _read(container, journal, progress, None)


def read_blocks(
    container: Container, journal: Journal, progress: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """The same for an ``Audit``: a block in the usual form comes as a StoredBlock, with all its hashes."""
    return _read(container, journal, progress, read_block)


def _read(
    container: Container, journal: Journal, progress: Callable[[int], None] | None, quick: Quick | None
) -> Iterator[Reading]:
    for part in journal.parts:
        is_empty = True
        try:
            with container.open(part.name) as stream:
                read = stream.read if progress is None else _told(stream.read, progress)
                for value, ion in read_items(read, quick=quick):
                    is_empty = False
                    yield part, value, ion
            if is_empty and part.last is not None:
                address = BlockAddress(part.strand_id, part.first)
                finding = Finding("file", address, f"blocks {part.first} to {part.last}", "none", part.name)
                yield part, finding, None
        except (IonError, DamagedError) as error:
            yield part, Finding("file", None, "a stream of Ion values", str(error), part.name), None


def _told(read: Callable[[int], bytes], progress: Callable[[int], None]) -> Callable[[int], bytes]:
    def told(size: int) -> bytes:
        data = read(size)
        progress(len(data))
        return data

    return told


# --- What is there -------------------------------------------------------------------------------------------


def _list(container: Container) -> _Listing:
    listing = _Listing()
    for item in container.items():
        base = item.name.rsplit("/", 1)[-1]
        name = data_name(item.name)
        if base.startswith("._") or "__MACOSX" in item.name:
            continue  # what archivers of one system add to every zip
        if base.endswith(COMPLETED):
            _read_manifest(container, item, listing)
        elif base.endswith(STARTED):
            listing.started.append(base.removesuffix(STARTED)[-ID_LENGTH:])
            listing.ledgers[listing.started[-1]] = _ledger_name(container, item)
        elif name is not None:
            listing.parts.append(Part(item.name, item.size, name.strand_id, name.first, name.last))
        else:
            listing.others.append(item)
    return listing


def _ledger_name(container: Container, item: Item) -> str:
    """The ledger's name in a started manifest; empty when that cannot be read, for no check rests on it."""
    try:
        with container.open(item.name) as stream:
            value = next(read_stream(stream.read, MANIFEST_BYTES), None)
    except (IonError, DamagedError):
        return ""
    name = value.get("ledgerName") if isinstance(value, dict) else None
    return name if type(name) is str else ""


def _read_manifest(container: Container, item: Item, listing: _Listing) -> None:
    base = item.name.rsplit("/", 1)[-1].removesuffix(COMPLETED)
    match = _EXPORT.match(base)
    if match is None:
        listing.findings.append(
            Finding("manifest", None, "a name with an export's and a strand's id", base or "none", item.name)
        )
        return
    try:
        with container.open(item.name) as stream:
            values = list(read_stream(stream.read, MANIFEST_BYTES))
    except (IonError, DamagedError) as error:
        listing.findings.append(Finding("manifest", None, "one Ion struct", str(error), item.name))
        return
    keys = values[0].get("keys") if len(values) == 1 and isinstance(values[0], dict) else None
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        listing.findings.append(Finding("manifest", None, "a struct with a list of keys", "something else", item.name))
        return
    listing.manifests.append(Manifest(item.name, match["export"], match["strand"], tuple(keys)))


def _peeked(container: Container, others: Iterable[Item]) -> list[Part]:
    """Files whose names say nothing, by the block they begin with."""
    candidates = list(others)
    if len(candidates) > 1:
        candidates = [item for item in candidates if item.name.lower().endswith(_OTHER_DATA)]
    parts = []
    for item in candidates:
        try:
            with container.open(item.name) as stream:
                first = next(read_stream(stream.read), None)
        except (IonError, DamagedError) as error:
            if len(candidates) == 1:
                raise SourceError(f"{container.description} is not a journal: {error}") from error
            continue
        address = address_of(first)
        if address is not None:
            parts.append(Part(item.name, item.size, address.strand_id, address.sequence_no, None))
    return parts


def address_of(value: IonValue | StoredBlock) -> BlockAddress | None:
    """The address of what may be a block, as far as it has one."""
    if type(value) is StoredBlock:
        return value.address
    address = value.get("blockAddress") if isinstance(value, dict) else None
    if not isinstance(address, dict):
        return None
    strand_id, sequence_no = address.get("strandId"), address.get("sequenceNo")
    if type(strand_id) is str and type(sequence_no) is int and sequence_no >= 0:
        return BlockAddress(strand_id, sequence_no)
    return None


def form_of(value: IonValue | StoredBlock) -> str:
    """Whether a block came as JSON or as Ion."""
    return "JSON" if is_json_block(value) else "Ion"


# --- What it makes -------------------------------------------------------------------------------------------


def _journal(strand_id: str, listing: _Listing, only_listed: bool) -> Journal:
    parts = [part for part in listing.parts if part.strand_id == strand_id]
    manifests = tuple(manifest for manifest in listing.manifests if manifest.strand_id == strand_id)
    findings: list[Finding] = []
    notes: list[str] = []
    listed: dict[str, Part] = {}
    for manifest in manifests:
        listed.update(_listed(manifest, parts, findings))
    unlisted = [part for part in parts if part.name not in listed]
    if only_listed:
        parts = list(listed.values())
    elif manifests and unlisted:
        unfinished = set(listing.started) - {manifest.export_id for manifest in manifests}
        if unfinished:
            notes.append(f"{len(unlisted)} files are listed by no manifest; an export was not completed here")
        else:
            for part in unlisted:
                where = BlockAddress(strand_id, part.first)
                findings.append(Finding("manifest", where, "every file listed", "one that is not", part.name))
    parts.sort(key=lambda part: (part.first, part.name))
    names = dict.fromkeys(filter(None, (listing.ledgers.get(manifest.export_id, "") for manifest in manifests)))
    return Journal(strand_id, tuple(parts), manifests, tuple(findings), tuple(notes), ", ".join(names))


def _listed(manifest: Manifest, parts: list[Part], findings: list[Finding]) -> dict[str, Part]:
    """The files a manifest lists.  Keys that have no file, and keys out of order, are findings."""
    by_base: dict[str, list[Part]] = {}
    for part in parts:
        by_base.setdefault(part.name.rsplit("/", 1)[-1], []).append(part)
    found: dict[str, Part] = {}
    last = -1
    for key in manifest.keys:
        claim = data_name(key)
        address = None if claim is None else BlockAddress(manifest.strand_id, claim.first)
        candidates = by_base.get(key.rsplit("/", 1)[-1], [])
        if not candidates:
            findings.append(Finding("manifest", address, f"the file {key}", "none", manifest.name))
            continue
        part = max(candidates, key=lambda part: _common_end(part.name, key))
        if part.name in found:
            findings.append(Finding("manifest", address, "every file listed once", f"{key} twice", manifest.name))
        if claim is not None and claim.first <= last:
            findings.append(
                Finding("manifest", address, f"keys in the order of their blocks, after {last}", key, manifest.name)
            )
        if claim is not None:
            last = max(last, claim.last)
        found[part.name] = part
    return found


def _common_end(name: str, key: str) -> int:
    """How many folders and names at their ends agree."""
    count = 0
    for one, other in zip(reversed(name.split("/")), reversed(key.split("/")), strict=False):
        if one != other:
            break
        count += 1
    return count
