"""Which tests are passed with two versions of amazon.ion: those that can reach it, and no others."""

from __future__ import annotations

from pathlib import Path

import amazon_ion_tests
import pytest
from amazon_ion_tests import ROOT, TESTS, imported, using_amazon_ion


def test_the_tests_with_an_oracle_are_found_by_way_of_their_helper() -> None:
    found = [path.relative_to(TESTS).as_posix() for path in using_amazon_ion()]
    assert found == [
        "property/test_ion_laws.py",
        "property/test_raw_revisions.py",
        "spec/test_ion_hash_vectors.py",
    ]
    assert not any(name.startswith(("amazon", "ionhash")) for path in using_amazon_ion() for name in imported(path))


def test_a_test_that_imports_an_oracle_through_two_modules_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "test_one.py").write_text("from near import one\n")
    (tmp_path / "test_two.py").write_text("def late():\n    import near\n")
    (tmp_path / "test_three.py").write_text("import json, qldb_emulator\n")
    (tmp_path / "near.py").write_text("from far import two\n")
    (tmp_path / "far" / "__init__.py").write_text("")
    (tmp_path / "far" / "two.py").write_text("from . import three\n")
    (tmp_path / "far" / "three.py").write_text("from amazon.ion import simpleion\n")
    monkeypatch.setattr(amazon_ion_tests, "TESTS", tmp_path)
    monkeypatch.setattr(amazon_ion_tests, "SOURCES", (tmp_path,))
    assert [path.name for path in using_amazon_ion()] == ["test_one.py", "test_two.py"]


def test_scripts_test_passes_them_a_second_time() -> None:
    assert "amazon_ion_tests.py" in (ROOT / "scripts" / "test").read_text()
