"""boto3 and pyqldb as pip installs them today: without QLDB, and then with it, in each of the three ways."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import UnknownServiceError
from pyqldb.driver.qldb_driver import QldbDriver
from server import COMMAND

from qldb_emulator import client as given_back

PROGRAM = """
import boto3
from pyqldb.driver.qldb_driver import QldbDriver

boto3.client("qldb").create_ledger(Name="{name}", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
with QldbDriver("{name}") as driver:
    driver.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Car"))
    driver.execute_lambda(lambda t: t.execute_statement("INSERT INTO Car ?", {{"VIN": "1N4AL11D75C109151"}}))
    rows = driver.execute_lambda(lambda t: list(t.execute_statement("SELECT VIN FROM Car")))
    print([str(row["VIN"]) for row in rows])
"""
PRINTED = "['1N4AL11D75C109151']\n"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home directory and an environment in which nothing of AWS is set."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _command(*arguments: str) -> str:
    done = subprocess.run([*shlex.split(COMMAND), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _python(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _as_exported(script: str) -> dict[str, str]:
    """What a shell has in its environment after evaluating a script."""
    done = subprocess.run(["sh", "-c", f'eval "{script}"; env -0'], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)


def test_todays_boto3_has_no_qldb(home):
    with pytest.raises(UnknownServiceError):
        boto3.session.Session().client("qldb", region_name="us-east-1")


def test_an_unmodified_program_runs_after_eval_env(server, home):
    exported = _as_exported(f"$({COMMAND} env --url {server.url})")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name="by-env")], capture_output=True, text=True, env=exported
    )
    assert (done.stdout, done.returncode) == (PRINTED, 0), done.stderr


def test_an_unmodified_program_runs_after_models_install_and_not_after_remove(server, home):
    environment = {
        "AWS_ENDPOINT_URL_QLDB": server.url,
        "AWS_ENDPOINT_URL_QLDB_SESSION": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    _command("models", "install")
    assert _python(PROGRAM.format(name="by-install"), **environment) == PRINTED
    _command("models", "remove")
    assert list(home.iterdir()) == []
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name="after")],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert "UnknownServiceError" in done.stderr


def test_one_line_gives_a_client_and_a_driver_without_touching_anything(server, home):
    qldb = given_back.boto3_client("qldb", server.url)
    created = qldb.create_ledger(Name="by-line", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    assert created["State"] == "CREATING"
    with given_back.driver("by-line", server.url) as driver:
        assert isinstance(driver, QldbDriver)
        driver.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Car"))
        assert list(driver.list_tables()) == ["Car"]
    assert list(home.iterdir()) == []


def test_the_endpoint_is_the_configured_one_and_never_that_of_aws(server, home, monkeypatch):
    assert given_back.boto3_client("qldb").meta.endpoint_url == given_back.DEFAULT_URL
    assert given_back.boto3_client("qldb-session").meta.endpoint_url == given_back.DEFAULT_URL
    monkeypatch.setenv("AWS_ENDPOINT_URL_QLDB", server.url)
    assert given_back.boto3_client("qldb").meta.endpoint_url == server.url
    assert given_back.boto3_client("qldb-session").meta.endpoint_url == given_back.DEFAULT_URL


def test_the_region_is_the_given_the_configured_or_the_default_one(home, monkeypatch):
    region = lambda **options: given_back.boto3_client("qldb", **options).meta.region_name  # noqa: E731
    assert region() == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert region() == "eu-west-1"
    assert region(region_name="us-west-2") == "us-west-2"
