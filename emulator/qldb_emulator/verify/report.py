"""Shows the result of a verification: a summary for a terminal, and an HTML page in one file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..journal.model import BlockAddress
from .audit import CHECKS, NO_DIGEST, JournalReport, Verdict, plural
from .checks import Finding, show
from .picture import chain, ladder

VERDICTS: dict[Verdict, str] = {
    "whole": "The journal is whole: every check held.",
    "incomplete": "Nothing is wrong, but not everything could be proved.",
    "broken": "The journal is broken: checks failed.",
}
FINDINGS_SHOWN = 20
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def summary(report: JournalReport) -> str:
    """Return the report as lines for a terminal."""
    lines = [VERDICTS[report.verdict], ""]
    width = max(len(name) for name, _ in facts(report))
    lines += [f"  {name:<{width}}  {value}" for name, value in facts(report)]
    shown = report.findings[:FINDINGS_SHOWN]
    if shown:
        lines += ["", f"What is wrong ({report.verification.findings_total}):"]
        for finding in shown:
            lines += [f"  {explain(finding)}", f"      {finding}"]
        rest = report.verification.findings_total - len(shown)
        if rest:
            lines.append(f"  ... and {rest} more (--json has up to {len(report.findings)})")
    for title, sentences in (("Not proved:", report.limits), ("To know:", report.notes)):
        if sentences:
            lines += ["", title, *(f"  - {sentence}" for sentence in sentences)]
    # Ids and names come from the journal, so they can have control characters.  A terminal must not act on them.
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in lines)


def facts(report: JournalReport) -> list[tuple[str, str]]:
    """Return the facts of a report as (name, value), in order."""
    verification, check = report.verification, report.digest_check
    counts = verification.counts
    rows = [
        *([("ledger", report.ledger)] if report.ledger else []),
        ("source", f"{report.source}{f', {report.files} files' if report.files > 1 else ''}"),
        ("strand", report.strand_id),
        ("blocks", f"{counts.blocks:,} ({_span(verification.first, verification.last)})"),
        ("written by", verification.profile),
        ("entries", f"{counts.entries:,}"),
        ("revisions", _revisions(report)),
        ("statements", f"{counts.statements:,}, {counts.digests_checked:,} with a digest that could be computed"),
        ("redactions", f"{verification.redactions_recorded:,} recorded"),
        ("digest", show(verification.digest) if verification.digest else f"none: {verification.digest_problem}"),
    ]
    if check is not None:
        at = "at the last block" if check.tip is None else f"at block {check.tip.sequence_no}"
        verdict = "equal" if check.ok else "DIFFERENT" if check.found is not None else "not comparable"
        rows.append(("digest kept", f"{show(check.expected)} {at}: {verdict}"))
    return rows


def _span(first: BlockAddress | None, last: BlockAddress | None) -> str:
    return "none" if first is None or last is None else f"{first.sequence_no} to {last.sequence_no}"


def _revisions(report: JournalReport) -> str:
    counts = report.verification.counts
    parts = [f"{counts.revisions:,} with data"]
    if counts.data_unproven:
        parts.append(f"{counts.data_unproven:,} of them unproved")
    if counts.deletions:
        parts.append(plural(counts.deletions, "deletion"))
    if counts.redacted:
        parts.append(f"{counts.redacted:,} redacted")
    if counts.system_items:
        parts.append(f"{counts.system_items:,} of the system")
    return ", ".join(parts)


# --- Findings in words ---------------------------------------------------------------------------------------

_MEANINGS: dict[str, str] = {
    "revision": "The data or the metadata of {subject} does not match its hash.",
    "address": "{subject} claims to be in another block.",
    "transaction": "{subject} claims to be of another transaction.",
    "link": "Block {block} does not follow the block before it: the hash that it names is another one.",
    "sequence": "Block {block} is not the next one: blocks are missing, repeated or out of order before it.",
    "strand": "Block {block} is of another journal.",
    "blockHash": "The hash of block {block} is not that of its contents.",
    "entriesHash": "The entries of block {block} do not lead to its entriesHash.",
    "revisions": "The revisions of block {block} are not those that its hash covers.",
    "info": "The transactionInfo of block {block} is not the one that its hash covers.",
    "redaction": "The redactionInfo of block {block} is not the one that its hash covers.",
    "statement": "The text of a statement in block {block} does not match its digest.",
    "format": "A value in the place of block {block} is not a block.",
    "file": "A file does not hold what its name says, or cannot be read to its end.",
    "manifest": "The manifest and the files do not fit together.",
    "digest": "The journal does not lead to the digest that was kept.",
    "nodes": "A node of the ledger's own Merkle tree is not that of the journal.",
    "tables": "What queries read is not what the journal says.",
}


def explain(finding: Finding) -> str:
    """Return a finding as a sentence, for readers who do not know the names of checks."""
    block = "at an unknown address" if finding.address is None else f"{finding.address.sequence_no:,}"
    subject = finding.subject or f"a revision in block {block}"
    text = _MEANINGS.get(finding.check)
    if text is None:
        return f"Block {block}: {CHECKS.get(finding.check, finding.check)[:-1]}: this does not hold."
    sentence = text.format(block=block, subject=subject)
    return sentence[0].upper() + sentence[1:]


# --- HTML ----------------------------------------------------------------------------------------------------


def html(report: JournalReport, made: str, version: str) -> str:
    """Return the report as one HTML document.  made: the time, as text.  version: of this program."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    check = report.digest_check
    first = report.findings[0] if report.findings else None
    name = f"ledger {report.ledger}" if report.ledger else f"journal {report.strand_id}"
    return environment.get_template("report.html").render(
        title=f"Verification of {name}",
        sentence=VERDICTS[report.verdict],
        report=report,
        made=made,
        version=version,
        facts=facts(report),
        blocks=chain(report),
        steps=ladder(first, check is not None and check.ok),
        checks=list(_checks(report)),
        explain=explain,
        not_proved=[*report.limits, *(sentence for sentence in report.notes if sentence == NO_DIGEST)],
        to_know=[sentence for sentence in report.notes if sentence != NO_DIGEST],
    )


def _checks(report: JournalReport) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, sentence, state, result) of every check that was made of this journal."""
    failed = Counter(finding.check for finding in report.findings)
    own = report.verification.profile != "service"
    for check, sentence in CHECKS.items():
        if sentence.startswith("Blocks of this emulator") and not own:
            continue
        if failed[check]:
            times = "once" if failed[check] == 1 else f"{failed[check]} times"
            yield check, sentence, "failed", f"failed {times}"
        else:
            yield check, sentence, *_held(report, check)


def _held(report: JournalReport, check: str) -> tuple[str, str]:
    """Return state and result of a check without a finding."""
    if check == "digest" and (report.digest_check is None or report.digest_check.found is None):
        return "open", "not compared"
    if check == "revision" and report.verification.counts.data_unproven:
        return "held", f"held, except {report.verification.counts.data_unproven:,} that could not be proved"
    return "held", "held"
