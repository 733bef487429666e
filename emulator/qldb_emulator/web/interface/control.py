"""The control plane's operations of AWS's model, with all members in one JSON object.

For programs without an SDK: they need neither its paths nor its headers.  The console uses it, too.
"""

from __future__ import annotations

from typing import Any

from ...errors import INVALID_PARAMETER, READ_ONLY, UNKNOWN_OPERATION
from ...wire.model import Operation, Shape, load_service
from ...wire.serialize import serialize_result
from ...wire.validate import Refused, read_value
from .call import Call, Raw
from .values import JSON, plain

READING = ("Describe", "List", "Get")
"""The names of operations that change nothing begin with these."""


def run_operation(call: Call) -> Raw:
    """Answer ``POST /operations/{operation}``: the result of the operation."""
    operation = load_service("qldb").operations.get(call.path["operation"])
    if operation is None:
        raise UNKNOWN_OPERATION(text=f"There is no operation {call.path['operation'][:100]}")
    if call.is_read_only and not operation.name.startswith(READING):
        raise READ_ONLY()
    # As JSON: the model's reader knows JSON values only, not Ion.
    document = _without_decimals(plain(call.members))
    try:
        members = read_value(operation.input, _checked(operation.input, document), "")
    except Refused as refusal:
        raise INVALID_PARAMETER(text=refusal, parameter=refusal.path) from refusal
    result = call.emulator.call(operation.name, members, call.context())
    return Raw(serialize_result(operation, result) or b"{}", JSON)


def _checked(shape: Shape, document: Any) -> Any:
    """Return the members by their own names: in the AWS API some are in the path or the query under other names."""
    known = {member.wire_name: member.name for member in shape.members.values()}
    return {known.get(name, name): value for name, value in document.items()}


def _without_decimals(value: Any) -> Any:
    """Convert decimals to floats, which the model's integers and timestamps refuse or accept by its own rules."""
    if isinstance(value, dict):
        return {name: _without_decimals(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_decimals(each) for each in value]
    return float(value) if type(value).__name__ == "Decimal" else value


def operations() -> list[Operation]:
    """Return every operation of the control plane."""
    return list(load_service("qldb").operations.values())
