"""Writes and checks evidence of a verification: which files were read, what was found, who signed it, and when.

::

    report.json       what was found, in canonical JSON (RFC 8785), with the SHA-256 of every input file; of a ledger,
                      with the blocks that were read and the digest over them
    report.json.sig   the Ed25519 signature of that file: 64 bytes
    report.json.pub   the public key, PEM
    report.json.tsr   the answer of a time stamping authority (RFC 3161) for that file

openssl alone can check all of it; docs/audit.md has the commands.  Signing needs the extra ``evidence``.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from ..extras import install_command
from ..journal.model import BlockAddress
from ..records import dataclass
from .audit import JournalReport, plural
from .checks import show
from .containers import Container, DamagedError, SourceError
from .sources import Journal

FORMAT, FORMAT_VERSION = "qldb-emulator verification", 1
SIGNATURE, PUBLIC_KEY, TIME_STAMP = ".sig", ".pub", ".tsr"
REPORT_BYTES_MAX = 1 << 30
TIME_STAMP_BYTES_MAX = 1 << 20
TIME_STAMP_SECONDS = 30
_READ_BYTES = 1 << 20
_QLDB_END = "2025-07-31"


class EvidenceError(Exception):
    """A report cannot be made or read.  Its text is a sentence for the user."""


def _extra(error: ImportError) -> EvidenceError:
    return EvidenceError(f"signing and time stamps need: {install_command('evidence')} ({error})")


# --- What is said --------------------------------------------------------------------------------------------


def input_files(container: Container, journal: Journal) -> list[dict[str, Any]]:
    """Return name, size and SHA-256 of every file that a verification of the journal reads.  Raises SourceError."""
    names = [*(manifest.name for manifest in journal.manifests), *(part.name for part in journal.parts)]
    return [_hashed(container, name) for name in dict.fromkeys(names)]


def _hashed(container: Container, name: str) -> dict[str, Any]:
    found, size = sha256(), 0
    try:
        with container.open(name) as stream:
            while data := stream.read(_READ_BYTES):
                found.update(data)
                size += len(data)
    except DamagedError as error:
        raise SourceError(f"{name} cannot be read to its end, so it has no SHA-256: {error}") from error
    return {"name": name, "size": size, "sha256": found.hexdigest()}


Blocks = dict[str, Any]
"""The blocks that a report on a ledger is about, for JSON; see ``blocks_of``."""

LedgerSource = Literal["ledger file", "server"]
DigestSource = Literal["kept", "server"]


def blocks_of(report: JournalReport, source: LedgerSource, digest_from: DigestSource | None) -> Blocks:
    """Return the blocks that were read, for a report on a ledger.  A report on files has their SHA-256 instead.

    A ledger's file changes with the next commit, so a hash of it could not be checked later.  The hashes of blocks
    never change, not even by a redaction, and the digest covers all of them.

    source: where the blocks were read.  digest_from: the origin of the digest with which the journal was compared.
    """
    found = report.verification
    return {
        "read_from": source,
        "strand_id": report.strand_id,
        "first_block": None if found.first is None else found.first.sequence_no,
        "last_block": None if found.last is None else found.last.sequence_no,
        "last_block_hash": None if found.last_block_hash is None else show(found.last_block_hash),
        "digest": None if found.digest is None else show(found.digest),
        "no_digest_because": found.digest_problem,
        "compared_with_digest_from": digest_from,
    }


def statement(
    report: JournalReport, inputs: list[dict[str, Any]], made: str, program: str, blocks: Blocks | None = None
) -> bytes:
    """Return a report as canonical JSON, which is what is signed.

    inputs: the files that were read, from ``input_files``.  blocks: for a ledger, from ``blocks_of``; None for files.
    made: the time, as text.  program: name and version.
    """
    says = _claims(report) if blocks is None else _claims_of_ledger(report, blocks)
    return canonical(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "program": program,
            "made": made,
            "says": [*says, _SIGNATURES],
            "inputs": inputs,
            **({} if blocks is None else {"blocks": blocks}),
            "report": report.as_dict(),
        }
    )


_BROKEN = "The journal is broken: the findings say where."
_SIGNATURES = "A signature says who signed; a time stamp says that it was signed no later than then."


def _claims(report: JournalReport) -> Iterator[str]:
    """What a report on files means, and what it does not."""
    check = report.digest_check
    if report.verdict == "broken":
        yield _BROKEN
    elif check is not None and check.ok:
        yield (
            f"The journal leads to the digest {show(check.expected)}. If that digest was taken from QLDB before "
            f"{_QLDB_END} and kept where it could not be changed, every block up to its tip is as it was then."
        )
    else:
        yield (
            "The journal agrees with itself. No digest that was saved while QLDB ran is part of this report, so it "
            "proves that the files are unchanged since it was signed, and nothing about the time before."
        )


def _claims_of_ledger(report: JournalReport, blocks: Blocks) -> Iterator[str]:
    """What a report on a ledger means, and what it does not."""
    check, digest_from = report.digest_check, blocks["compared_with_digest_from"]
    unchanged = "so it proves that these blocks are unchanged since it was signed, and nothing about the time before."
    if report.verdict == "broken":
        yield _BROKEN
    elif check is not None and check.ok and digest_from == "kept":
        yield (
            f"The journal leads to the digest {show(check.expected)}. If that digest was kept where it could not be "
            "changed, every block up to its tip is as it was when the digest was taken."
        )
    elif check is not None and check.ok:
        yield (
            f"The journal leads to the digest {show(check.expected)}, which the same server gave when its blocks were "
            f"read. No digest that was kept from earlier is part of this report, {unchanged}"
        )
    else:
        yield (
            "The journal agrees with itself. No digest that was kept from earlier was found to be its digest, "
            f"{unchanged}"
        )
    yield from _what_stands_for_files(blocks)


def _what_stands_for_files(blocks: Blocks) -> Iterator[str]:
    span = f"the blocks {blocks['first_block']} to {blocks['last_block']} of strand {blocks['strand_id']}"
    yield (
        f"The source is a ledger, which goes on changing. So no file was hashed, and the report is about {span} and "
        "about no later ones."
    )
    if blocks["digest"] is not None:
        yield (
            f"The digest {blocks['digest']} covers each of these blocks. The ledger, a copy or an export leads to the "
            "same digest as long as these blocks are unchanged."
        )
    elif blocks["last_block_hash"] is not None:
        yield (
            f"There is no digest over these blocks: {blocks['no_digest_because']}. The last block has the hash "
            f"{blocks['last_block_hash']}. If the journal is not broken, it covers the blocks before, because each "
            "block names the hash of the one before it."
        )
    if blocks["read_from"] == "server":
        yield "Only blocks were read from the server. What its queries read was not compared with them."
    else:
        yield (
            "What queries read was compared with these blocks when the report was made. The digest does not cover it: "
            "only the ledger itself can be compared again. Nothing covers names, tags, modes and the state of streams "
            "and exports, which are not in a journal."
        )


def canonical(value: Any) -> bytes:
    r"""Return JSON in the form of RFC 8785: sorted names, no blanks, UTF-8.  value: its numbers are integers.

    A file's name may have bytes that are no UTF-8.  Python keeps them as lone surrogates; each becomes JSON's escape
    for it, such as \udcff, which reads back as the same name.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


