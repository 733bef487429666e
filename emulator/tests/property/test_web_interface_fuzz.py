"""Requests made from the OpenAPI document: no answer is a failure of the server, and every answer is as described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from helpers.local_driver import new_emulator, new_ledger
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from qldb_emulator.web.app import create_app
from qldb_emulator.web.interface.operations import operations
from qldb_emulator.web.interface.specification import openapi
from qldb_emulator.web.interface.transactions import OpenTransactions
from qldb_emulator.web.interface.uploads import Uploads

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 6
"""Per operation: some fifty of them have to fit a test run."""


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    with new_emulator(has_admin=True) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE Car")
        session.run("INSERT INTO Car ?", {"VIN": "1"})
        yield create_app(emulator)


SCHEMA = schemathesis.openapi.from_dict(openapi(operations(OpenTransactions(), Uploads())))
LEFT_OUT = ("tail", "getLedgersLedgerStream", "postReset")
"""Streams without an end, and what would delete the ledger that the others ask about."""

OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
OPERATIONS = [each for each in OPERATIONS if each.definition.raw["operationId"] not in LEFT_OUT]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.definition.raw["operationId"])
def test_what_is_described_is_what_answers(app: Any, operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def ask(case: Any) -> None:
        if "ledger" in (case.path_parameters or {}):
            case.path_parameters["ledger"] = "cars"
        response = case.call(app=app)
        case.validate_response(response, checks=CHECKS)

    ask()
