"""Writes to a Kinesis data stream: within Kinesis's limits, repeating records until the stream has taken all.

=======================  ===========================================  =======================
behaviour                here                                         source
=======================  ===========================================  =======================
record, key included     at most 1 MiB                                documented: Kinesis
PutRecords               at most 500 records, 5 MiB                   documented: Kinesis
aggregated record        about 50 KB, as the KPL makes them by        inferred
                         default; a larger user record has its own
=======================  ===========================================  =======================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .aggregation import aggregate, aggregated_size
from .clients import AwsError, client, errors

RECORD_BYTES = 1024 * 1024
REQUEST_RECORDS = 500
REQUEST_BYTES = 5 * 1024 * 1024
AGGREGATE_BYTES = 51_200
TOO_LARGE = "RecordTooLarge"
_REPEATS = 5

UserRecord = tuple[str, bytes]
"""(partition key, data)."""


class KinesisStream:
    """One data stream, known by the last part of its ARN.  Every method raises AwsError."""

    def __init__(self, name: str, region: str, endpoint: str | None) -> None:
        self.name = name
        self._region = region
        self._endpoint = endpoint
        self._client: Any = None

    def check(self) -> None:
        """Raise AwsError unless the stream exists and may be described."""
        with errors():
            self._connected().describe_stream(StreamName=self.name, Limit=1)

    def put(self, records: Sequence[UserRecord], is_aggregated: bool) -> None:
        """Write all records, in order; if it raises, any of them may have been written.

        Raises AwsError with the code TOO_LARGE, before anything is written, for a record that no stream takes.
        """
        entries = list(_aggregated(records) if is_aggregated else records)
        for key, data in entries:
            size = len(key) + len(data)
            if size > RECORD_BYTES:
                text = f"a record has {size} bytes, its partition key included; Kinesis takes {RECORD_BYTES}"
                raise AwsError(TOO_LARGE, text, False)
        for request in _requests(entries):
            self._put(request)

    def _put(self, request: list[dict[str, Any]]) -> None:
        for _ in range(_REPEATS):
            with errors():
                answer = self._connected().put_records(StreamName=self.name, Records=request)
            results = answer["Records"]
            refused = [number for number, result in enumerate(results) if result.get("ErrorCode")]
            if not refused:
                return
            first = results[refused[0]]
            request = [request[number] for number in refused]
        raise AwsError(first["ErrorCode"], first.get("ErrorMessage", ""), True)

    def _connected(self) -> Any:
        if self._client is None:
            self._client = client("kinesis", self._region, self._endpoint)
        return self._client


def _aggregated(records: Iterable[UserRecord]) -> Iterator[UserRecord]:
    """Combine records.  One that is too large for an aggregated record stays alone: readers accept both forms."""
    together: list[UserRecord] = []
    for record in records:
        if together and aggregated_size([*together, record]) > AGGREGATE_BYTES:
            yield _wrapped(together)
            together = []
        together.append(record)
    if together:
        yield _wrapped(together)


def _wrapped(records: list[UserRecord]) -> UserRecord:
    key = records[0][0]
    if len(records) == 1 and len(key) + aggregated_size(records) > RECORD_BYTES:
        return records[0]
    return key, aggregate(records)


def _requests(entries: Iterable[UserRecord]) -> Iterator[list[dict[str, Any]]]:
    request: list[dict[str, Any]] = []
    size = 0
    for key, data in entries:
        entry_size = len(key) + len(data)
        if request and (len(request) == REQUEST_RECORDS or size + entry_size > REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append({"Data": data, "PartitionKey": key})
        size += entry_size
    if request:
        yield request
