from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import GATE, Endpoint, Gate, Starter, eventually, is_gone


def test_invocations_run_at_the_same_time(endpoint: Endpoint, gate: Gate, background: ThreadPoolExecutor) -> None:
    calls = [background.submit(endpoint.invoke, "gate", gate.payload) for _ in range(8)]
    # All of them are there before any of them may end.
    visitors = [gate.arrival() for _ in calls]
    assert len({visitor.pid for visitor in visitors}) == len(calls)
    for number, visitor in enumerate(visitors):
        visitor.release(str(number))
    answers = [call.result()["Payload"] for call in calls]
    assert sorted(answers) == [f'"{number}"'.encode() for number in range(len(calls))]


def test_limit(start: Starter, gate: Gate, background: ThreadPoolExecutor) -> None:
    endpoint = start(gate="CONCURRENCY = 1\n" + GATE)
    first = background.submit(endpoint.invoke, "gate", gate.payload)
    visitor = gate.arrival()
    client = endpoint.client()
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="gate", Payload=gate.payload)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert response["Type"] == "User"
    visitor.release()
    assert first.result()["Payload"] == b'"go"'
    again = background.submit(endpoint.invoke, "gate", gate.payload)
    gate.arrival().release()
    assert again.result()["StatusCode"] == 200


def test_no_concurrency_at_all(start: Starter) -> None:
    endpoint = start(none="CONCURRENCY = 0\ndef handler(event, context): return 1")
    client = endpoint.client()
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName="none")


def test_events_wait_for_their_turn(start: Starter, gate: Gate) -> None:
    endpoint = start(gate="CONCURRENCY = 1\n" + GATE)
    client = endpoint.client()
    for _ in range(3):
        assert client.invoke(FunctionName="gate", InvocationType="Event", Payload=gate.payload)["StatusCode"] == 202
    pids = set()
    for _ in range(3):
        visitor = gate.arrival()
        pids.add(visitor.pid)
        visitor.release()
    assert len(pids) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_process_stays_behind(start: Starter, gate: Gate, number: int) -> None:
    endpoint = start(gate=GATE)
    client = endpoint.client()
    for _ in range(3):
        client.invoke(FunctionName="gate", InvocationType="Event", Payload=gate.payload)
    busy = [gate.arrival().pid for _ in range(3)]
    endpoint.process.send_signal(number)
    assert endpoint.process.wait(20) == 0
    assert all(is_gone(pid) for pid in busy)
    assert endpoint.process.stderr.read() == ""
    assert endpoint.process.stdout.read() == ""


def test_idle_workers_end_too(start: Starter) -> None:
    endpoint = start(pid="import os\ndef handler(event, context): return os.getpid()")
    pid = endpoint.result("pid")
    assert not is_gone(pid)
    assert endpoint.stop() == 0
    assert is_gone(pid)


def test_workers_end_when_the_endpoint_is_killed(start: Starter, gate: Gate) -> None:
    endpoint = start(gate=GATE, pid="import os\ndef handler(event, context): return os.getpid()")
    idle = endpoint.result("pid")
    endpoint.client().invoke(FunctionName="gate", InvocationType="Event", Payload=gate.payload)
    busy = gate.arrival().pid
    assert endpoint.stop(signal.SIGKILL) == -signal.SIGKILL
    for pid in (idle, busy):
        eventually(lambda pid=pid: is_gone(pid), f"the end of worker {pid}")


def test_worker_that_was_killed_while_idle(start: Starter) -> None:
    endpoint = start(pid="import os\ndef handler(event, context): return os.getpid()")
    pid = endpoint.result("pid")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid), f"the end of worker {pid}")
    eventually(lambda: endpoint.invoke("pid").get("FunctionError") is None, "a new worker")
    assert endpoint.result("pid") != pid
