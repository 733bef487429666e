"""TLS for the server: with the user's certificate, or with one that is created for this machine.

The latter comes from a certificate authority whose key is discarded at once, so it can never sign anything else: a
program that trusts it trusts this server and no other.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..clock import Clock, utc
from ..extras import install_command
from ..records import dataclass

DAYS = 825  # Apple's systems trust no certificate for longer
DAY_MS = 24 * 3600 * 1000
RENEW_DAYS = 30  # a certificate with less time left is replaced at a start


class TlsError(Exception):
    """TLS cannot be used; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """certificate: the server's chain and private key.  authority: what clients must trust."""

    certificate: Path
    authority: Path


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return what a server needs to speak TLS 1.2 and 1.3.

    key: if it is not in the certificate's file.  Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])  # clients that prefer HTTP/2 learn that it is not offered
    for file in [certificate] if key is None else [certificate, key]:
        try:
            file.read_bytes()
        except OSError as error:
            raise TlsError(f"{file} cannot be read: {error.strerror}") from error
    try:
        # An empty password, because a question at the terminal could block a server for ever.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        names = str(certificate) if key is None else f"{certificate} and {key}"
        text = "they must be in PEM form, belong together, and the key must have no password"
        raise TlsError(f"{names} cannot be used for TLS ({error}): {text}") from error
    return context


def certificate_names(host: str, allowed_hosts: Sequence[str]) -> list[str]:
    """Return the names and addresses for a certificate of this machine.  host: where the server listens."""
    names = ["localhost", "127.0.0.1", "::1", "host.docker.internal", socket.gethostname().lower(), *allowed_hosts]
    if host not in ("0.0.0.0", "::", ""):
        names.append(host)
    return list(dict.fromkeys(names))


def made_certificate(directory: Path, names: Sequence[str], clock: Clock) -> MadeCertificate:
    """Return the certificate in a directory; create one if none fits these names, or if it expires soon.

    names: host names and addresses that clients may use; ``*.`` and a name for all below it.  Raises TlsError.
    """
    made = MadeCertificate(directory / "server.pem", directory / "ca.pem")
    try:
        if not _is_good(made, names, clock):
            _make(made, names, clock)
    except ValueError as error:
        raise TlsError(f"no certificate can be made for {', '.join(names)}: {error}") from error
    except OSError as error:
        raise TlsError(f"a certificate cannot be kept in {directory}: {error.strerror}") from error
    return made


def _is_good(made: MadeCertificate, names: Sequence[str], clock: Clock) -> bool:
    """Whether a certificate exists, is for these names, and does not expire soon."""
    if not (made.certificate.is_file() and made.authority.is_file()):
        return False
    _, x509 = _libraries()
    try:
        certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return False
    covered = {str(name.value) for name in extension.value}
    left_ms = certificate.not_valid_after_utc.timestamp() * 1000 - clock.now_ms()
    return covered >= set(names) and left_ms > RENEW_DAYS * DAY_MS


def _make(made: MadeCertificate, names: Sequence[str], clock: Clock) -> None:
    """Write a new certificate, and the authority to trust for it."""
    trustme, _ = _libraries()
    authority = trustme.CA(organization_name="qldb-emulator")
    now = clock.now_ms()
    certificate = authority.issue_cert(
        *names, organization_name="qldb-emulator", not_before=utc(now - DAY_MS), not_after=utc(now + DAYS * DAY_MS)
    )
    made.certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(made.certificate, certificate.private_key_and_cert_chain_pem.bytes(), 0o600)
    _write(made.authority, authority.cert_pem.bytes(), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a whole file; its permissions are never wider than they should be."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    part.replace(path)


def _libraries() -> tuple[Any, Any]:
    """trustme, and cryptography's x509."""
    try:
        import trustme
        from cryptography import x509
    except ImportError as error:
        raise TlsError(
            f"a certificate is made by trustme, which is not installed: {install_command('tls')}, "
            "or give one by --tls-cert and --tls-key"
        ) from error
    return trustme, x509
