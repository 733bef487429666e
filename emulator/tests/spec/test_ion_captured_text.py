"""Ion text in the service's form: our text of a captured value equals the captured text, octet for octet."""

from __future__ import annotations

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion.codec import dumps_text, loads

CAPTURED = SHARED / "vectors" / "cli_block100.ion"


@needs_shared
@pytest.mark.parametrize("part", ["digestTipAddress", "digest", "block", "blockProof", "revisionProof"])
def test_a_captured_answer_is_written_as_the_service_wrote_it(part: str) -> None:
    # One part a line: the README of the vectors says the text is kept exactly.
    lines = CAPTURED.read_text().splitlines()
    (captured,) = (line.removeprefix(part + ":").rstrip(",") for line in lines if line.startswith(part + ":"))
    assert dumps_text(loads(captured)) == captured


@pytest.mark.parametrize(
    "text",
    ['{strandId:"KmA3ZZca7vAIiJAK9S5Iwl",sequenceNo:123}', "{'9mov0fCkAy2Eg7Z2qkqFDa':{tableName:\"T\"}}"],
    ids=["digest tip address", "document id that begins with a digit"],
)
def test_forms_quoted_in_the_notes_are_kept(text: str) -> None:
    assert dumps_text(loads(text)) == text
