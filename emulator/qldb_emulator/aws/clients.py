"""Clients of S3 and Kinesis, created when first needed: boto3 is an extra, and importing it takes half a second.

A client with its own endpoint needs credentials only to sign; if the machine has none, it uses made-up ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..extras import install_command

ANY_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 3


class AwsError(Exception):
    """A call failed.

    code, message: as the service sent them, or the name and text of the error that prevented the call.
    is_answer: whether the service answered at all.
    """

    def __init__(self, code: str, message: str, is_answer: bool) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.is_answer = is_answer


class AwsMissingError(AwsError):
    """boto3 or moto is not installed."""

    def __init__(self, package: str) -> None:
        # In a text, the message follows the code: "moto is not installed: ..."
        super().__init__(package, f"is not installed: {install_command('aws')}", False)


def client(service: str, region: str, endpoint: str | None = None) -> Any:
    """Return a boto3 client.  endpoint: None for the one that boto3 finds (AWS_ENDPOINT_URL_S3, profiles, AWS).

    Raises AwsMissingError, AwsError.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise AwsMissingError("boto3") from error
    with errors():
        session = boto3.Session()
        given = ANY_CREDENTIALS if endpoint is not None and session.get_credentials() is None else {}
        # Bucket names as subdomains do not resolve at a custom endpoint.
        style = {"s3": {"addressing_style": "path"}} if endpoint is not None and service == "s3" else {}
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            **style,
        )
        return session.client(service, region_name=region, endpoint_url=endpoint, config=config, **given)


@contextmanager
def errors() -> Iterator[None]:
    """Turn errors of botocore into AwsError."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise AwsMissingError("boto3") from error
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        raise AwsError(str(answer.get("Code", "Unknown")), str(answer.get("Message", error)), True) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        raise AwsError(type(error).__name__, str(error), False) from error
