"""What a result that a test makes has where the test does not say: what a real one of its status would have."""

from __future__ import annotations

import json
from typing import Any

from ._table import Execution, Status

# The cautious value is the default: a test of code that handles failures should meet the case in which nobody knows.
_EXECUTIONS = {
    Status.OK: Execution.RAN,
    Status.FUNCTION_ERROR: Execution.RAN,
    Status.TOO_LARGE: Execution.RAN,
    Status.INVALID_ARGUMENT: Execution.NONE,
    Status.CONFIG: Execution.NONE,
    Status.CREDENTIALS: Execution.NONE,
    Status.RESOLVE: Execution.NONE,
    Status.CONNECT: Execution.NONE,
    Status.TLS: Execution.NONE,
    Status.THROTTLED: Execution.NONE,
}
_HTTP_STATUSES = {Status.FUNCTION_ERROR: 200, Status.TOO_LARGE: 200, Status.THROTTLED: 429, Status.SERVICE: 500}
# A success: the response of RequestResponse, Event and DryRun.
_HTTP_STATUSES_OF_OK = {Execution.RAN: 200, Execution.QUEUED: 202, Execution.NONE: 204}
_REFUSED = (Status.INVALID_ARGUMENT, Status.CONFIG, Status.CREDENTIALS)
_REQUEST_ID = "00000000-0000-0000-0000-000000000000"


def fields(returned: object, status: Status, execution: Execution | None, given: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of Result."""
    if execution is None:
        execution = _EXECUTIONS.get(status, Execution.UNKNOWN)
    http_status = _HTTP_STATUSES_OF_OK.get(execution, 0) if status == Status.OK else _HTTP_STATUSES.get(status, 0)
    http_status = given.get("http_status", http_status)
    made: dict[str, Any] = {
        "status": status,
        "execution": execution,
        "http_status": http_status,
        "attempts": 0 if status in _REFUSED else 1,
        "unknown_attempts": 1 if execution == Execution.UNKNOWN else 0,
        "request_id": _REQUEST_ID if http_status else None,
    }
    if status == Status.FUNCTION_ERROR:
        made["function_error"] = "Unhandled"
        if returned is None:
            returned = {"errorMessage": given.get("error_message"), "errorType": given.get("error_type")}
    if http_status == 200:
        made["executed_version"] = "$LATEST"
        made["content_type"] = "application/json"
    # An Event, a DryRun and a failure have no payload unless the test gives one.
    if http_status == 200 or returned is not None:
        made["payload"] = returned if isinstance(returned, bytes) else json.dumps(returned).encode()
    return {**made, **given}
