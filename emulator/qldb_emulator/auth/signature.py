"""AWS Signature Version 4, as a service checks it (documented: AWS General Reference, "Signature Version 4").

Pure: the parts of a request and the time are passed in.  Only signatures in the Authorization header count; QLDB took
no presigned URLs.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

from ..errors import (
    SIGNATURE_DOES_NOT_MATCH,
    SIGNATURE_EXPIRED,
    SIGNATURE_INCOMPLETE,
    SIGNATURE_KEY_UNKNOWN,
    SIGNATURE_MISSING,
    SIGNATURE_SCOPE,
)
from ..records import dataclass

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "qldb"
TOLERANCE_SECONDS = 15 * 60
_FIELD = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,\s]+)\s*")
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r" +")
# These headers decide what a request means, so anyone could change the meaning if they were unsigned.
_MUST_BE_SIGNED = ("host", "x-amz-date", "x-amz-target", "x-amz-content-sha256", "x-amz-security-token")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it was on the wire.

    path and query: still percent-encoded, the query without its question mark.  headers: by lower-case name.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an Authorization header says."""

    access_key: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{SERVICE}/aws4_request"


def verify(request: SignedRequest, secret_of: Callable[[str], str | None], now_ms: int) -> str:
    """Return the access key id that signed a request.

    secret_of: returns the secret of an access key id; None for an unknown one.  Raises the errors of requests that are
    not or not fully signed, signed by an unknown key, too long ago or in the future, or with another content.
    """
    claim = _read_claim(request.headers)
    timestamp = _check_time(request.headers, claim, now_ms)
    secret = secret_of(claim.access_key)
    if secret is None:
        raise SIGNATURE_KEY_UNKNOWN()
    body_hash = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-amz-content-sha256", body_hash) != body_hash:
        raise SIGNATURE_DOES_NOT_MATCH()
    canonical = canonical_request(request, claim.signed_headers, body_hash)
    expected = _sign(secret, claim, timestamp, canonical)
    if not hmac.compare_digest(expected, claim.signature):
        raise SIGNATURE_DOES_NOT_MATCH()
    return claim.access_key


def sign(request: SignedRequest, access_key: str, secret: str, region: str, now_ms: int) -> dict[str, str]:
    """Return the headers that sign a request, to be sent with its own, which must include the host."""
    timestamp = _stamp(now_ms // 1000)
    headers = {**request.headers, "x-amz-date": timestamp}
    names = tuple(sorted(name for name in headers if name in _MUST_BE_SIGNED))
    claim = _Claim(access_key, timestamp[:8], region, names, "")
    whole = SignedRequest(request.method, request.path, request.query, headers, request.body)
    signature = _sign(
        secret, claim, timestamp, canonical_request(whole, names, hashlib.sha256(request.body).hexdigest())
    )
    fields = f"Credential={access_key}/{claim.scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return {"x-amz-date": timestamp, "authorization": f"{ALGORITHM} {fields}"}


def _read_claim(headers: Mapping[str, str]) -> _Claim:
    authorization = headers.get("authorization", "")
    if not authorization:
        raise SIGNATURE_MISSING()
    algorithm, _, rest = authorization.partition(" ")
    matches = [_FIELD.fullmatch(part) for part in rest.split(",")]
    fields = {match[1]: match[2] for match in matches if match is not None}
    if algorithm != ALGORITHM or len(fields) != 3 or len(matches) != 3:
        raise SIGNATURE_INCOMPLETE(
            reason=f"Authorization must be '{ALGORITHM}' with Credential, SignedHeaders, Signature"
        )
    scope = fields["Credential"].split("/")
    if len(scope) != 5 or not all(scope) or scope[4] != "aws4_request":
        raise SIGNATURE_INCOMPLETE(reason="Credential must be a key and a scope: KEY/DATE/REGION/SERVICE/aws4_request")
    if scope[3] != SERVICE:
        raise SIGNATURE_SCOPE(text=f"Credential should be scoped to correct service: '{SERVICE}'.")
    signed = tuple(fields["SignedHeaders"].lower().split(";"))
    unsigned = [name for name in _MUST_BE_SIGNED if name in headers and name not in signed]
    if unsigned:
        raise SIGNATURE_INCOMPLETE(reason=f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.")
    if not _SIGNATURE.fullmatch(fields["Signature"]):
        raise SIGNATURE_DOES_NOT_MATCH()
    return _Claim(scope[0], scope[1], scope[2], signed, fields["Signature"])


def _check_time(headers: Mapping[str, str], claim: _Claim, now_ms: int) -> str:
    """Return the request's time stamp.  Raises QldbError if it is missing, out of scope or too far from now."""
    timestamp = headers.get("x-amz-date", "")
    if not _DATE.fullmatch(timestamp):
        raise SIGNATURE_INCOMPLETE(reason="Authorization header requires existence of an 'X-Amz-Date' header.")
    try:
        seconds = calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise SIGNATURE_INCOMPLETE(reason="'X-Amz-Date' is not a time") from error
    if not timestamp.startswith(claim.date):
        raise SIGNATURE_SCOPE(text="Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date")
    now = now_ms // 1000
    if seconds < now - TOLERANCE_SECONDS:
        limit = _stamp(now - TOLERANCE_SECONDS)
        raise SIGNATURE_EXPIRED(
            text=f"Signature expired: {timestamp} is now earlier than {limit} ({_stamp(now)} - 15 min.)"
        )
    if seconds > now + TOLERANCE_SECONDS:
        limit = _stamp(now + TOLERANCE_SECONDS)
        raise SIGNATURE_EXPIRED(
            text=f"Signature not yet current: {timestamp} is still later than {limit} ({_stamp(now)} + 15 min.)"
        )
    return timestamp


def _stamp(seconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def canonical_request(request: SignedRequest, signed_headers: tuple[str, ...], body_hash: str) -> str:
    """Return the text whose hash is signed."""
    headers = "".join(f"{name}:{_value(request.headers.get(name, ''))}\n" for name in signed_headers)
    # Services other than S3 encode the path a second time.
    path = quote(request.path or "/", safe="/~")
    return "\n".join([request.method, path, _query(request.query), headers, ";".join(signed_headers), body_hash])


def _value(text: str) -> str:
    return _SPACES.sub(" ", text.strip())


def _query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    encoded = sorted((_encode(name), _encode(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    return quote(unquote(text.replace("+", "%20")), safe="-_.~")


def _sign(secret: str, claim: _Claim, timestamp: str, canonical: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in claim.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{timestamp}\n{claim.scope}\n{hashed}"
    return hmac.digest(key, text.encode(), "sha256").hex()
