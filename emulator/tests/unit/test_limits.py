"""The table of limits: options that change it, and the page that is made from it."""

from __future__ import annotations

import pytest
from support import ROOT

from qldb_emulator.limits import RELAXED, STRICT, as_markdown, describe, is_lifted, with_limit


def test_a_limit_is_set_by_name() -> None:
    assert with_limit(STRICT, "transaction_documents=1000").transaction_documents == 1000
    assert with_limit(STRICT, " transaction_seconds = 0.5 ").transaction_seconds == 0.5
    assert is_lifted(with_limit(STRICT, "document_bytes=none").document_bytes)


@pytest.mark.parametrize(
    "assignment",
    [
        "nothing=1",
        "document_bytes",
        "document_bytes=",
        "document_bytes=1.5",
        "document_bytes=0",
        "page_values=-1",
        "=",
        "transaction_seconds=0",
        "transaction_seconds=nan",
        "transaction_seconds=inf",
        "ledgers_per_region=-1",
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(assignment: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is not name=value"):
        with_limit(STRICT, assignment)


def test_relaxed_lifts_quotas_and_keeps_what_protects_the_process() -> None:
    assert is_lifted(RELAXED.transaction_documents)
    assert (RELAXED.ion_depth, RELAXED.request_bytes, RELAXED.page_values) == (
        STRICT.ion_depth,
        STRICT.request_bytes,
        STRICT.page_values,
    )


def test_every_limit_has_a_unit_a_source_and_an_error() -> None:
    assert [name for name, _, unit, source, error in describe() if not (unit and source and error)] == []


def test_the_page_is_fresh() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "run scripts/docs"
