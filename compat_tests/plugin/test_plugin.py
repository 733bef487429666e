"""The pytest plugin beside pyqldb, seen through the tests of a program that uses it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

SEED = """
CREATE TABLE Car;
CREATE INDEX ON Car (VIN);
INSERT INTO Car << {'VIN': '1', 'owner': 'Maria'}, {'VIN': '2', 'owner': 'Raul'} >>
"""
INI = """
[pytest]
qldb_seed = cars.partiql
addopts = --strict-markers -W error -W ignore::DeprecationWarning
"""


@pytest.fixture
def program(pytester: pytest.Pytester) -> pytest.Pytester:
    """A program's folder with a seed."""
    pytester.path.joinpath("cars.partiql").write_text(SEED)
    pytester.makeini(INI)
    return pytester


def run(program: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return program.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_it_lives_with_the_amazon_ion_that_pyqldb_pins() -> None:
    assert importlib.metadata.version("amazon.ion") == "0.9.3"


def test_each_test_has_a_ledger_of_its_own_that_begins_with_the_seed(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        import pytest

        def owners(driver):
            return sorted(str(v) for v in driver.execute_lambda(
                lambda t: list(t.execute_statement("SELECT VALUE owner FROM Car"))))

        @pytest.mark.parametrize("number", range(5))
        def test_it_begins_with_the_seed(qldb_driver, number):
            assert owners(qldb_driver) == ["Maria", "Raul"]
            qldb_driver.execute_lambda(lambda t: t.execute_statement("DELETE FROM Car"))
            assert owners(qldb_driver) == []

        def test_ledger_and_boto3(qldb_ledger, qldb_boto3, qldb_server):
            assert qldb_boto3("qldb").describe_ledger(Name=qldb_ledger.name)["State"] == "ACTIVE"
            assert qldb_ledger.url == qldb_server.url
            assert qldb_boto3("qldb").get_digest(Name=qldb_ledger.name)["Digest"]
        """
    )
    run(program).assert_outcomes(passed=6)


def test_a_seed_may_be_a_function_that_is_given_a_driver(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def qldb_seed():
            def fill(driver):
                driver.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Boat"))
            return fill
        """
    )
    pytester.makepyfile("def test_it(qldb_driver): assert list(qldb_driver.list_tables()) == ['Boat']")
    run(pytester).assert_outcomes(passed=1)


def test_a_sample_is_one_line_of_ini(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nqldb_sample = vehicle-registration")
    pytester.makepyfile("def test_it(qldb_driver): assert len(list(qldb_driver.list_tables())) == 4")
    run(pytester).assert_outcomes(passed=1)


def test_a_failure_shows_what_ran_and_how(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        def test_it(qldb_driver):
            qldb_driver.execute_lambda(lambda t: list(t.execute_statement("SELECT * FROM Car WHERE VIN = ?", "1")))
            qldb_driver.execute_lambda(lambda t: list(t.execute_statement("SELECT * FROM Car WHERE owner = 'x'")))
            assert False
        """
    )
    result = run(program)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*QLDB statements on template-1*",
            "*SELECT * FROM Car WHERE VIN = ?",
            '*parameters: "1"',
            "*seek Car by index on VIN*",
            "*scan Car*",
        ]
    )


def test_a_test_that_passes_shows_nothing(program: pytest.Pytester) -> None:
    program.makepyfile("def test_it(qldb_driver): list(qldb_driver.list_tables())")
    assert "QLDB statements" not in run(program, "-rA").stdout.str()


def test_no_scans_fails_a_test_that_scans_unless_it_is_allowed(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        def query(driver, text, *parameters):
            driver.execute_lambda(lambda t: list(t.execute_statement(text, *parameters)))

        def test_scan(qldb_driver, qldb_no_scans):
            query(qldb_driver, "SELECT * FROM Car WHERE owner = 'x'")

        def test_history_scan(qldb_driver, qldb_no_scans):
            query(qldb_driver, "SELECT * FROM history(Car)")

        def test_index(qldb_driver, qldb_no_scans):
            query(qldb_driver, "SELECT * FROM Car WHERE VIN = ?", "1")

        def test_allowed(qldb_driver, qldb_no_scans):
            qldb_no_scans.allow("Car")
            query(qldb_driver, "SELECT * FROM Car")

        def test_own_failure_comes_first(qldb_driver, qldb_no_scans):
            query(qldb_driver, "SELECT * FROM Car")
            assert 1 == 2
        """
    )
    result = run(program)
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        ["*statements that read whole tables*", "SELECT ? FROM Car WHERE owner = 'x'", "  scans Car"]
    )
    result.stdout.fnmatch_lines(["*assert 1 == 2*"])


def test_the_marker_freezes_ids_and_time(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        import pytest
        seen = []

        @pytest.mark.qldb_deterministic("7")
        @pytest.mark.parametrize("number", range(2))
        def test_it(qldb_driver, number):
            def work(t):
                return [str(r["documentId"]) for r in t.execute_statement("INSERT INTO Car ?", {"VIN": "3"})]
            ids = qldb_driver.execute_lambda(work)
            times = qldb_driver.execute_lambda(lambda t: [str(v) for v in t.execute_statement(
                "SELECT VALUE metadata.txTime FROM _ql_committed_Car WHERE data.VIN = '3'")])
            seen.append((ids, times))
            assert seen[0] == seen[-1]

        def test_without_it_ids_differ(qldb_driver):
            rows = qldb_driver.execute_lambda(lambda t: list(t.execute_statement("INSERT INTO Car ?", {"VIN": "3"})))
            assert str(rows[0]["documentId"]) != seen[0][0][0]
        """
    )
    run(program).assert_outcomes(passed=3)


def test_parallel_workers_do_not_meet(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_it(qldb_driver, number):
            qldb_driver.execute_lambda(lambda t: t.execute_statement("INSERT INTO Car ?", {"VIN": "n", "n": number}))
            rows = qldb_driver.execute_lambda(lambda t: list(t.execute_statement("SELECT n FROM Car WHERE VIN = 'n'")))
            assert [row["n"] for row in rows] == [number]
        """
    )
    run(program, "-n", "2").assert_outcomes(passed=6)


def test_a_seed_that_fails_says_file_and_line(program: pytest.Pytester) -> None:
    program.path.joinpath("cars.partiql").write_text("CREATE TABLE Car;\nSELECT FROM")
    program.makepyfile("def test_it(qldb_ledger): pass")
    result = run(program)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*cars.partiql, line 2: Parser Error*"])


def test_a_run_that_asks_for_no_fixture_loads_nothing() -> None:
    code = "import sys, qldb_emulator.pytest_plugin; print([m for m in sys.modules if m.startswith('qldb_emulator')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['qldb_emulator', 'qldb_emulator.pytest_plugin']"
