"""``qldb-emulator serve``: start the server and run until stopped."""

from __future__ import annotations

import logging
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from ..limits import PRESETS, Limits, with_limit
from ..records import dataclass
from ..seeding.sample_files import SAMPLES
from ..settings import (
    DEFAULT_ACCOUNT,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_REGION,
    DEFAULT_STATEMENT_LOG,
    Settings,
)
from .failure import Failure
from .hooks import INIT_DIRECTORY, Hooks
from .importing import without_collections
from .logs import log_to_stderr
from .seed import Seeds
from .tracing import Tracing

if TYPE_CHECKING:
    import ssl

    from ..auth.keys import Authenticator
    from ..aws.local import LocalAws
    from ..engine.emulator import Emulator
    from ..web.dispatch import Dispatcher
    from ..web.routes import Admin
    from ..web.server import Server

logger = logging.getLogger(__name__)


def limits_of(preset: str, changes: Sequence[str]) -> Limits:
    """The limits that the options ask for.  Raises BadParameter."""
    limits = PRESETS[preset]
    for change in changes:
        try:
            limits = with_limit(limits, change)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--limit") from error
    return limits


def check_account(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """An AWS account id: twelve digits."""
    if len(value) != 12 or not (value.isascii() and value.isdigit()):
        raise click.BadParameter("an account id has twelve digits")
    return value


def check_advertise(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """An address without a path: requests of clients are sent on to it as they are."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        is_address = False
    if not is_address or parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise click.BadParameter(f"{value!r} is not the address of a server, such as http://server1.internal:7532")
    return value.rstrip("/")


def check_hosts(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Host names; several in one value are separated by commas or blanks, as in an environment variable."""
    from ..web.access import is_host_pattern

    names = tuple(name for value in values for name in value.replace(",", " ").split())
    for name in names:
        if not is_host_pattern(name):
            raise click.BadParameter(f"{name!r} is not a host name (without port; *.example.test for all below one)")
    return names


@click.command()
@click.option(
    "--host", default=DEFAULT_HOST, show_default=True, envvar="QLDB_EMULATOR_HOST", help="Address to listen on."
)
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar="QLDB_EMULATOR_PORT",
    help="Port for both APIs; 0 takes any free one and prints it.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    callback=check_hosts,
    envvar="QLDB_EMULATOR_ALLOW_HOST",
    help="Also answer to this host name, or with *. to all below it; may be repeated.  See docs/auth.md.",
)
@click.option(
    "--tls",
    "makes_certificate",
    is_flag=True,
    envvar="QLDB_EMULATOR_TLS",
    help="Speak TLS (https), with a certificate made for this machine; the start says how to trust it.",
)
@click.option(
    "--tls-cert",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_TLS_CERT",
    help="Speak TLS with this certificate and its chain, in PEM form.",
)
@click.option(
    "--tls-key",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_TLS_KEY",
    help="The private key of --tls-cert, if it is in a file of its own.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_DATA_DIR",
    help="Where ledgers are kept.  [default: ~/.qldb-emulator]",
)
@click.option(
    "--ephemeral",
    is_flag=True,
    envvar="QLDB_EMULATOR_EPHEMERAL",
    help="Keep ledgers in a temporary directory, unsynced, removed at exit.",
)
@click.option(
    "--journal",
    metavar="URL",
    envvar="QLDB_EMULATOR_JOURNAL",
    help="Keep journals in a PostgreSQL database (postgresql://...) that several servers share.  See docs/cluster.md.",
)
@click.option(
    "--advertise",
    metavar="URL",
    envvar="QLDB_EMULATOR_ADVERTISE",
    callback=check_advertise,
    help="Where the other servers of --journal reach this one.  [default: its own address]",
)
@click.option(
    "--region",
    default=DEFAULT_REGION,
    show_default=True,
    envvar="QLDB_EMULATOR_REGION",
    help="Region of requests that name none.",
)
@click.option(
    "--account",
    default=DEFAULT_ACCOUNT,
    show_default=True,
    callback=check_account,
    envvar="QLDB_EMULATOR_ACCOUNT",
    help="Account id in ARNs.",
)
@click.option(
    "--state-delay",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    envvar="QLDB_EMULATOR_STATE_DELAY",
    help="Seconds that a ledger is CREATING, DELETING, and its key UPDATING.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    envvar="QLDB_EMULATOR_LOG_LEVEL",
    help="How much to say on standard error.",
)
@click.option(
    "--log-format",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json"]),
    envvar="QLDB_EMULATOR_LOG_FORMAT",
    help="How: lines for people, or a JSON object a line for programs.",
)
@click.option(
    "--traces",
    metavar="URL",
    envvar="QLDB_EMULATOR_TRACES",
    help="Send OpenTelemetry traces of statements, plans and commits there, by OTLP over HTTP.  Needs the extra otel.",
)
@click.option(
    "--init-dir",
    default=INIT_DIRECTORY,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_INIT_DIR",
    help="Where boot.d, start.d, ready.d and shutdown.d are: what runs at these moments.  See docs/operations.md.",
)
@click.option(
    "--admin/--no-admin",
    "has_admin",
    default=None,
    envvar="QLDB_EMULATOR_ADMIN",
    help="Answer the admin interface under /_qldb.  [default: on a loopback address or with --ephemeral, and without "
    "--auth]",
)
@click.option(
    "--console",
    default="on",
    show_default=True,
    type=click.Choice(["on", "read-only", "off"]),
    envvar="QLDB_EMULATOR_CONSOLE",
    help="Pages for a browser at /.  read-only: neither they nor the JSON interface under /_qldb change anything.",
)
@click.option(
    "--deterministic",
    metavar="SEED",
    envvar="QLDB_EMULATOR_DETERMINISTIC",
    help="Take ids, tokens and time from this seed: the same requests leave the same journals, byte for byte.",
)
@click.option(
    "--statement-log",
    default=DEFAULT_STATEMENT_LOG,
    show_default=True,
    type=click.IntRange(0, 100_000),
    envvar="QLDB_EMULATOR_STATEMENT_LOG",
    help="How many recent statements /_qldb/requests shows; 0 keeps none.",
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=click.Path(path_type=Path),
    envvar="QLDB_EMULATOR_SEED",
    help="Fill ledgers from a file or folder (.partiql, .ion, .json, .py, .sh, an exported journal); may be repeated.  "
    "[default: ready.d of --init-dir, where there is one]",
)
@click.option(
    "--sample",
    "samples",
    multiple=True,
    type=click.Choice(SAMPLES),
    envvar="QLDB_EMULATOR_SAMPLE",
    help="Fill a ledger of this name with the tutorial's tables.",
)
@click.option(
    "--show-plans",
    is_flag=True,
    envvar="QLDB_EMULATOR_SHOW_PLANS",
    help="Answer each ExecuteStatement with a header x-qldb-emulator-plan: its plan and what it read.",
)
@click.option(
    "--s3-endpoint",
    metavar="URL",
    envvar="QLDB_EMULATOR_S3_ENDPOINT",
    help="Where ExportJournalToS3 writes.  [default: what boto3 finds]",
)
@click.option(
    "--kinesis-endpoint",
    metavar="URL",
    envvar="QLDB_EMULATOR_KINESIS_ENDPOINT",
    help="Where StreamJournalToKinesis writes.  [default: what boto3 finds]",
)
@click.option(
    "--stream-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_STREAM_FILE",
    help="Append the journal records of every ledger to this file, as JSON, a line each.",
)
@click.option(
    "--with-aws",
    is_flag=True,
    envvar="QLDB_EMULATOR_WITH_AWS",
    help="Also run an S3 and a Kinesis (moto's, in memory), for exports and streams without an account.",
)
@click.option(
    "--aws-port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    envvar="QLDB_EMULATOR_AWS_PORT",
    help="Port of --with-aws; 0 takes any free one and prints it.",
)
@click.option(
    "--auth",
    "auth_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="QLDB_EMULATOR_AUTH",
    help="Take only requests signed by an access key of this file, within its policy.  See docs/auth.md.",
)
@click.option(
    "--limits",
    "limits_preset",
    default="strict",
    show_default=True,
    type=click.Choice(sorted(PRESETS)),
    envvar="QLDB_EMULATOR_LIMITS",
    help="QLDB's quotas, or none of them.",
)
@click.option(
    "--limit",
    "limit_changes",
    multiple=True,
    metavar="NAME=VALUE",
    envvar="QLDB_EMULATOR_LIMIT",
    help="Set one limit, or lift it with the value none; may be repeated.  Names: docs/limits.md.",
)
def serve(
    host: str,
    port: int,
    allowed_hosts: tuple[str, ...],
    makes_certificate: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    data_dir: Path | None,
    ephemeral: bool,
    journal: str | None,
    advertise: str | None,
    region: str,
    account: str,
    state_delay: float,
    log_level: str,
    log_format: str,
    traces: str | None,
    init_dir: Path,
    has_admin: bool | None,
    console: Literal["on", "read-only", "off"],
    deterministic: str | None,
    statement_log: int,
    seeds: tuple[Path, ...],
    samples: tuple[str, ...],
    show_plans: bool,
    s3_endpoint: str | None,
    kinesis_endpoint: str | None,
    stream_file: Path | None,
    with_aws: bool,
    aws_port: int,
    limits_preset: str,
    limit_changes: tuple[str, ...],
    auth_file: Path | None,
) -> None:
    """Start the server and run until stopped (SIGINT or SIGTERM)."""
    if ephemeral and data_dir is not None and given_here("data_dir") and given_here("ephemeral"):
        raise click.UsageError("--ephemeral keeps nothing, so it takes no --data-dir")
    if given_here("data_dir"):  # a container's environment names a directory; what is said here goes before it
        ephemeral = False
    if aws_port and not with_aws:
        raise click.UsageError("--aws-port needs --with-aws")
    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key needs --tls-cert")
    if makes_certificate and tls_cert is not None:
        raise click.UsageError("--tls makes a certificate, so it takes no --tls-cert")
    refuse_with_journal(journal, advertise, deterministic, stream_file)
    front = Front(host, port, allowed_hosts, makes_certificate, tls_cert, tls_key, advertise)
    log_to_stderr(log_level, log_format == "json")
    from ..web.access import is_loopback

    directory = None if ephemeral else (data_dir or Path.home() / ".qldb-emulator")
    settings = Settings(
        data_dir=directory,
        is_ephemeral=ephemeral,
        region=region,
        account=account,
        has_admin=((ephemeral or is_loopback(host)) and auth_file is None) if has_admin is None else has_admin,
        console=console,
        deterministic_seed=deterministic,
        statement_log=statement_log,
        shows_plans=show_plans,
        limits=limits_of(limits_preset, limit_changes),
        s3_endpoint=s3_endpoint,
        kinesis_endpoint=kinesis_endpoint,
        stream_file=stream_file,
        journal=journal,
        state_delay_ms=round(state_delay * 1000),
    )
    hooks = Hooks(init_dir)
    if not seeds and hooks.ready.is_dir():
        seeds = (hooks.ready,)
    for path in seeds:
        if not path.exists():
            raise Failure(f"--seed: there is no {path}")
    if not with_aws:
        run_server(settings, front, seeds, samples, None, auth_file, hooks, traces)
        return
    with local_aws(aws_port) as aws:
        settings = replace(settings, s3_endpoint=s3_endpoint or aws.url, kinesis_endpoint=kinesis_endpoint or aws.url)
        run_server(settings, front, seeds, samples, aws.url, auth_file, hooks, traces)


def refuse_with_journal(
    journal: str | None, advertise: str | None, deterministic: str | None, stream_file: Path | None
) -> None:
    """Raises UsageError for options that cannot be together with a journal that servers share."""
    if journal is None:
        if advertise is not None:
            raise click.UsageError("--advertise needs --journal")
        return
    if deterministic is not None:
        raise click.UsageError("--deterministic needs a journal of its own, so it cannot be used with --journal")
    if stream_file is not None:
        raise click.UsageError("--stream-file cannot be used with --journal: every server would write the file")


@dataclass(frozen=True, slots=True)
class Front:
    """Where and how the server is reached: as the options of the same names say."""

    host: str
    port: int
    allowed_hosts: tuple[str, ...] = ()
    makes_certificate: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    advertise: str | None = None

    def url_for_peers(self, server: Server) -> str:
        """Where the other servers of a shared journal reach this one."""
        from ..web.access import is_loopback

        if self.advertise is not None or is_loopback(server.host):
            return self.advertise or server.url
        if server.host not in ("0.0.0.0", "::"):
            return server.url
        scheme = server.url.partition("://")[0]
        return f"{scheme}://{socket.gethostname()}:{server.port}"

    def tls(self, settings: Settings) -> tuple[Path | None, ssl.SSLContext | None]:
        """(what programs must be told to trust, TLS), each None without it.  Raises Failure."""
        if not self.makes_certificate and self.tls_cert is None:
            return None, None
        from ..clock import SystemClock
        from ..web.tls import TlsError, certificate_names, made_certificate, server_context

        try:
            if self.tls_cert is not None:
                return None, server_context(self.tls_cert, self.tls_key)
            # A temporary data directory would make programs trust another certificate at every start.
            directory = (settings.data_dir or Path.home() / ".qldb-emulator") / ".tls"
            made = made_certificate(directory, certificate_names(self.host, self.allowed_hosts), SystemClock())
            return made.authority, server_context(made.certificate)
        except TlsError as error:
            raise Failure(f"TLS: {error}") from error


def trust_lines(authority: Path) -> list[str]:
    """What makes programs trust a certificate that was made here."""
    file = shlex.quote(str(authority))
    return [
        f"trust the certificate - boto3, AWS CLI: export AWS_CA_BUNDLE={file}",
        f"trust the certificate - Node.js: export NODE_EXTRA_CA_CERTS={file}",
        f"trust the certificate - Go, OpenSSL (instead of the system's): export SSL_CERT_FILE={file}",
        f"trust the certificate - Java: keytool -importcert -noprompt -alias qldb-emulator -file {file} "
        "-keystore qldb-emulator.jks -storepass changeit, "
        "then java -Djavax.net.ssl.trustStore=qldb-emulator.jks -Djavax.net.ssl.trustStorePassword=changeit",
    ]


def given_here(option: str) -> bool:
    """Whether an option stands on the command line, not only in the environment."""
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def local_aws(port: int) -> LocalAws:
    """A running S3 and Kinesis.  Raises Failure."""
    from ..aws.clients import AwsMissingError
    from ..aws.local import LocalAws

    try:
        return LocalAws(port)
    except AwsMissingError as error:
        raise Failure(f"--with-aws: {error}") from error
    except OSError as error:
        raise Failure(f"--aws-port: port {port} cannot be used: {error.strerror}") from error


def authenticator_of(file: Path) -> Authenticator:
    """What knows the keys of a file.  Raises Failure."""
    from ..auth.keys import AuthFileError, read_auth_file
    from ..clock import WallClock

    try:
        return read_auth_file(file, WallClock())  # signatures are of the real time, also where the ledgers' is not
    except (AuthFileError, OSError) as error:
        raise Failure(str(error)) from error


def run_server(
    settings: Settings,
    front: Front,
    seed_paths: tuple[Path, ...] = (),
    samples: tuple[str, ...] = (),
    aws_url: str | None = None,
    auth_file: Path | None = None,
    hooks: Hooks | None = None,
    traces: str | None = None,
) -> None:
    """Serve until a signal comes.

    aws_url: of an S3 and Kinesis that run along.  hooks: programs of boot, start and shutdown.  traces: where
    OpenTelemetry traces go.  Raises Failure.
    """
    with without_collections():
        from ..engine.emulator import Emulator
        from ..storage.errors import StorageError
        from ..web.access import Access
        from ..web.app import create_dispatcher
        from ..web.listening import ListenError
        from ..web.server import Server

    try:
        authenticator = None if auth_file is None else authenticator_of(auth_file)
        authority, tls = front.tls(settings)
        tracing = None if traces is None else Tracing(traces)
        if hooks is not None:
            hooks.boot()
        emulator = Emulator(settings)
    except (StorageError, OSError) as error:
        raise Failure(str(error)) from error
    with emulator:
        dispatcher = create_dispatcher(emulator, authenticator, Access(front.allowed_hosts))
        server = Server(dispatcher, front.host, front.port, tls)
        if tracing is not None:
            tracing.follow(emulator)
        # The programs of shutdown.d still find the server; a second signal does not wait for them.
        stop = server.request_stop if hooks is None else hooks.before(server.request_stop)

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            stop()

        # Set explicitly: process 1 of a container gets no default handlers, a background job of a shell no SIGINT.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        try:
            server.start()
        except ListenError as error:
            raise Failure(str(error)) from error
        join_others(emulator, dispatcher, front.url_for_peers(server), authority)
        threading.Thread(target=emulator.resume_streams, name="qldb-emulator-resume", daemon=True).start()
        seeds = Seeds(emulator, server.url, samples, seed_paths, authority)
        if hooks is not None:
            hooks.environment = seeds.environment()
        start = Start(
            seeds, dispatcher.admin, lambda: announce(server.url, settings, aws_url, authority), server, hooks
        )
        start.begin()
        # Beside the first requests: a client begins with some that run no statement.
        threading.Thread(target=emulator.get_ready, name="qldb-emulator-import", daemon=True).start()
        server.serve_forever()
        start.end()
        if tracing is not None:
            tracing.close()


def warn_of_database(emulator: Emulator) -> None:
    """Say at the start what a PostgreSQL does not keep.  Raises Failure when it takes no blocks at all."""
    from ..log.postgres import PostgresLogs
    from ..log.postgres_checks import examine

    assert isinstance(emulator.logs, PostgresLogs)
    for found in examine(emulator.logs.connections):
        if found.check == "primary":
            raise Failure(f"--journal: {found.text}. {found.remedy}")
        if found.state != "ok":
            logger.warning("journal: %s%s", found.text, f" (remedy: {found.remedy})" if found.remedy else "")


def join_others(emulator: Emulator, dispatcher: Dispatcher, url: str, authority: Path | None) -> None:
    """Be one of the servers that share journals, if they are shared.  Raises Failure."""
    from ..storage.errors import StorageError

    if emulator.steward is None:
        return
    warn_of_database(emulator)
    if dispatcher.gateway.forwarder is not None and authority is not None:
        import ssl

        trusts = ssl.create_default_context()  # with the authorities of SSL_CERT_FILE, for other servers' certificates
        trusts.load_verify_locations(authority)
        dispatcher.gateway.forwarder.trusts = trusts
    try:
        emulator.steward.start(url)
    except StorageError as error:
        raise Failure(str(error)) from error
    forwarder = dispatcher.gateway.forwarder
    if forwarder is not None:  # beside the rest: a server that is silent takes some seconds
        threading.Thread(target=forwarder.warn_of_unreachable, name="qldb-emulator-reach", daemon=True).start()


class Start:
    """From listening to ready: the seeds run beside the server, so that programs among them find it and a signal ends
    them, too."""

    def __init__(
        self, seeds: Seeds, admin: Admin, announce: Callable[[], None], server: Server, hooks: Hooks | None = None
    ) -> None:
        self._hooks = hooks
        self._seeds = seeds
        self._admin = admin
        self._announce = announce
        self._server = server
        self._thread: threading.Thread | None = None
        self._failure: Failure | None = None

    def begin(self) -> None:
        """Become ready, at once or when the seeds have run."""
        if not self._seeds and (self._hooks is None or not self._hooks.has_start):
            self._announce()
            return
        self._admin.is_ready = False
        if self._seeds:
            self._admin.reseed = self._seeds.run_after_reset
        self._thread = threading.Thread(target=self._run, name="qldb-emulator-seed")
        self._thread.start()

    def _run(self) -> None:
        from ..seeding.files import SeedError

        try:
            if self._hooks is not None:
                self._hooks.start()
            self._seeds.run()
        except (SeedError, Failure) as error:
            self._failure = error if isinstance(error, Failure) else Failure(f"--seed: {error}")
            self._server.request_stop()
            return
        self._admin.is_ready = True
        self._announce()

    def end(self) -> None:
        """End what still runs.  Raises Failure when a seed has failed."""
        if self._thread is None:
            return
        failure = self._failure  # what comes after cancelling is no failure of the seed
        if failure is None:
            if self._hooks is not None:
                self._hooks.cancel()
            self._seeds.cancel()
        self._thread.join()
        if failure is not None:
            raise failure


def announce(url: str, settings: Settings, aws_url: str | None = None, authority: Path | None = None) -> None:
    """The last lines of a start: where the server is, and what to export to point a client at it."""
    log = logging.getLogger("qldb_emulator")
    log.info("Ready on %s\n%s", url, "\n".join(_start_block(url, settings, aws_url)))
    if authority is not None:
        for line in trust_lines(authority):
            log.info("%s", line)
    log.info("Ready.")  # the line that what was written for LocalStack waits for


def _start_block(url: str, settings: Settings, aws_url: str | None) -> Iterator[str]:
    """Lines to read and to paste into a shell: short ones, so that a terminal does not break them."""
    yield f"  data:    {settings.data_dir or 'in a temporary directory, removed at exit'}"
    if settings.has_admin:
        yield f"  look:    {url}/"
    if aws_url is not None:
        yield f"  S3 and Kinesis: {aws_url}"
    yield '  clients: eval "$(qldb-emulator env)", or:'
    yield f"    export AWS_ENDPOINT_URL_QLDB={url}"
    yield f"    export AWS_ENDPOINT_URL_QLDB_SESSION={url}"
    if aws_url is not None:
        yield f"    export AWS_ENDPOINT_URL_S3={aws_url}"
        yield f"    export AWS_ENDPOINT_URL_KINESIS={aws_url}"
    yield f"    export AWS_DEFAULT_REGION={settings.region}"
    yield "    export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
