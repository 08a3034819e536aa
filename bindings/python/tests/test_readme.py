"""README.md: its programs run, and its table leaves nothing out."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lambda_invoke
import pytest
from conftest import BINDING, ROOT
from lambda_invoke import Client, Execution, Result

README = (BINDING / "README.md").read_text()
PAGE = (ROOT / "docs" / "src" / "concepts" / "testing-your-code.md").read_text()
PAGE_PROGRAMS = [
    code for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "def test_" in code
]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def run(title: str) -> dict[str, Any]:
    """What the first program of a section leaves behind."""
    program, *_ = re.findall(r"^```python\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    return names


def test_asyncio(many_at_once: Client) -> None:
    results = asyncio.run(run("asyncio")["order_all"](Named(many_at_once, "echo"), [1, 2, 3]))
    assert [result.json() for result in results] == [{"order": 1}, {"order": 2}, {"order": 3}]


def test_many_calls(many_at_once: Client, capsys: pytest.CaptureFixture[str]) -> None:
    total = run("Many calls")["total"]
    assert total(Named(many_at_once, "fail"), [1, 2]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.match("1 fail: .* RAN$", first) and re.match("2 fail: .* RAN$", second)


class Named:
    """A client that invokes another function than it is asked to."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def invoke_async(self, _: str, payload: object) -> Any:
        return self.client.invoke_async(self.name, payload)

    def map(self, _: str, payloads: Any, concurrency: int) -> Any:
        return self.client.map(self.name, payloads, concurrency=concurrency)


class TestInYourTests:
    PROGRAMS = re.findall(r"^```python\n(.*?)^```", section("In your tests"), re.MULTILINE | re.DOTALL)

    def test_fakes(self) -> None:
        names: dict[str, Any] = {}
        exec(self.PROGRAMS[0], names)
        client = names["client"]
        try:
            with pytest.raises(lambda_invoke.TimeoutError) as caught:
                client.invoke("orders")
            assert str(caught.value) == "orders: the deadline passed (execution UNKNOWN)"
            with pytest.raises(lambda_invoke.TimeoutError) as caught:
                client.invoke("orders")
            assert caught.value.result.execution is Execution.NONE
            with pytest.raises(lambda_invoke.ThrottledError):
                client.invoke("orders")
            with pytest.raises(TypeError):
                client.invoke("orders", qualify="live")
        finally:
            names["patched"].stop()

    def test_of_the_page(self) -> None:
        exec(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0], {})

    @pytest.mark.parametrize("source", [PROGRAMS[1], *PAGE_PROGRAMS], ids=range(1 + len(PAGE_PROGRAMS)))
    def test_with_pytest(self, source: str, tmp_path: Path) -> None:
        """The tests that the documents show pass, where the folder of functions that they name is."""
        (tmp_path / "test_shown.py").write_text(source)
        functions = tmp_path / "tests" / "functions"
        functions.mkdir(parents=True)
        (functions / "other.py").write_text("def handler(event, context):\n    return 1\n")
        plugin = ["-p", "_lambda_invoke_pytest", "-p", "no:cacheprovider"]
        environment = {**os.environ, "PYTHONPATH": str(BINDING)}
        command = [sys.executable, "-m", "pytest", "-q", *plugin, "test_shown.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


class TestFromBoto3:
    ROWS = re.findall(r"^\| (`.*?) \| (.*) \|$", section("From boto3"), re.MULTILINE)

    def test_every_member_of_the_api_is_there(self) -> None:
        botocore = pytest.importorskip("botocore.session")
        operation = botocore.Session().get_service_model("lambda").operation_model("Invoke")
        theirs = " ".join(left for left, _ in self.ROWS)
        for member in (*operation.input_shape.members, *operation.output_shape.members):
            assert re.search(rf"\b{member}\b", theirs), member

    def test_their_names_exist(self) -> None:
        import botocore.exceptions
        from botocore.config import Config

        members = {"FunctionError"}
        for name in re.findall(r"\b[A-Z]\w+Error\b|\bProfileNotFound\b", " ".join(left for left, _ in self.ROWS)):
            assert name in members or hasattr(botocore.exceptions, name), name
        options = set(Config.OPTION_DEFAULTS)
        for arguments in re.findall(r"`Config\((.*?)[)=]", " ".join(left for left, _ in self.ROWS)):
            assert set(re.findall(r"\w+", arguments)) <= options

    def test_ours_exist(self) -> None:
        known = {*inspect.signature(Client).parameters, *inspect.signature(Client.invoke).parameters}
        attributes = {name for name in dir(Result) if not name.startswith("_")}
        for _, ours in self.ROWS:
            for text in re.findall(r"`(.*?)`", ours):
                for name in re.findall(r"\b[A-Z]\w+\b", text):
                    assert name == "True" or hasattr(lambda_invoke, name) or name == "TypeError", name
                for name in re.findall(r"(?:result)?\.(\w+)", text.replace("error.result", "result")):
                    assert name in attributes, name
                if re.fullmatch(r"[a-z_]+", text) or "=" in text:
                    assert text.split("=")[0] in known, text


def test_every_parameter_is_mentioned() -> None:
    parameters = {*inspect.signature(Client).parameters, *inspect.signature(Client.invoke).parameters} - {"self"}
    for name in parameters - {"function_name", "payload"}:
        assert re.search(rf"\b{name}\b", section("Calls")), name


def test_every_parameter_of_map_is_mentioned() -> None:
    for name in {*inspect.signature(Client.map).parameters} - {"self", "function_name", "payloads", "options"}:
        assert re.search(rf"\b{name}\b", section("Many calls")), name
