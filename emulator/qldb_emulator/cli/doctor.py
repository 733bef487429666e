"""``qldb-emulator doctor``: what on this machine keeps a program from talking to QLDB, and how to fix it."""

from __future__ import annotations

import email.utils
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from ..clock import SystemClock
from ..extras import install_command
from ..records import dataclass
from .connection import json_option, url_option
from .failure import EXIT_FAILED

State = Literal["ok", "note", "bad"]
_COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}
LAST_BOTOCORE = (1, 40, 60)  # the last with QLDB's models (wire.md 5, measured)
CLOCK_SECONDS = 300  # what AWS allows a signature to be off


@dataclass(frozen=True, slots=True)
class Finding:
    """fix: what to do; empty if there is nothing to do."""

    check: str
    state: State
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """A Python and the versions of what is installed for it."""

    executable: str
    version: str
    packages: Mapping[str, str]


PACKAGES = ("botocore", "pyqldb", "amazon.ion")
_ASK = (
    "import importlib.metadata as m, json, sys\n"
    "found = {}\n"
    "for name in sys.argv[1:]:\n"
    "    try: found[name] = m.version(name)\n"
    "    except m.PackageNotFoundError: pass\n"
    "print(json.dumps([sys.executable, '.'.join(map(str, sys.version_info[:3])), found]))"
)
ASK_SECONDS = 20


def python_environment(environment: Mapping[str, str]) -> PythonEnvironment:
    """The environment that the user's programs run in.

    The active one; else that of this command, if a client of QLDB is installed in it; else that of the python3 which
    a shell finds: ``qldb-emulator`` may have an environment of its own, as made by pipx, uv or scripts/qldb-emulator.
    """
    active = environment.get("VIRTUAL_ENV")
    if active and Path(active, "bin", "python").is_file():
        return _asked(str(Path(active, "bin", "python")))
    own = _asked(sys.executable)
    other = shutil.which("python3", path=environment.get("PATH"))
    return own if own.packages or other is None else _asked(other)


