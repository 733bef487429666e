"""A time stamping authority of a test's own: openssl answers, a small HTTP server carries it (RFC 3161)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")

_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamp]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = dn
[dn]
"""


def openssl(*words: object, folder: Path) -> bytes:
    """What openssl prints.  The test fails when it does."""
    done = subprocess.run(["openssl", *map(str, words)], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@contextmanager
def authority(folder: Path) -> Iterator[str]:
    """The URL of an authority.  Its certificate is ``folder/ca.pem``."""
    config = folder / "tsa.cnf"
    config.write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-config", config)
    openssl(
        *new,
        "-x509",
        "-days",
        30,
        "-subj",
        "/CN=Test CA",
        "-extensions",
        "ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        folder=folder,
    )
    openssl(*new, "-subj", "/CN=Test TSA", "-keyout", "tsa.key", "-out", "tsa.csr", folder=folder)
    openssl(
        "x509",
        "-req",
        "-in",
        "tsa.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        30,
        "-CAcreateserial",
        "-extfile",
        config,
        "-extensions",
        "stamp",
        "-out",
        "tsa.pem",
        folder=folder,
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = folder / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl("ts", "-reply", "-queryfile", query, "-config", config, "-out", "answer.tsr", folder=folder)
            answer = (folder / "answer.tsr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
