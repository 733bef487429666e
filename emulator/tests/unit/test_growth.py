"""The curves' table, arithmetic and page.  Figures are never tested: a timed test fails on a busy machine."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import machine
from benchmarks.bench import BenchError
from benchmarks.curve import measure as method
from benchmarks.curve import page
from benchmarks.curve.__main__ import OPERATIONS, arguments, curve_of, main, run
from benchmarks.curve.ledgers import Filled, filled
from benchmarks.curve.measure import TINY, Effort, Rounds, measure
from benchmarks.curve.memory import Footprint, footprint
from benchmarks.curve.operation import Kind, Operation
from benchmarks.curve.plot import plot
from benchmarks.curve.results import Measured, as_json, footprint_line, head, line, time_text
from benchmarks.ratios import Spread

FACTS = {"emulator": "0.1.0", "processor": "a slow one"}
FOOTPRINT = Footprint(1_000, 995, 2_000_000, 20.0, 30.0, 40.0, 50.0, 0.002)


def silent(text: str) -> None:
    pass


def operation(kind: Kind = "read", at_most: float | None = 1.5, case: Any = None, **more: Any) -> Operation:
    return Operation("lookup", "SELECT", kind, case or (lambda curve, of: lambda: 1_000.0), at_most, **more)


def measured(*figures: float, again: float = 1.0, at_most: float | None = 1.5) -> Measured:
    sizes = (1_000, 10_000, 100_000)[: len(figures)]
    kind: Kind = "whole" if at_most is None else "read"
    return Measured(operation(kind, at_most), sizes, tuple((figure,) for figure in figures), (again,))


# --- the operations ----------------------------------------------------------------------------------------------


def test_no_two_operations_have_one_name() -> None:
    assert [name for name, count in Counter(each.name for each in OPERATIONS).items() if count > 1] == []


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: each.name)
def test_an_operation_has_a_goal_or_goes_through_a_whole_ledger(each: Operation) -> None:
    assert each.what
    assert each.source
    assert (each.at_most is None) == (each.kind in ("whole", "slow")) == bool(each.each)


def test_every_operation_runs_on_every_ledger(tmp_path: Path) -> None:
    sources = [filled(tmp_path, size, silent) for size in (60, 90)]
    with curve_of(sources, tmp_path, 1, silent) as curve:
        found = list(run(curve, OPERATIONS, TINY, silent))
    assert [each.operation for each in found] == list(OPERATIONS)
    assert [each.operation.name for each in found if not all((*each.figures, each.again))] == []
    assert {each.sizes for each in found} == {(60, 90)}


def test_the_memory_of_a_process_is_looked_at_after_every_stage(tmp_path: Path) -> None:
    found = footprint(filled(tmp_path, 60, silent), tmp_path, runs=1)
    assert (found.blocks, found.documents) == (60, 55)
    assert min(found.file_bytes, found.opened, found.scanned, found.worked, found.most) > 0
    assert found.bound == found.opened + 2 * 32 + 2 * 64


# --- the ledgers -------------------------------------------------------------------------------------------------


def test_a_ledger_is_filled_once_and_measured_in_copies(tmp_path: Path) -> None:
    source = filled(tmp_path, 30, silent)
    before = source.path.read_bytes()
    said: list[str] = []
    assert filled(tmp_path, 30, said.append) == source
    insert = [each for each in OPERATIONS if each.name == "commit-insert"]
    with curve_of([source], tmp_path, 1, silent) as curve:
        list(run(curve, insert, TINY, silent))
        assert [curve.ledger(of).tip().sequence_no > 29 for of in curve.ledgers] == [True, True]
    assert (source.path.read_bytes(), said) == (before, [])


def test_a_ledger_of_another_length_is_not_taken_for_the_one_that_is_wanted(tmp_path: Path) -> None:
    filled(tmp_path, 30, silent).data_dir.rename(tmp_path / "40")
    with pytest.raises(BenchError, match="does not have 40 blocks; remove it"):
        filled(tmp_path, 40, silent)


def test_a_ledger_without_room_for_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no room for 10 documents"):
        filled(tmp_path, 14, silent)


# --- the method --------------------------------------------------------------------------------------------------


class Ledgers:
    """As much of a Curve as the method looks at."""

    def __init__(self, *sizes: int) -> None:
        self.ledgers = [Filled(f"of-{size}", size, Path()) for size in sizes]
        self.random = Random(1)


def figures(kind: Kind, effort: Effort, *sizes: int, **more: Any) -> tuple[list[tuple[float, ...]], Counter[int]]:
    """Return what came out when a run takes a microsecond for each block, and how often it ran."""
    ran: Counter[int] = Counter()

    def make(curve: Any, of: Filled) -> Any:
        def case() -> float:
            ran[of.blocks] += 1
            return of.blocks * 1_000.0

        return case

    curve: Any = Ledgers(*sizes)
    return measure(curve, operation(kind, case=make, **more), effort), ran


EFFORT = Effort(2, 3, 4, 2, 1, whole=Rounds(2, 100, 40), slow=Rounds(2, 10, 1), slow_blocks=100)


@pytest.mark.parametrize(
    ("kind", "expected", "times"),
    [
        ("read", [(10.0,) * 3, (200.0,) * 3], {10: 17, 200: 17}),
        ("write", [(10.0,) * 3, (200.0,) * 3], {10: 9, 200: 9}),
        ("start", [(10.0,), (200.0,)], {10: 2, 200: 2}),
        ("whole", [(10.0, 10.0), (200.0,)], {10: 8, 200: 1}),
        ("slow", [(10.0, 10.0), ()], {10: 2}),
    ],
)
def test_a_kind_says_how_often_an_operation_runs(kind: Kind, expected: list[Any], times: dict[int, int]) -> None:
    assert figures(kind, EFFORT, 10, 200) == (expected, times)


def test_a_slow_operation_runs_once_on_a_ledger_that_is_not_small() -> None:
    assert figures("slow", EFFORT, 10, 20) == ([(10.0, 10.0), (20.0,)], {10: 2, 20: 1})


def test_what_goes_through_a_whole_ledger_is_divided_by_its_length() -> None:
    assert figures("whole", EFFORT, 10, 200, each="block")[0] == [(1.0, 1.0), (1.0,)]
    assert figures("whole", EFFORT, 10, 200, each="document")[0] == [(2.0, 2.0), (200 / 195,)]


def test_the_default_effort_leaves_out_what_takes_minutes() -> None:
    assert method.DEFAULT.slow_blocks == 100_000


# --- results -----------------------------------------------------------------------------------------------------


def test_a_ratio_is_to_the_smallest_ledger_repetition_by_repetition() -> None:
    found = Measured(operation(), (1_000, 10_000, 100_000), ((1.0, 2.0), (1.0, 3.0), (4.0,)), (1.0, 2.0))
    assert found.ratio(0) == Spread(1.0, 1.0, 1.0)
    assert found.ratio(1) == Spread(1.25, 1.0, 1.5)
    assert found.ratio(2) == Spread(4.0, 4.0, 4.0)
    assert found.control == Spread(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (measured(1.0, 1.0, 1.5), "flat"),
        (measured(1.0, 1.0, 1.6), "GROWS"),
        (measured(1.0, 9.0, 1.0), "flat"),
        (measured(1.0, 1.0, 1.5, again=1.1), "flat?"),
        (measured(1.0, 1.0, 1.6, again=0.9), "GROWS?"),
        (measured(1.0, 1.0, 9.0, at_most=None), "may grow"),
    ],
    ids=["at the goal", "above it", "the largest counts", "flat, restless", "grows, restless", "whole"],
)
def test_a_verdict_is_about_the_largest_ledger(found: Measured, expected: str) -> None:
    assert found.verdict == expected


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [(0.1234, "0.123 µs"), (51.6, "51.6 µs"), (1_550.0, "1.55 ms"), (2_000_000.0, "2 s")],
)
def test_a_time_has_a_unit_that_suits_it(microseconds: float, expected: str) -> None:
    assert time_text(microseconds) == expected


def test_a_line_has_a_cell_for_every_size() -> None:
    found = Measured(operation(), (1_000, 10_000, 100_000), ((50.0,), (60.0,), ()), (50.0,))
    assert line(found).split() == ["lookup", "50", "µs", "x1.00", "60", "µs", "x1.20", "-", "flat", "<=", "1.5"]
    assert head(found.sizes).split() == ["1,000", "again", "10,000", "100,000"]


def test_a_footprint_is_compared_with_its_bound() -> None:
    text = footprint_line(FOOTPRINT)
    assert "after all 40 of 212 allowed, at most 50; a session 2.0 KB; the file 2,000 bytes a block" in text


# --- the page ----------------------------------------------------------------------------------------------------


def results(*found: Measured) -> dict[str, Any]:
    return json.loads(json.dumps(as_json(FACTS, list(found), [FOOTPRINT])))


def test_the_page_has_a_table_for_each_kind_and_one_for_memory() -> None:
    text = page.tables(results(measured(50.0, 60.0, 70.0, again=50.0), measured(5.0, 50.0, again=5.0, at_most=None)))
    assert "| `lookup` | 50 µs | ×1.00 | 60 µs ×1.20 | 70 µs ×1.40 | ≤ 1.5 | flat | SELECT |" in text
    assert "| `lookup` | 5 µs | ×1.00 | 50 µs ×10 |  | may grow | SELECT |" in text
    assert "| 1,000 | 20 MB | 30 MB | 1005 MB | 40 MB | 212 MB | 50 MB | 2.0 KB | 2,000 bytes |" in text


def test_a_size_that_an_operation_did_not_run_on_is_a_dash() -> None:
    found = Measured(operation(), (1_000, 10_000), ((50.0,), ()), (50.0,))
    assert "| 50 µs | ×1.00 | - | ≤ 1.5 |" in page.tables(results(found))


def test_of_several_runs_the_last_counts() -> None:
    runs = [results(measured(50.0, 60.0)), {**results(measured(1.0, 2.0)), "memory": []}]
    merged = page.merged(runs)
    assert [each["figures"] for each in merged["operations"]] == [[[1.0], [2.0]]]
    assert [each["blocks"] for each in merged["memory"]] == [1_000]


def test_both_builds_are_compared_with_the_smallest_and_the_largest_ledger() -> None:
    pure, compiled = results(measured(50.0, 60.0, 70.0)), results(measured(40.0, 44.0))
    compiled["operations"][0]["ratios"].append(None)  # it did not run on the largest
    assert "| `lookup` | 50 µs | 40 µs | 10,000 | 60 µs ×1.20 | 44 µs ×1.10 | ≤ 1.5 |" in page.both_builds(
        pure, compiled
    )


def test_runs_of_the_compiled_build_make_one_table_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "performance.md").write_text(page.BEGIN + page.END)
    for build, time in (("pure Python", 50.0), ("compiled", 40.0)):
        run = results(measured(time, time))
        (tmp_path / f"{build}.json").write_text(json.dumps({**run, "facts": {"emulator": f"1.0, {build}"}}))
    files = [str(tmp_path / f"{build}.json") for build in ("pure Python", "compiled")]
    monkeypatch.setattr(sys, "argv", ["page", *files, str(tmp_path)])
    page.main()
    text = (tmp_path / "performance.md").read_text()
    assert text.index("emulator 1.0, pure Python") < text.index("Both builds") < text.index("emulator 1.0, compiled")
    assert text.count("| `lookup` |") == 2


def test_the_page_is_written_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    performance = tmp_path / "performance.md"
    performance.write_text(f"before\n{page.BEGIN}old\n{page.END}after\n")
    (tmp_path / "run.json").write_text(json.dumps(results(measured(50.0, 60.0))))
    monkeypatch.setattr(sys, "argv", ["page", str(tmp_path / "run.json"), str(tmp_path)])
    page.main()
    text = performance.read_text()
    assert text.startswith("before\n<!-- growth")
    assert text.endswith("<!-- end of growth -->\nafter\n")
    assert "old" not in text
    assert (tmp_path / "growth.svg").exists()


def test_the_plot_has_a_curve_for_every_operation_and_dashes_those_that_may_grow() -> None:
    image = ElementTree.fromstring(
        plot(results(measured(1.0, 2.0), measured(1.0, 1e9, 1e9, at_most=None), measured(1.0))["operations"])
    )
    curves = image.findall(".//{*}polyline")
    assert [curve.get("stroke-dasharray") for curve in curves] == [None, None, "5 3"]
    heights = [float(point.split(",")[1]) for curve in curves for point in curve.get("points", "").split()]
    assert all(22 <= height <= 84 for height in heights)


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command with a directory of its own and ledgers that are kept in another."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    where = ["--directory", str(tmp_path / "build"), "--keep", str(tmp_path / "kept")]
    return lambda *given: main([*where, *given])


def test_the_command_measures_what_is_asked_for_and_leaves_only_what_is_to_be_kept(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "growth.json"
    assert command("--sizes", "40,20", "--only", "catalogue", "--json", str(result)) == 0
    found = json.loads(result.read_text())
    assert [(each["name"], each["sizes"]) for each in found["operations"]] == [("catalogue", [20, 40])]
    assert found["memory"] == []
    assert "catalogue" in capsys.readouterr().out
    assert [entry.name for entry in (tmp_path / "build").iterdir()] == []
    assert sorted(entry.name for entry in (tmp_path / "kept").iterdir()) == ["20", "40"]


def test_a_run_of_the_compiled_build_leaves_the_pure_ones_results(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = tmp_path / "growth.json"
    result.write_text("of the pure build")
    monkeypatch.setattr(machine, "build", lambda: "compiled")
    assert command("--sizes", "20,40", "--only", "catalogue", "--json", str(result)) == 0
    assert result.read_text() == "of the pure build"
    assert "compiled" in json.loads((tmp_path / "growth.compiled.json").read_text())["facts"]["emulator"]


def test_the_command_says_what_could_not_be_measured(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--sizes", "14", "--only", "catalogue") == 1
    assert "a ledger of 14 blocks has no room for 10 documents" in capsys.readouterr().err


def test_the_command_lists_every_operation(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--list") == 0
    names = [text.split()[0] for text in capsys.readouterr().out.splitlines()]
    assert names == [*(each.name for each in OPERATIONS), "memory"]


def test_sizes_are_sorted_and_each_is_there_once() -> None:
    assert arguments(["--sizes", "100,20,100"]).sizes == (20, 100)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["--sizes", "0,10"], "a ledger has at least one block"),
        (["--sizes", "many"], "invalid"),
        (["--only", "nothing"], "there is no operation nothing"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    given: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(given)
    assert text in capsys.readouterr().err