def _asked(python: str) -> PythonEnvironment:
    try:
        asked = subprocess.run(
            [python, "-c", _ASK, *PACKAGES], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
        executable, version, packages = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return PythonEnvironment(python, "unknown", {})
    return PythonEnvironment(executable, version, packages)


def check_python(python: PythonEnvironment) -> Finding:
    """The interpreter whose packages the next checks look at."""
    if python.version == "unknown":
        return Finding("python", "bad", f"{python.executable} does not run", "create the environment again")
    return Finding("python", "ok", f"Python {python.version} at {python.executable}")


def check_botocore(python: PythonEnvironment, environment: Mapping[str, str], home: Path) -> Finding:
    """Whether boto3 there has, or is given, QLDB's models."""
    version = python.packages.get("botocore")
    if version is None:
        return Finding("boto3", "note", f"boto3 is not installed for {python.executable}")
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if numbers <= LAST_BOTOCORE:
        return Finding("boto3", "ok", f"botocore {version} has QLDB's models")
    found = models_folder(environment, home)
    if found is not None:
        return Finding("boto3", "ok", f"botocore {version} has none of QLDB's models, but {found} has")
    return Finding(
        "boto3",
        "bad",
        f"botocore {version} has no QLDB: boto3.client('qldb') raises UnknownServiceError",
        'qldb-emulator models install, or for one shell: eval "$(qldb-emulator env)"',
    )


def models_folder(environment: Mapping[str, str], home: Path) -> Path | None:
    """A folder on botocore's search path that has QLDB's models."""
    folders = [Path(part) for part in environment.get("AWS_DATA_PATH", "").split(os.pathsep) if part]
    for folder in [*folders, home / ".aws" / "models"]:
        if (folder / "qldb-session").is_dir():
            return folder
    return None


def check_pyqldb(python: PythonEnvironment) -> Finding:
    """The Python driver, and the Ion library that it uses."""
    version = python.packages.get("pyqldb")
    if version is None:
        return Finding("pyqldb", "note", f"pyqldb is not installed for {python.executable}")
    return Finding("pyqldb", "ok", f"pyqldb {version} with amazon.ion {python.packages.get('amazon.ion', 'missing')}")


def check_other_clients() -> Finding:
    """AWS CLI: version 2 has no QLDB any more."""
    path = shutil.which("aws")
    if path is None:
        return Finding("aws cli", "note", "the AWS CLI is not installed")
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("aws cli", "note", f"{path} does not run: {error}")
    version = (asked.stdout or asked.stderr).strip().split(" ")[0]
    if version.startswith("aws-cli/1."):
        return Finding("aws cli", "ok", version)
    text = f"{version}: recent versions have no qldb commands"
    return Finding("aws cli", "note", text, "use qldb-emulator ledgers and shell")


def check_endpoint(environment: Mapping[str, str]) -> Finding:
    """Whether official clients would come here, or go to AWS, which has no QLDB any more."""
    names = ("AWS_ENDPOINT_URL_QLDB", "AWS_ENDPOINT_URL_QLDB_SESSION")
    missing = [name for name in names if not environment.get(name) and not environment.get("AWS_ENDPOINT_URL")]
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return Finding("endpoint", "bad", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true", "unset it")
    if not missing:
        used = environment.get(names[1]) or environment.get("AWS_ENDPOINT_URL")
        return Finding("endpoint", "ok", f"session requests go to {used}")
    return Finding(
        "endpoint",
        "note",
        f"{' and '.join(missing)} not set: clients without an endpoint_url of their own go to AWS, which has no QLDB",
        'eval "$(qldb-emulator env)", or pass endpoint_url',
    )


def check_credentials(environment: Mapping[str, str], home: Path) -> Finding:
    """SDKs refuse to send without any; the emulator takes whatever they send."""
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return Finding("credentials", "ok", "from the environment")
    if environment.get("AWS_PROFILE") or (home / ".aws" / "credentials").is_file():
        return Finding("credentials", "ok", "from a profile")
    return Finding(
        "credentials",
        "bad",
        "not set; SDKs send no request without them",
        "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local",
    )


def check_region(environment: Mapping[str, str], home: Path) -> Finding:
    """SDKs refuse to start without one, and each region has ledgers of its own."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region:
        return Finding("region", "ok", region)
    if (home / ".aws" / "config").is_file():
        return Finding("region", "ok", "perhaps from ~/.aws/config")
    text = "not set; SDKs refuse to start without it"
    return Finding("region", "bad", text, "export AWS_DEFAULT_REGION=us-east-1")


def check_server(url: str) -> list[Finding]:
    """Whether a server answers, which one, and how far its clock is off."""
    try:
        with urllib.request.urlopen(url.rstrip("/") + "/_qldb/health", timeout=5) as answer:
            members = json.load(answer)
            date = answer.headers.get("Date")
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if "CERTIFICATE_VERIFY_FAILED" in str(reason):
            text = f"the certificate of {url} is not trusted: {reason}"
            return [Finding("server", "bad", text, "export SSL_CERT_FILE=the ca.pem that serve --tls names")]
        return [Finding("server", "bad", f"no emulator answers at {url}: {reason}", "qldb-emulator serve")]
    findings = [Finding("server", "ok", f"{members.get('name')} {members.get('version')} at {url}")]
    if date:
        offset = SystemClock().now_ms() / 1000 - email.utils.parsedate_to_datetime(date).timestamp()
        if abs(offset) > CLOCK_SECONDS:
            text = f"the server's clock is {-offset:+.0f} s off this machine's"
            findings.append(Finding("clock", "bad", text, "set both by NTP: signed requests would be refused"))
        else:
            findings.append(Finding("clock", "ok", "the server's and this machine's agree"))
    return findings


def check_journal(url: str) -> list[Finding]:
    """Whether the database that servers share keeps what it acknowledges."""
    from ..log.opening import open_logs
    from ..log.postgres_checks import examine as examine_database
    from ..storage.errors import StorageError

    try:
        logs = open_logs(url)
        try:
            found = examine_database(logs.connections)
        finally:
            logs.close()
    except StorageError as error:
        return [Finding("journal", "bad", str(error), "start PostgreSQL, or correct the address")]
    return [Finding(f"journal {each.check}", each.state, each.text, each.remedy) for each in found]


def check_patroni(url: str) -> list[Finding]:
    """Whether Patroni fails over without losing acknowledged blocks."""
    try:
        from ..log.postgres_checks import examine_patroni
    except ImportError as error:
        return [Finding("patroni", "bad", str(error), install_command("postgres"))]
    found = examine_patroni(url)
    return [Finding(found.check, found.state, found.text, found.remedy)]


def examine(url: str, environment: Mapping[str, str], home: Path) -> list[Finding]:
    """Every check."""
    python = python_environment(environment)
    return [
        check_python(python),
        check_botocore(python, environment, home),
        check_pyqldb(python),
        check_other_clients(),
        check_endpoint(environment),
        check_credentials(environment, home),
        check_region(environment, home),
        *check_server(url),
    ]


@click.command()
@url_option
@click.option(
    "--journal",
    metavar="URL",
    envvar="QLDB_EMULATOR_JOURNAL",
    help="Also check the PostgreSQL that servers share (serve --journal).",
)
@click.option(
    "--patroni", metavar="URL", envvar="QLDB_EMULATOR_PATRONI", help="Also check the Patroni whose REST API is here."
)
@json_option
def doctor(url: str, journal: str | None, patroni: str | None, as_json: bool) -> None:
    """Check SDK versions, endpoint, credentials, region, server and clock, with a fix for each problem.

    Looks at the Python environment that is active ($VIRTUAL_ENV), else at its own, or at that of python3 if no client
    is installed in its own.  Exit code 1 if something is bad.
    """
    findings = examine(url, os.environ, Path.home())
    if journal is not None:
        findings += check_journal(journal)
    if patroni is not None:
        findings += check_patroni(patroni)
    if as_json:
        rows = [{"check": f.check, "state": f.state, "text": f.text, "fix": f.fix} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            mark = click.style(finding.state.ljust(4), fg=_COLOURS[finding.state])
            click.echo(f"{mark}  {finding.check}: {finding.text}")
            if finding.fix:
                click.echo(f"      fix: {finding.fix}")
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(EXIT_FAILED)
