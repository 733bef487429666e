"""``qldb-emulator verify-receipt``: a saved revision or block, its proof and a digest, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from . import options
from .options import Unreadable

RECEIPT_BYTES = 64 * 1024 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog="Exit code: 0 the receipt holds, 1 it does not, 2 wrong usage, 3 a file could not be read.  "
    "Files hold Ion, or the JSON answers of GetRevision, GetBlock and GetDigest as the AWS CLI prints them."
)
@click.option("--revision", type=_FILE, help="A revision, or GetRevision's answer.")
@click.option("--block", type=_FILE, help="A block, or GetBlock's answer.")
@click.option("--proof", type=_FILE, help="The proof, when it is in a file of its own.")
@options.digest
@options.tip
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def verify_receipt(
    context: click.Context,
    revision: Path | None,
    block: Path | None,
    proof: Path | None,
    digest: str | None,
    tip: str | None,
    as_json: bool,
) -> None:
    """Verify a saved revision or block: that it is what its hash says, and that its proof leads to the digest.

    Neither a ledger nor its journal is needed.
    """
    from ..verify import InputError, read_answer, read_proof, verify_block, verify_revision

    if (revision is None) == (block is None):
        raise click.UsageError("either --revision or --block is needed")
    if digest is None:
        raise click.UsageError("--digest is needed: what the proof must lead to")
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
    if as_json:
        findings = [str(finding) for finding in report.findings]
        click.echo(json.dumps({"verdict": "holds" if report.ok else "broken", "findings": findings}, indent=2))
    elif report.ok:
        click.echo(f"The receipt holds: the {kind} is what its hash says, and its proof leads to the digest.")
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
