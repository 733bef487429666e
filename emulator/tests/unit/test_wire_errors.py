"""Errors on the wire: status, name in header and body, and what botocore makes of them (wire-captures 7)."""

from __future__ import annotations

import botocore.parsers
import pytest
from helpers.wire_support import CLIENT_MODELS

from qldb_emulator import errors
from qldb_emulator.errors import Problem, QldbError
from qldb_emulator.wire.errors import REASONS, STATUSES, encode_error, error_status
from qldb_emulator.wire.model import load_service

QUALIFIED = "com.amazonaws.qldbsession#"
PROBLEMS = {name: problem for name, problem in vars(errors).items() if isinstance(problem, Problem)}


def _client_sees(service, encoded):
    model = CLIENT_MODELS[service]
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    headers = {"x-amzn-errortype": encoded.error_type}
    operation = next(iter(model.operation_names))
    response = {"status_code": encoded.status, "headers": headers, "body": encoded.body}
    seen = parser.parse(response, model.operation_model(operation).output_shape)
    # What botocore's endpoint does next: the members of the error shape, if it knows the name.
    shape = model.shape_for_error_code(seen["Error"]["Code"])
    return {**seen, **(parser.parse(response, shape) if shape else {})}


MODELLED = [
    ("qldb", "InvalidParameterException", 400),
    ("qldb", "LimitExceededException", 400),
    ("qldb", "ResourceNotFoundException", 404),
    ("qldb", "ResourceAlreadyExistsException", 409),
    ("qldb", "ResourceInUseException", 409),
    ("qldb", "ResourcePreconditionNotMetException", 412),
    ("qldb-session", "BadRequestException", 400),
    ("qldb-session", "InvalidSessionException", 400),
    ("qldb-session", "OccConflictException", 400),
    ("qldb-session", "RateExceededException", 400),
    ("qldb-session", "LimitExceededException", 400),
    ("qldb-session", "CapacityExceededException", 503),
]
UNMODELLED = [
    ("AccessDeniedException", 400),
    ("SerializationException", 400),
    ("UnknownOperationException", 404),
    ("InternalFailure", 500),
    ("ServiceUnavailable", 503),
    ("RequestEntityTooLargeException", 413),
    ("NotSupportedByEmulatorException", 400),
    ("LedgerFileUnusableException", 400),
]


@pytest.mark.parametrize(
    ("service", "shape", "status"), [*MODELLED, *((s, *row) for row in UNMODELLED for s in ("qldb", "qldb-session"))]
)
def test_botocore_names_every_error_by_its_shape(service, shape, status):
    encoded = encode_error(QldbError(shape, "m"), service)
    seen = _client_sees(service, encoded)
    assert (status, shape, shape) == (encoded.status, encoded.error_type, seen["Error"]["Code"])
    assert ("" if shape == "InternalFailure" else "m") == seen["Error"]["Message"]


def test_the_table_of_modelled_errors_is_complete():
    shapes = [(name, shape) for name in CLIENT_MODELS for shape in load_service(name).error_statuses]
    assert sorted(shapes) == sorted((service, shape) for service, shape, _ in MODELLED)


def test_every_problem_of_the_error_table_has_a_status_in_some_service():
    homeless = [
        name
        for name, problem in PROBLEMS.items()
        if error_status(problem.shape, "qldb") is None and error_status(problem.shape, "qldb-session") is None
    ]
    assert homeless == []


def test_every_status_has_a_reason_phrase():
    statuses = {error_status(shape, service) for service, shape, _ in MODELLED} | {s.code for s in STATUSES.values()}
    assert statuses <= REASONS.keys()


@pytest.mark.parametrize(
    ("error", "body"),
    [
        pytest.param(
            QldbError("BadRequestException", "m"),
            b'{"__type":"com.amazonaws.qldbsession#BadRequestException","Message":"m"}',
            id="variant A",
        ),
        pytest.param(
            QldbError("BadRequestException", "m", {"Code": "412"}),
            b'{"__type":"com.amazonaws.qldbsession#BadRequestException","Message":"m","Code":"412"}',
            id="variant B, with Code",
        ),
        pytest.param(
            QldbError("InvalidSessionException", "Transaction I1pH6SCujBW0JYpPoLQT02 has expired"),
            b'{"__type":"com.amazonaws.qldbsession#InvalidSessionException",'
            b'"Message":"Transaction I1pH6SCujBW0JYpPoLQT02 has expired"}',
            id="variant F, expiry",
        ),
        pytest.param(
            QldbError("AccessDeniedException", "no"),
            b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}',
            id="variant G, outside the model",
        ),
        pytest.param(QldbError("InternalFailure", "secret"), b'{"__type":"InternalFailure"}', id="variant I, bare"),
        pytest.param(
            QldbError("BadRequestException", "é €"),
            b'{"__type":"com.amazonaws.qldbsession#BadRequestException","Message":"\\u00e9 \\u20ac"}',
            id="text beyond ASCII",
        ),
    ],
)
def test_session_errors_have_the_bytes_that_were_seen_to_work(error, body):
    encoded = encode_error(error, "qldb-session")
    assert (error.shape, body) == (encoded.error_type, encoded.body)


def test_code_reaches_the_user_of_boto3():
    seen = _client_sees("qldb-session", encode_error(errors.TABLE_EXISTS(name="T"), "qldb-session"))
    assert (seen["Error"]["Code"], seen["Code"]) == ("BadRequestException", "412")


def test_the_members_of_a_control_plane_error_reach_the_user_of_boto3():
    seen = _client_sees("qldb", encode_error(errors.LEDGER_PROTECTED(name="cars"), "qldb"))
    assert (seen["ResourceType"], seen["ResourceName"]) == ("Ledger", "cars")


def test_a_control_plane_error_has_capital_message_and_its_members_and_no_code():
    encoded = encode_error(errors.LEDGER_EXISTS(name="cars"), "qldb")
    assert encoded.body == (
        b'{"__type":"ResourceAlreadyExistsException","Message":"Ledger name already exists",'
        b'"ResourceType":"Ledger","ResourceName":"cars"}'
    )


@pytest.mark.parametrize("service", ["qldb", "qldb-session"])
def test_only_our_failures_and_overload_are_5xx(service):
    shapes = {*STATUSES, *load_service(service).error_statuses}
    statuses = {shape: error_status(shape, service) for shape in shapes}
    assert {"InternalFailure", "ServiceUnavailable", "CapacityExceededException", "TooManyConnectionsException"} == {
        shape for shape, status in statuses.items() if status is not None and status >= 500
    }


def test_an_error_of_the_other_service_is_our_bug():
    with pytest.raises(LookupError, match="qldb-session has no error ResourceNotFoundException"):
        encode_error(errors.LEDGER_NOT_FOUND(name="x", elsewhere=""), "qldb-session")
