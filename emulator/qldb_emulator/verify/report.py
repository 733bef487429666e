"""A verification for people: a summary for a terminal, and one HTML file that needs nothing else to be read."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

from ..journal.model import BlockAddress
from .audit import CHECKS, JournalReport, Verdict
from .checks import show

VERDICTS: dict[Verdict, str] = {
    "whole": "The journal is whole: every check held.",
    "incomplete": "Nothing is wrong, but not everything could be proved.",
    "broken": "The journal is broken: checks failed.",
}
FINDINGS_SHOWN = 20
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def summary(report: JournalReport) -> str:
    """The report as lines for a terminal."""
    lines = [VERDICTS[report.verdict], ""]
    width = max(len(name) for name, _ in facts(report))
    lines += [f"  {name:<{width}}  {value}" for name, value in facts(report)]
    shown = report.findings[:FINDINGS_SHOWN]
    if shown:
        lines += ["", f"What is wrong ({report.verification.findings_total}):"]
        lines += [f"  {finding}" for finding in shown]
        rest = report.verification.findings_total - len(shown)
        if rest:
            lines.append(f"  ... and {rest} more (--json has up to {len(report.findings)})")
    for title, sentences in (("Not proved:", report.limits), ("To know:", report.notes)):
        if sentences:
            lines += ["", title, *(f"  - {sentence}" for sentence in sentences)]
    # Ids and names come from the journal: what a terminal would obey is made visible instead.
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in lines)


def facts(report: JournalReport) -> list[tuple[str, str]]:
    """What a report says in names and values, in order."""
    verification, check = report.verification, report.digest_check
    counts = verification.counts
    rows = [
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
        parts.append(f"{counts.deletions:,} deletions")
    if counts.redacted:
        parts.append(f"{counts.redacted:,} redacted")
    if counts.system_items:
        parts.append(f"{counts.system_items:,} of the system")
    return ", ".join(parts)


# --- HTML ----------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { padding: 1rem; border-left: .5rem solid; font-size: 1.2rem; }
.whole { border-color: #1b7f3b; background: #eaf6ee; } .broken { border-color: #b3261e; background: #fceeee; }
.incomplete { border-color: #9a6700; background: #fff8e5; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere; } th { white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } }
"""


def html(report: JournalReport, made: str, version: str) -> str:
    """The report as one HTML document.  made: when, as text.  version: of this program."""
    title = f"Verification of journal {report.strand_id}"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="verdict {report.verdict}">{escape(VERDICTS[report.verdict])}</p>',
            "<table>",
            *(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts(report)),
            f"<tr><th>verified</th><td>{escape(made)} by qldb-emulator {escape(version)}</td></tr>",
            "</table>",
            *_html_findings(report),
            *_html_list("What could not be proved", report.limits),
            *_html_list("To know", report.notes),
            *_html_checks(report),
            *_HTML_METHOD,
            "</body></html>",
            "",
        ]
    )


def _html_findings(report: JournalReport) -> list[str]:
    if not report.findings:
        return []
    rows = [
        f"<tr><td>{'' if f.address is None else f.address.sequence_no}</td><td>{escape(f.check)}</td>"
        f"<td>{escape(f.detail)}</td><td><code>{escape(f.expected)}</code></td><td><code>{escape(f.found)}</code></td></tr>"
        for f in report.findings
    ]
    total = report.verification.findings_total
    kept = f", the first {len(rows)} of them" if total > len(rows) else ""
    return [
        f"<h2>What is wrong ({total}{kept})</h2>",
        "<table><tr><th>block</th><th>check</th><th>where</th><th>expected</th><th>found</th></tr>",
        *rows,
        "</table>",
    ]


def _html_list(title: str, sentences: tuple[str, ...]) -> list[str]:
    if not sentences:
        return []
    return [f"<h2>{title}</h2><ul>", *(f"<li>{escape(sentence)}</li>" for sentence in sentences), "</ul>"]


def _html_checks(report: JournalReport) -> list[str]:
    failed = Counter(finding.check for finding in report.findings)
    own = report.verification.profile != "service"
    rows = []
    for check, sentence in CHECKS.items():
        if sentence.startswith("Blocks of this emulator") and not own:
            continue
        result = f"failed, {failed[check]} times" if failed[check] else _held(report, check)
        rows.append(f"<tr><th>{check}</th><td>{escape(sentence)}</td><td>{result}</td></tr>")
    return ["<h2>Checks</h2><table>", *rows, "</table>"]


def _held(report: JournalReport, check: str) -> str:
    """What to say of a check that nothing failed."""
    if check == "digest" and (report.digest_check is None or report.digest_check.found is None):
        return "not compared"
    if check == "revision" and report.verification.counts.data_unproven:
        return f"held, but for {report.verification.counts.data_unproven:,} that could not be proved"
    return "held, where there was anything to check"


_HTML_METHOD = [
    "<h2>Method</h2>",
    "<p>Every hash was computed again from the values in the journal, with SHA-256 and the public Ion Hash algorithm. "
    "A block's hash combines its entries with the hash of the block before, so a change anywhere shows from there on; "
    "the digest is the root of a Merkle tree over all block hashes, so one kept elsewhere proves the whole journal up "
    "to its block. Hashes are written here in base64.</p>",
]
