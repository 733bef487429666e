"""ExportJournalToS3, DescribeJournalS3Export, ListJournalS3Exports and ListJournalS3ExportsForLedger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import (
    END_IN_FUTURE,
    EXPORT_KEY_MISMATCH,
    EXPORT_NOT_FOUND,
    INVALID_PARAMETER,
    START_AFTER_END,
)
from ..arns import is_role_arn
from ..ledger.facts import ExportJob
from ..outgoing.exports import journal_begins_ms
from .lookup import Members, active_ledger, any_ledger
from .paging import paginate

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger
    from ..parts import Parts


# The JavaScript SDK rounds times to whole seconds, half of them upwards, and AWS's tutorial exports "until now"
# (sample: journal.md 5.4).  So an end less than a second ahead is accepted.
CLOCK_TOLERANCE_MS = 1_000


def export_journal(parts: Parts, members: Members, region: str) -> Members:
    """ExportJournalToS3."""
    from ...journal.exports import Export

    ledger = active_ledger(parts, members["Name"], region)
    configuration = members["S3ExportConfiguration"]
    encryption = configuration["EncryptionConfiguration"]
    now = ledger.now_ms()
    _check_range(members["InclusiveStartTime"], members["ExclusiveEndTime"], now)
    _check_key(encryption)
    if not is_role_arn(members["RoleArn"]):
        text = "The parameter RoleArn is not valid: it must be the ARN of an IAM role"
        raise INVALID_PARAMETER(text=text, parameter="RoleArn")
    export = Export(
        export_id=parts.ids.new_id(),
        ledger_name=ledger.name,
        strand_id=ledger.strand_id,
        requested_ms=now,
        start_ms=max(members["InclusiveStartTime"], journal_begins_ms(ledger.file)),
        end_ms=members["ExclusiveEndTime"],
        bucket=configuration["Bucket"],
        prefix=configuration["Prefix"],
        encryption=encryption["ObjectEncryptionType"],
        output_format=members.get("OutputFormat", "ION_TEXT"),
        format_given="OutputFormat" in members,
    )
    parts.exports.start(ledger, export, members["RoleArn"], encryption.get("KmsKeyArn"))
    return {"ExportId": export.export_id}


def describe_export(parts: Parts, members: Members, region: str) -> Members:
    """DescribeJournalS3Export."""
    ledger = any_ledger(parts, members["Name"], region)
    job = next((job for job in parts.exports.of(ledger) if job.export.export_id == members["ExportId"]), None)
    if job is None:
        raise EXPORT_NOT_FOUND(id=members["ExportId"], name=ledger.name)
    return {"ExportDescription": _description(job)}


def list_exports(parts: Parts, members: Members, region: str) -> Members:
    """Return the jobs of all ledgers of the region (ListJournalS3Exports)."""
    return _page(parts, "ListJournalS3Exports", members, region, parts.ledgers.in_region(region))


def list_exports_of_ledger(parts: Parts, members: Members, region: str) -> Members:
    """ListJournalS3ExportsForLedger."""
    ledger = any_ledger(parts, members["Name"], region)
    return _page(parts, "ListJournalS3ExportsForLedger", members, region, [ledger])


def _page(parts: Parts, operation: str, members: Members, region: str, ledgers: list[Ledger]) -> Members:
    """Sort jobs by the time of their request, then by id (inferred)."""
    jobs = sorted((job for ledger in ledgers for job in parts.exports.of(ledger)), key=_age)
    page, token = paginate(operation, members, jobs, _age, scope=region)
    answer: Members = {"JournalS3Exports": [_description(job) for job in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


def _age(job: ExportJob) -> tuple[int | str, ...]:
    return job.export.requested_ms, job.export.export_id


def _description(job: ExportJob) -> Members:
    export = job.export
    encryption: Members = {"ObjectEncryptionType": export.encryption}
    if job.kms_key_arn is not None:
        encryption["KmsKeyArn"] = job.kms_key_arn
    return {
        "LedgerName": export.ledger_name,
        "ExportId": export.export_id,
        "ExportCreationTime": export.requested_ms,
        "Status": job.status,
        "InclusiveStartTime": export.start_ms,
        "ExclusiveEndTime": export.end_ms,
        "S3ExportConfiguration": {
            "Bucket": export.bucket,
            "Prefix": export.prefix,
            "EncryptionConfiguration": encryption,
        },
        "RoleArn": job.role_arn,
        "OutputFormat": export.output_format,
    }


def _check_range(start_ms: int, end_ms: int, now_ms: int) -> None:
    """Raise START_AFTER_END, also if both are equal: the start must be before the end (documented)."""
    if start_ms >= end_ms:
        raise START_AFTER_END(parameter="InclusiveStartTime")
    if end_ms >= now_ms + CLOCK_TOLERANCE_MS:
        raise END_IN_FUTURE(parameter="ExclusiveEndTime")


def _check_key(encryption: Members) -> None:
    is_kms = encryption["ObjectEncryptionType"] == "SSE_KMS"
    if "KmsKeyArn" in encryption and not is_kms:
        raise EXPORT_KEY_MISMATCH()
    if is_kms and "KmsKeyArn" not in encryption:
        parameter = "S3ExportConfiguration.EncryptionConfiguration.KmsKeyArn"
        text = f"The parameter {parameter} is required with SSE_KMS"
        raise INVALID_PARAMETER(text=text, parameter=parameter)
