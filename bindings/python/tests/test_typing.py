"""The types hold, inside and for users."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import typing
from pathlib import Path

import lambda_invoke
import pytest
from conftest import BINDING

GOOD = """
import logging
from datetime import datetime, timezone
from pathlib import Path

import lambda_invoke
from collections.abc import AsyncIterator

async def asynchronous(client: lambda_invoke.Client, payloads: AsyncIterator[int]) -> int:
    async for good in client.map_async("f", payloads, raise_on_error=True):
        good.json()
    async for item in client.map_async("f", [1, 2]):
        if not isinstance(item, lambda_invoke.LambdaError):
            item.json()
    return len((await client.invoke_async("f", {"a": 1}, timeout=1)).payload)

def fetch() -> lambda_invoke.Credentials:
    return lambda_invoke.Credentials("a", "b", expires=datetime.now(timezone.utc))

asking = lambda_invoke.Client(credentials=fetch, logger=logging.getLogger(), ca_bundle=Path("a"), use_fips=True)
where: str = asking.describe()["region"]["source"]

with lambda_invoke.Client(region="us-east-1", timeout=5) as client:
    result: lambda_invoke.Result = client.invoke("f", {"a": 1}, invocation_type="Event", log=True)
    size: int = len(result.payload)
    try:
        client.invoke("f", b"", client_context={"a": 1}, retry=lambda_invoke.Retry.NONE)
    except lambda_invoke.TimeoutError as error:
        known: lambda_invoke.Execution = error.result.execution
        number: int = error.result.status.number
        name: str = error.result.status
    client.invoke("f", retry="none", invocation_type=lambda_invoke.InvocationType.EVENT)
    for item in client.map("f", [1], concurrency=2, progress=True, timeout=1, retry="none", log=True):
        either: lambda_invoke.Result | lambda_invoke.LambdaError = item
    for good in client.map("f", iter(()), raise_on_error=True, stop=lambda: False):
        good.json()
    lambda_invoke.Result(lambda_invoke.Status("OK"), lambda_invoke.Execution(2))
    lambda_invoke.FunctionError(result, "f")

from lambda_invoke.testing import LambdaLocal, LocalEndpoint

def test(lambda_local: LambdaLocal) -> None:
    endpoint: LocalEndpoint = lambda_local(Path("functions"), "more.py", functions={"f": ""})
    body: str = endpoint.requests[0]["body"]
    failed: lambda_invoke.LambdaError = lambda_invoke.TimeoutError("late", "f")
    fake: lambda_invoke.Result = lambda_invoke.Result.fake([1], execution=lambda_invoke.Execution.UNKNOWN, attempts=2)
"""
BAD = """
import lambda_invoke

client = lambda_invoke.Client("us-east-1")
client.invoke(1)
client.invoke("f", timeout="1")
client.invoke("f", stop=1)
length: int = client.invoke("f").log
lambda_invoke.Client(credentials=("a", "b"))
client.invoke("f", invocation_type="event")
client.invoke("f", retry="often")
client.invoke("f", log="Tail")
lambda_invoke.Client(retry="often")
lambda_invoke.FunctionError(1)
lambda_invoke.Result.fake(status="LATE")
client.map("f", 1)
for item in client.map("f", [1]):
    item.json()
client.invoke_async("f").json()
"""


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={os.devnull}", *arguments]
    return subprocess.run(command, cwd=BINDING, capture_output=True, text=True)


def test_the_package() -> None:
    checked = mypy()
    assert checked.returncode == 0, checked.stdout


def test_its_users(tmp_path: Path) -> None:
    for source, errors in ((GOOD, 0), (BAD, 15)):
        program = tmp_path / "program.py"
        program.write_text(source)
        checked = mypy(str(program))
        assert checked.stdout.count(": error:") == errors, checked.stdout


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python cannot evaluate `str | None`")
@pytest.mark.parametrize("name", lambda_invoke.__all__)
def test_the_hints_of_public_classes_can_be_evaluated(name: str) -> None:
    hints = typing.get_type_hints(getattr(lambda_invoke, name))
    if name == "Result":
        assert {field: hints[field] for field in ("payload", "http_status")} == {"payload": bytes, "http_status": int}
        assert hints.keys() >= inspect.signature(lambda_invoke.Result).parameters.keys()