# --- Signing -------------------------------------------------------------------------------------------------


def sign(data: bytes, key_pem: bytes) -> tuple[bytes, bytes]:
    """Return the Ed25519 signature of data, and the public key as PEM.

    key_pem: a private key in the form of ``openssl genpkey -algorithm ed25519``.  Raises EvidenceError.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    except ImportError as error:
        raise _extra(error) from error
    try:
        key = load_pem_private_key(key_pem, None)
    except TypeError as error:
        raise EvidenceError("the key is encrypted: decrypt it first (openssl pkey -in KEY -out PLAIN)") from error
    except ValueError as error:
        raise EvidenceError("the key is not a private key in PEM form") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError("the key is not an Ed25519 key (openssl genpkey -algorithm ed25519 makes one)")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.sign(data), public


def is_signed(data: bytes, signature: bytes, public_pem: bytes) -> bool:
    """Whether the signature was made of this data with this key.  Raises EvidenceError if the key cannot be read."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise _extra(error) from error
    try:
        key = load_pem_public_key(public_pem)
    except ValueError as error:
        raise EvidenceError("the public key is not a key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise EvidenceError("the public key is not an Ed25519 key")
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


# --- Time stamps ---------------------------------------------------------------------------------------------


def time_stamp(data: bytes, url: str) -> bytes:
    """Have data stamped by an authority (RFC 3161 over HTTP).  Return its answer.  Raises EvidenceError."""
    try:
        import rfc3161_client as library
    except ImportError as error:
        raise _extra(error) from error
    if not url.startswith(("http://", "https://")):
        raise EvidenceError(f"{url!r} is not a URL of a time stamping authority: http:// or https:// is expected")
    asked = library.TimestampRequestBuilder().data(data).hash_algorithm(library.HashAlgorithm.SHA256).build()
    request = urllib.request.Request(
        url, asked.as_bytes(), {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIME_STAMP_SECONDS) as answer:
            found: bytes = answer.read(TIME_STAMP_BYTES_MAX)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise EvidenceError(f"the time stamping authority {url} does not answer: {reason}") from error
    response = _response(found)
    if response.tst_info.message_imprint.message != sha256(data).digest():
        raise EvidenceError(f"the time stamping authority {url} stamped something else")
    if response.tst_info.nonce != asked.nonce:
        raise EvidenceError(f"the time stamping authority {url} answered another request")
    return found


def _response(answer: bytes) -> Any:
    try:
        import rfc3161_client as library
    except ImportError as error:
        raise _extra(error) from error
    try:
        response = library.decode_timestamp_response(_with_sorted_certificates(answer))
        if response.status not in (0, 1):
            raise EvidenceError(f"the time stamping authority refused: status {response.status}")
        _ = response.tst_info
    except ValueError as error:
        raise EvidenceError(f"not the answer of a time stamping authority: {error}") from error
    return response


def _with_sorted_certificates(answer: bytes) -> bytes:
    """Return the answer with its certificates in the order that DER requires.

    OpenSSL and the authorities that use it do not sort them, and the library refuses that.  No signature covers their
    order, so sorting changes nothing that is proved.  Raises ValueError.
    """
    try:
        from asn1crypto import tsp
    except ImportError as error:
        raise _extra(error) from error
    token = tsp.TimeStampResp.load(answer)["time_stamp_token"]
    certificates = token["content"]["certificates"] if token.native is not None else None
    if not certificates:
        return answer
    unsorted = [each.dump() for each in certificates]
    return answer.replace(b"".join(unsorted), b"".join(sorted(unsorted)), 1)


def stamped_time(data: bytes, answer: bytes, roots_pem: bytes | None) -> str:
    """Return the time in a stamp, after checking that the stamp is of this data.

    roots_pem: certificates of trusted authorities; None: the authority is not checked.  Raises EvidenceError.
    """
    response = _response(answer)
    if response.tst_info.message_imprint.message != sha256(data).digest():
        raise EvidenceError("the time stamp is of another report")
    if roots_pem is not None:
        from cryptography.x509 import load_pem_x509_certificates
        from rfc3161_client import VerificationError, VerifierBuilder

        try:
            builder = VerifierBuilder()
            for certificate in load_pem_x509_certificates(roots_pem):
                builder = builder.add_root_certificate(certificate)
            builder.build().verify_message(response, data)
        except (ValueError, VerificationError) as error:
            raise EvidenceError(f"the time stamp cannot be verified: {error}") from error
    return str(response.tst_info.gen_time)


# --- Checking ------------------------------------------------------------------------------------------------

State = Literal["held", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """The check of one statement of a report.  text: the result, in a sentence."""

    name: str
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A report and the files beside it.

    data: the report as it was read.  says: its members.  signature, public_key, stamp: None without such a file.
    """

    data: bytes
    says: dict[str, Any]
    signature: bytes | None
    public_key: bytes | None
    stamp: bytes | None


def read_evidence(path: Path) -> Evidence:
    """Read a report with its signature, key and time stamp.  Raises EvidenceError."""
    try:
        data = path.read_bytes() if path.stat().st_size <= REPORT_BYTES_MAX else b""
        says = json.loads(data)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{path} is not a report: {error}") from error
    if not isinstance(says, dict) or says.get("format") != FORMAT:
        raise EvidenceError(f"{path} is not a report of a verification (verify --report writes one)")
    if says.get("format_version") != FORMAT_VERSION:
        raise EvidenceError(f"{path} has version {says.get('format_version')}; this program knows {FORMAT_VERSION}")
    return Evidence(data, says, *(_beside(path, suffix) for suffix in (SIGNATURE, PUBLIC_KEY, TIME_STAMP)))


def _beside(path: Path, suffix: str) -> bytes | None:
    other = path.with_name(path.name + suffix)
    try:
        return other.read_bytes() if other.exists() else None
    except OSError as error:
        raise EvidenceError(f"{other} cannot be read: {error.strerror}") from error


def check_seal(evidence: Evidence, trusted_key: bytes | None, roots: bytes | None) -> Iterator[EvidenceCheck]:
    """Check the form, the signature and the time stamp.

    trusted_key: the public key of the expected signer, PEM.  roots: certificates of trusted authorities, PEM.
    """
    is_canonical = canonical(evidence.says) == evidence.data
    yield EvidenceCheck(
        "form", "held" if is_canonical else "failed", "canonical JSON" if is_canonical else "not canonical JSON"
    )
    yield _check_signature(evidence, trusted_key)
    yield _check_stamp(evidence, roots)


def _check_signature(evidence: Evidence, trusted_key: bytes | None) -> EvidenceCheck:
    key = trusted_key or evidence.public_key
    if evidence.signature is None:
        state: State = "failed" if trusted_key is not None else "not checked"
        return EvidenceCheck("signature", state, "there is no signature beside the report")
    if key is None:
        return EvidenceCheck("signature", "not checked", "there is no public key: name it with --key")
    try:
        if not is_signed(evidence.data, evidence.signature, key):
            return EvidenceCheck("signature", "failed", "the signature is not that of this report by this key")
    except EvidenceError as error:
        return EvidenceCheck("signature", "failed", str(error))
    if trusted_key is None:
        text = "it is that of the key beside the report; whose key that is, only a key of your own can tell (--key)"
        return EvidenceCheck("signature", "not checked", text)
    return EvidenceCheck("signature", "held", "the report was signed with this key")


def _check_stamp(evidence: Evidence, roots: bytes | None) -> EvidenceCheck:
    if evidence.stamp is None:
        state: State = "failed" if roots is not None else "not checked"
        return EvidenceCheck("time stamp", state, "there is no time stamp beside the report")
    try:
        time = stamped_time(evidence.data, evidence.stamp, roots)
    except EvidenceError as error:
        return EvidenceCheck("time stamp", "failed", str(error))
    if roots is None:
        text = f"it says {time}; whether the authority is one to trust, its certificates tell (--ca)"
        return EvidenceCheck("time stamp", "not checked", text)
    return EvidenceCheck("time stamp", "held", f"the report existed at {time}")


def check_inputs(evidence: Evidence, found: list[dict[str, Any]]) -> EvidenceCheck:
    """Check that the files are those of the report.  found: from input_files."""
    expected = {each["name"]: each for each in evidence.says["inputs"]}
    actual = {each["name"]: each for each in found}
    wrong = sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return EvidenceCheck("inputs", "failed", f"{wrong[0]}{more}: not the file that was read for the report")
    return EvidenceCheck("inputs", "held", f"{len(actual)} files have the SHA-256 that the report names")


_REPEATED = ("verdict", "strand_id", "files", "forms", "journal", "digest_check", "not_proved", "notes")


def check_again(evidence: Evidence, report: JournalReport) -> EvidenceCheck:
    """Check that a second verification has the same result.  report: on the same files with the same digest."""
    expected, found = evidence.says["report"], json.loads(json.dumps(report.as_dict()))
    wrong = [name for name in _REPEATED if expected.get(name) != found[name]]
    if wrong:
        return EvidenceCheck("verification", "failed", f"made again, it differs in: {', '.join(wrong)}")
    return EvidenceCheck("verification", "held", f"made again, it says the same: the journal is {report.verdict}")


def check_blocks(evidence: Evidence, report: JournalReport) -> EvidenceCheck:
    """Check that a journal has the blocks that a report on a ledger is about.

    report: on the journal as it is now, compared with the digest of ``digest_of_blocks``.
    """
    blocks, check, last = evidence.says["blocks"], report.digest_check, report.verification.last
    span = f"blocks {blocks['first_block']} to {blocks['last_block']}"
    if check is None:
        text = f"the report has no digest to compare with: {blocks['no_digest_because']}"
        return EvidenceCheck("blocks", "not checked", text)
    if check.ok and report.strand_id == blocks["strand_id"]:
        since = 0 if last is None else last.sequence_no - blocks["last_block"]
        more = f"; {plural(since, 'block', 'were')} added since" if since else ""
        return EvidenceCheck("blocks", "held", f"{span} lead to the digest that the report names{more}")
    if check.found is None and report.strand_id == blocks["strand_id"] and not _is_shorter(last, blocks):
        return EvidenceCheck("blocks", "not checked", f"the digest could not be computed: {check.problem}")
    return EvidenceCheck("blocks", "failed", f"{span} are not those that were read for the report")


def _is_shorter(last: BlockAddress | None, blocks: Blocks) -> bool:
    return last is None or last.sequence_no < blocks["last_block"]


def check_ledger_again(evidence: Evidence, report: JournalReport) -> EvidenceCheck:
    """Check that a second verification agrees: both find the journal broken, or neither does.

    Numbers of blocks and revisions are not compared: a ledger has more of them later.
    """
    said, found = evidence.says["report"]["verdict"], report.verdict
    if (said == "broken") != (found == "broken"):
        return EvidenceCheck("verification", "failed", f"made again, it says: the journal is {found}, not {said}")
    return EvidenceCheck("verification", "held", f"made again, it says: the journal is {found}")


def digest_of_blocks(evidence: Evidence) -> tuple[str | None, dict[str, Any] | None]:
    """Return the digest over the blocks that a report on a ledger is about, in base64, and its tip."""
    blocks = evidence.says["blocks"]
    if blocks["digest"] is None:
        return None, None
    return blocks["digest"], {"strand_id": blocks["strand_id"], "sequence_no": blocks["last_block"]}


def digest_of(evidence: Evidence) -> tuple[str | None, dict[str, Any] | None]:
    """Return the digest with which the journal was compared for the report, in base64, and its tip."""
    check = evidence.says["report"].get("digest_check")
    return (None, None) if check is None else (check["expected"], check["tip"])


def overall(checks: Iterable[EvidenceCheck]) -> Literal["whole", "incomplete", "broken"]:
    """Return the verdict that follows from all checks."""
    states = {check.state for check in checks}
    return "broken" if "failed" in states else "incomplete" if "not checked" in states else "whole"
