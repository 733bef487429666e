"""StreamJournalToKinesis, DescribeJournalKinesisStream, ListJournalKinesisStreamsForLedger, CancelJournalKinesisStream.

=================================  =================================================  ==========
behaviour                          here                                               source
=================================  =================================================  ==========
AggregationEnabled                 true unless said otherwise                         documented
start before the ledger's own      streams from the first block on                    documented
end                                exclusive; may be in the future, or absent         documented
name                               unique among the ledger's running streams          documented
running streams                    at most five for a ledger                          documented
a stream that ended                described and listed for seven days                documented
cancel                             ACTIVE streams only                                documented
the data stream                    checked before the answer (DescribeStream)         documented
role                               must have the form of one; it is never assumed     ours
=================================  =================================================  ==========
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...aws.clients import AwsError, AwsMissingError
from ...errors import (
    INVALID_PARAMETER,
    KINESIS_REFUSED,
    KINESIS_UNREACHABLE,
    STREAM_NAME_TAKEN,
    STREAM_NOT_ACTIVE,
    STREAM_NOT_FOUND,
    STREAM_START_AFTER_END,
    STREAM_START_IN_FUTURE,
    STREAMS_LIMIT,
)
from ..arns import is_kinesis_arn, is_role_arn
from ..ledger.facts import LedgerFacts, Stream
from ..outgoing.stream_facts import RUNNING, find_stream, streams_of
from .lookup import Members, active_ledger
from .paging import paginate
from .tags import checked_tags

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts


def start_stream(parts: Parts, members: Members, region: str) -> Members:
    """StreamJournalToKinesis."""
    ledger = active_ledger(parts, members["LedgerName"], region)
    tags = checked_tags(parts, {}, members.get("Tags") or {})
    _check_request(parts, members)
    kinesis = members["KinesisConfiguration"]
    _check_running(ledger, ledger.facts, members["StreamName"])
    _check_kinesis(parts, kinesis["StreamArn"])  # without any lock: it may take seconds
    start_ms = members["InclusiveStartTime"]
    before = ledger.file.last_block_before(start_ms)
    stream = Stream(
        id=parts.ids.new_id(),
        name=members["StreamName"],
        role_arn=members["RoleArn"],
        kinesis_arn=kinesis["StreamArn"],
        is_aggregated=kinesis.get("AggregationEnabled", True),
        created_ms=parts.clock.now_ms(),
        start_ms=start_ms,
        end_ms=members.get("ExclusiveEndTime"),
        next_seq=0 if before is None else before + 1,
    )

    now = ledger.clock.now_ms()

    def add(facts: LedgerFacts) -> LedgerFacts:
        if stream.id in facts.streams:
            return facts
        _check_running(ledger, facts, stream.name)  # another stream may have been started meanwhile
        over = [other.id for other in facts.streams.values() if not other.is_kept(now)]
        return facts.without_streams(over).with_stream(stream).with_tags("stream", stream.id, tags)

    ledger.change_facts(add)
    parts.streams.start(ledger, stream)
    return {"StreamId": stream.id}


def describe_stream(parts: Parts, members: Members, region: str) -> Members:
    """DescribeJournalKinesisStream."""
    ledger = active_ledger(parts, members["LedgerName"], region)
    return {"Stream": _description(parts, ledger, _stream(ledger, members["StreamId"]))}


def list_streams(parts: Parts, members: Members, region: str) -> Members:
    """ListJournalKinesisStreamsForLedger: by creation time, then id (inferred)."""
    ledger = active_ledger(parts, members["LedgerName"], region)
    streams = [stream for stream in streams_of(ledger) if stream.is_kept(ledger.clock.now_ms())]
    operation = "ListJournalKinesisStreamsForLedger"
    page, token = paginate(operation, members, streams, lambda stream: (stream.created_ms, stream.id), region)
    answer: Members = {"Streams": [_description(parts, ledger, stream) for stream in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def cancel_stream(parts: Parts, members: Members, region: str) -> Members:
    """CancelJournalKinesisStream."""
    ledger = active_ledger(parts, members["LedgerName"], region)
    with ledger.commit_lock:
        stream = _stream(ledger, members["StreamId"])
        if stream.status != "ACTIVE":
            raise STREAM_NOT_ACTIVE(id=stream.id, status=stream.status)
        parts.streams.mark_cancelled(ledger, stream)
    parts.streams.stop(stream)
    return {"StreamId": stream.id}


def _check_request(parts: Parts, members: Members) -> None:
    if not is_role_arn(members["RoleArn"]):
        text = "The parameter RoleArn is not valid: it must be the ARN of an IAM role"
        raise INVALID_PARAMETER(text=text, parameter="RoleArn")
    if not is_kinesis_arn(members["KinesisConfiguration"]["StreamArn"]):
        text = "The parameter KinesisConfiguration.StreamArn is not valid: it must be the ARN of a Kinesis data stream"
        raise INVALID_PARAMETER(text=text, parameter="KinesisConfiguration.StreamArn")
    start_ms, end_ms = members["InclusiveStartTime"], members.get("ExclusiveEndTime")
    if start_ms > parts.clock.now_ms():
        raise STREAM_START_IN_FUTURE()
    if end_ms is not None and start_ms > end_ms:
        raise STREAM_START_AFTER_END()


def _check_running(ledger: Ledger, facts: LedgerFacts, name: str) -> None:
    running = [stream for stream in facts.streams.values() if stream.status in RUNNING]
    if any(stream.name == name for stream in running):
        raise STREAM_NAME_TAKEN(name=ledger.name, stream=name)
    limit = ledger.limits.streams_per_ledger
    if len(running) >= limit:
        raise STREAMS_LIMIT(limit=limit)


def _check_kinesis(parts: Parts, arn: str) -> None:
    try:
        parts.streams.target(arn).check()
    except AwsMissingError as error:
        text = f"Streaming to Kinesis: {error}"
        raise INVALID_PARAMETER(text=text, parameter="KinesisConfiguration") from error
    except AwsError as error:
        problem = KINESIS_REFUSED if error.is_answer else KINESIS_UNREACHABLE
        raise problem(code=error.code, text=error.message) from error


def _stream(ledger: Ledger, stream_id: str) -> Stream:
    stream = find_stream(ledger, stream_id)
    if stream is None or not stream.is_kept(ledger.clock.now_ms()):
        raise STREAM_NOT_FOUND(id=stream_id, name=ledger.name)
    return stream


def _description(parts: Parts, ledger: Ledger, stream: Stream) -> Members:
    return {
        "LedgerName": ledger.name,
        "CreationTime": stream.created_ms,
        "InclusiveStartTime": stream.start_ms,
        "ExclusiveEndTime": stream.end_ms,
        "RoleArn": stream.role_arn,
        "StreamId": stream.id,
        "Arn": parts.streams.arn(ledger, stream.id),
        "Status": stream.status,
        "KinesisConfiguration": {"StreamArn": stream.kinesis_arn, "AggregationEnabled": stream.is_aggregated},
        "ErrorCause": stream.error_cause,
        "StreamName": stream.name,
    }
