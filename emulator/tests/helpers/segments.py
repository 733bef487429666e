"""A journal verified by segments, as several processes would do it, in one."""

from __future__ import annotations

import random

from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.verify import Container, SavedDigest, choose_journal, merge, plan, verify_segment
from qldb_emulator.verify.audit import JournalReport, findings_of_files, judge
from qldb_emulator.verify.verdict_ion import verdict_from_ion, verdict_to_ion


def merged(container: Container, digest: SavedDigest | None, size: int, order: random.Random) -> JournalReport:
    """By segments, joined in any order, each verdict through a checkpoint's form."""
    journal = choose_journal(container)
    tips = () if digest is None else (digest.tip.sequence_no,)
    segments = list(plan(container, journal, size))
    verdicts = [findings_of_files(journal), *(verify_segment(container, segment, tips) for segment in segments)]
    verdicts = [verdict_from_ion(loads(dumps_text(verdict_to_ion(verdict)))) for verdict in verdicts]
    while len(verdicts) > 1:
        at = order.randrange(len(verdicts) - 1)
        verdicts[at : at + 2] = [merge(verdicts[at], verdicts[at + 1])]
    return judge(container.description, journal, verdicts[0], digest)
