"""``qldb-emulator verify-receipt``: a saved revision or block, its proof and a digest, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .options import Unreadable

if TYPE_CHECKING:
    from ..verify import ReceiptReport

RECEIPT_BYTES = 64 * 1024 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="Exit code: 0 the receipt holds, 1 it does not, 2 wrong usage, 3 a file could not be read.  "
    "Files hold Ion, or the JSON answers of GetRevision, GetBlock and GetDigest as the AWS CLI prints them."
)
@click.option("--revision", type=_FILE, help="A revision, or GetRevision's answer.")
@click.option("--block", type=_FILE, help="A block, or GetBlock's answer.")
@click.option("--hash", "leaf", metavar="HASH", help="A hash alone, of a revision or block: base64 or hexadecimal.")
@click.option("--proof", type=_FILE, help="The proof, when it is in a file of its own.")
@options.digest
@options.tip
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def verify_receipt(
    context: click.Context,
    revision: Path | None,
    block: Path | None,
    leaf: str | None,
    proof: Path | None,
    digest: str | None,
    tip: str | None,
    as_json: bool,
) -> None:
    """Verify a saved revision or block: that it is what its hash says, and that its proof leads to the digest.

    Neither a ledger nor its journal is needed.  With --hash not even the revision: a program that kept the hash, the
    proof and the digest can show that something with this hash was in the ledger, without showing what.
    """
    from ..verify import InputError, read_answer, read_proof, verify_block, verify_revision

    if sum(each is not None for each in (revision, block, leaf)) != 1:
        raise click.UsageError("one of --revision, --block and --hash is needed")
    if digest is None:
        raise click.UsageError("--digest is needed: what the proof must lead to")
    if leaf is not None:
        _verify_hash(context, leaf, proof, digest, tip, as_json)
    path = revision or block
    assert path is not None
    try:
        answer = read_answer(_read(path))
        kind = "revision" if revision is not None else "block"
        if answer.kind not in (None, kind):
            raise click.UsageError(f"{path} is the answer of GetBlock or GetRevision, but holds no {kind}")
        hashes = answer.proof if proof is None else read_proof(_read(proof))
    except InputError as error:
        raise Unreadable(f"{path if proof is None else f'{path} or {proof}'}: {error}") from error
    if hashes is None:
        raise click.UsageError(f"{path} has no proof with it: --proof is needed")
    saved = options.saved_digest(digest, tip, lambda: _strand(answer.value))
    assert saved is not None
    check = verify_revision if revision is not None else verify_block
    report = check(answer.value, hashes, saved.digest, saved.tip)
    _say(context, report, f"the {kind} is what its hash says, and its proof leads to the digest", as_json)


def _verify_hash(
    context: click.Context, leaf: str, proof: Path | None, digest: str, tip: str | None, as_json: bool
) -> None:
    """A hash, its proof and the digest.  Ends the command."""
    from ..verify import InputError, read_digest, read_proof
    from ..verify import verify_receipt as verify

    if proof is None:
        raise click.UsageError("--hash needs --proof: the file with the proof of that hash")
    if tip is not None:
        raise click.UsageError("--tip is for --revision and --block: a hash alone has no address to compare it with")
    try:
        leaf_hash = read_digest(options.text_or_file(leaf)).digest
        hashes = read_proof(_read(proof))
    except InputError as error:
        raise Unreadable(f"--hash or {proof}: {error}") from error
    saved = options.saved_digest(digest, None, lambda: "")
    assert saved is not None
    _say(context, verify(leaf_hash, hashes, saved.digest), "the proof leads from the hash to the digest", as_json)


def _say(context: click.Context, report: ReceiptReport, what: str, as_json: bool) -> None:
    """Print the verdict and end the command."""
    if as_json:
        findings = [str(finding) for finding in report.findings]
        click.echo(json.dumps({"verdict": "holds" if report.ok else "broken", "findings": findings}, indent=2))
    elif report.ok:
        click.echo(f"The receipt holds: {what}.")
    else:
        click.echo("The receipt does not hold:")
        for finding in report.findings:
            click.echo(f"  {finding}")
    context.exit(0 if report.ok else 1)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(RECEIPT_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > RECEIPT_BYTES:
        raise Unreadable(f"{path} is too large for a receipt: more than {RECEIPT_BYTES} bytes")
    return data


def _strand(value: Any) -> str:
    from ..verify.sources import address_of

    address = address_of(value)
    return "" if address is None else address.strand_id
