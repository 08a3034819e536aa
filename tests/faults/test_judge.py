"""Shows the judge one broken promise of each kind, which it has to find, and calls with which nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from judge import Entry, Report, judge

SENT, PAYLOAD, OTHER = "1111111111111111", "2222222222222222", "3333333333333333"
REPORT = Report(
    id=7,
    driver="blocking",
    url="http://127.0.0.1:1",
    type="RequestResponse",
    retry="SAFE",
    timeout_ms=1000,
    interrupted_after=0,
    sent=SENT,
    status="LAMBDA_OK",
    execution="RAN",
    attempts=1,
    unknown_attempts=0,
    began_us=1000,
    took_us=5000,
    delay_us=0,
    payload_len=20,
    payload=PAYLOAD,
    owner=7,
    request_id="7-1",
    http_status=200,
    message="",
)
ENTRY = Entry(7, 1, "sound,nowhere,-,AtOnce,Keep", True, "RAN", PAYLOAD, SENT, None)
FAILED = {
    "status": "LAMBDA_E_IO",
    "execution": "UNKNOWN",
    "unknown_attempts": 1,
    "payload_len": 0,
    "owner": -1,
    "request_id": "-",
    "message": "f-7: broke",
}
STREAMED = FAILED | {"driver": "stream", "execution": "RAN", "payload_len": 5}
OPEN = {"expected": "-", "payload": "broken"}
REFUSED = FAILED | {"execution": "NONE", "unknown_attempts": 0}
DROPPED = FAILED | {"driver": "queue", "status": "DROPPED", "attempts": 0, "unknown_attempts": 0, "message": ""}


def found(report: dict[str, Any], *entries: dict[str, Any]) -> list[str]:
    made = [replace(ENTRY, attempt=number, **changes) for number, changes in enumerate(entries, 1)]
    return judge([replace(REPORT, **report)], made, range(7, 8)).broken


@pytest.mark.parametrize(
    ("report", "entries"),
    [
        ({}, [{}]),
        (FAILED, [OPEN]),
        (FAILED, [OPEN | {"executed": False}]),
        (FAILED, []),
        (REFUSED, []),
        (REFUSED, [OPEN | {"executed": False}]),
        (FAILED | {"retry": "ALWAYS", "attempts": 2, "unknown_attempts": 2}, [OPEN, OPEN]),
        ({"retry": "ALWAYS", "attempts": 2, "unknown_attempts": 1}, [OPEN, {}]),
        ({"execution": "QUEUED", "payload_len": 0}, [{"expected": "QUEUED", "payload": "any"}]),
        ({"execution": "NONE", "payload_len": 0}, [{"expected": "NONE", "payload": "any", "executed": False}]),
        (FAILED | {"status": "LAMBDA_E_TIMEOUT", "took_us": 1_099_000}, [{}]),
        (FAILED | {"status": "LAMBDA_E_TIMEOUT", "took_us": 1_149_000, "delay_us": 50_000}, [{}]),
        # The response came too late, or the interrupt too early.
        (FAILED | {"status": "LAMBDA_E_SERVICE", "took_us": 1_000_000}, [{"expected": "NONE", "executed": False}]),
        (FAILED | {"status": "LAMBDA_E_CANCELLED", "interrupted_after": 1}, [{}]),
        # A stream hands out what comes before it breaks.
        (STREAMED, [OPEN]),
        # Nobody knows what became of a call that its queue was freed with.
        (DROPPED, []),
        (DROPPED, [{}]),
        (DROPPED | {"retry": "ALWAYS"}, [OPEN, OPEN, {}]),
        (DROPPED | {"took_us": 149_000, "delay_us": 50_000}, [{}]),
        # Nobody can tell an unsolicited response that crosses the request from the request's own.
        ({"owner": 8, "payload": OTHER}, [{"since_unsolicited_us": 9_000, "executed": False}]),
        ({"owner": 8, "delay_us": 5_000}, [{"since_unsolicited_us": 14_000}]),
    ],
)
def test_what_is_right_is_not_reported(report: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    assert not found(report, *entries)


@pytest.mark.parametrize(
    ("what", "report", "entries"),
    [
        ("reported as NONE, but executed", REFUSED, [OPEN]),
        ("reported as RAN, but not executed", {}, [{"executed": False}]),
        ("reported as RAN, but not executed", {}, []),
        ("reported as QUEUED, but not executed", {"execution": "QUEUED"}, [OPEN | {"executed": False}]),
        ("executed 2 times, 1 allowed", FAILED | {"attempts": 2}, [OPEN, OPEN]),
        ("executed 2 times, 1 allowed", {"retry": "ALWAYS", "attempts": 2}, [OPEN, {}]),
        (
            "executed 3 times, 2 allowed",
            FAILED | {"retry": "ALWAYS", "attempts": 3, "unknown_attempts": 1},
            [OPEN, OPEN, OPEN],
        ),
        ("a response showed that it ran", FAILED, [{}]),
        ("a response showed that it was queued", FAILED, [OPEN | {"expected": "QUEUED"}]),
        ("all responses showed that it did not run", FAILED, [OPEN | {"expected": "NONE", "executed": False}]),
        ("got the response of another call", {"owner": 8}, [{}]),
        ("got the response of another call", {"request_id": "8-1"}, [{}]),
        ("got the response of another call", {"request_id": "unsolicited-1"}, [{}]),
        ("got the response of another call", {"request_id": "77-1"}, [{}]),
        ("its response was not whole", {}, [OPEN]),
        ("has another payload than was sent", {"payload": OTHER}, [{}]),
        ("has another payload than was sent", {"status": "LAMBDA_FUNCTION_ERROR", "payload": OTHER}, [{}]),
        ("failed, but has a payload", FAILED | {"payload_len": 1}, [OPEN]),
        ("does not name its function", FAILED | {"message": "broke"}, [OPEN]),
        ("2 attempts arrived of 1", FAILED, [OPEN, OPEN]),
        ("at most 1 are allowed", FAILED | {"retry": "NONE", "attempts": 2}, [OPEN]),
        ("at most 3 are allowed", FAILED | {"attempts": 4}, [OPEN]),
        ("more unknown attempts than attempts", FAILED | {"unknown_attempts": 2}, [OPEN]),
        ("followed a redirect", FAILED, [OPEN | {"label": "redirected"}]),
        ("another payload arrived than was sent", {}, [{"request": OTHER}]),
        ("ended after its deadline", {"took_us": 1_101_000}, [{}]),
        ("ended after its deadline", {"took_us": 1_151_000, "delay_us": 50_000}, [{"since_unsolicited_us": 0}]),
        ("got the response of another call", {"owner": 8}, [{"since_unsolicited_us": 10_000}]),
        ("handed out a part of the payload", STREAMED | {"execution": "UNKNOWN"}, [OPEN]),
        ("executed 2 times, 1 allowed", DROPPED, [OPEN, OPEN]),
        ("2 attempts arrived of 1", DROPPED | {"retry": "NONE"}, [OPEN, OPEN]),
        ("another payload arrived than was sent", DROPPED, [{"request": OTHER}]),
        ("its queue was not freed at once", DROPPED | {"took_us": 101_000}, []),
        ("ended after its interrupt", {"interrupted_after": 1, "took_us": 201_000}, [{}]),
    ],
)
def test_what_is_wrong_is_found(what: str, report: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    assert any(what in fault for fault in found(report, *entries)), found(report, *entries)


LATE = replace(REPORT, took_us=1_200_000)


@pytest.mark.parametrize(
    ("other", "is_excused"),
    [
        ({"delay_us": 100_000}, True),
        ({"delay_us": 99_000}, False),
        ({"delay_us": 100_000, "began_us": 1_201_000}, False),
    ],
)
def test_a_call_may_wait_for_a_lock_as_long_as_another_waits_for_a_processor(
    other: dict[str, Any], is_excused: bool
) -> None:
    others = replace(REPORT, id=8, owner=8, request_id="8-1", **other)
    ledger = [ENTRY, replace(ENTRY, id=8)]
    assert (not judge([LATE, others], ledger, range(7, 9)).broken) == is_excused


def test_the_response_that_an_unsolicited_one_replaced_may_go_astray() -> None:
    astray = replace(REPORT, owner=8, request_id="8-1")
    assert judge([astray], [ENTRY], range(7, 8)).broken
    assert not judge([astray], [ENTRY, replace(ENTRY, id=8, since_unsolicited_us=0)], range(7, 8)).broken


@pytest.mark.parametrize("times", [0, 2])
def test_a_call_that_is_not_reported_once_is_found(times: int) -> None:
    assert judge([REPORT] * times, [ENTRY], range(7, 8)).broken[-1] == f"call 7: reported {times} times, not once"
