"""lambda_invoke.testing, the pytest fixture, and the results and errors that users' tests make."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import socket
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path
from subprocess import PIPE
from unittest import mock
from urllib.parse import urlsplit

import lambda_invoke
import pytest
from conftest import BINDING
from lambda_invoke import Client, Execution, LambdaError, Result, Status
from lambda_invoke.testing import LocalEndpoint

ANSWER = "def handler(event, context):\n    return [event, context.function_name]\n"
ERRORS = [error for error in vars(lambda_invoke).values() if isinstance(error, type) and issubclass(error, LambdaError)]


class TestLocalEndpoint:
    def test_paths_and_sources(self, tmp_path: Path) -> None:
        (tmp_path / "file.py").write_text(ANSWER)
        with LocalEndpoint(tmp_path / "file.py", functions={"in-dented": textwrap.indent(ANSWER, "    ")}) as endpoint:
            with endpoint.client(timeout=30) as client:
                assert client.invoke("file", 1).json() == [1, "file"]
                assert client.invoke("in-dented", 2).json() == [2, "in-dented"]
            requests = [(request["path"].split("/")[3], request["status"]) for request in endpoint.requests]
        assert requests == [("file", 200), ("in-dented", 200)]

    def test_nothing_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        endpoint = LocalEndpoint(functions={"f": ANSWER})
        client = endpoint.client(max_attempts=1)
        client.invoke("f")
        endpoint.close()
        endpoint.close()
        with pytest.raises(lambda_invoke.ConnectError):
            client.invoke("f")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
    def test_it_ends_with_the_process_that_started_it(self, how: str) -> None:
        program = f"""
        import os
        from lambda_invoke.testing import LocalEndpoint
        endpoint = LocalEndpoint(functions={{"f": {ANSWER!r}}})
        print(endpoint.url, flush=True)
        input()
        {how}
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        environment = {**os.environ, "PYTHONPATH": str(BINDING)}
        with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            url = urlsplit(process.stdout.readline().strip())
            with socket.create_connection((url.hostname, url.port), timeout=15) as connection:
                process.stdin.write("\n")
                process.stdin.close()
                # The endpoint would leave it open for 20 seconds.
                assert connection.recv(1) == b""

    @pytest.mark.parametrize(
        ("functions", "problem"),
        [
            ({"f": "TIMEOUT = 'long'"}, r"the local endpoint did not start: lambda-local: .*f\.py:1: TIMEOUT must be"),
            ({"a/b": ANSWER}, "functions: 'a/b' is not a valid name"),
            ({"_hidden": ANSWER}, "functions: '_hidden' is not a valid name"),
            ({"x" * 65: ANSWER}, "is not a valid name"),
            ({}, "there is no function to serve"),
            (None, "there is no function to serve"),
        ],
    )
    def test_what_cannot_be_served(self, functions: dict[str, str] | None, problem: str) -> None:
        with pytest.raises((RuntimeError, ValueError), match=problem):
            LocalEndpoint(functions=functions)

    def test_what_failed_meanwhile_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        with LocalEndpoint(functions={"f": "def handler(event, context):\n    raise ValueError('lost')\n"}) as endpoint:
            client = endpoint.client()
            client.invoke("f", invocation_type="Event")
            while b"lost" not in endpoint._notes.read_bytes():
                time.sleep(0.01)
        assert "failed: ValueError: lost\n" in capsys.readouterr().err


class TestFixture:
    TEST = """
        import os
        import lambda_invoke
        from lambda_invoke.testing import LambdaLocal

        def test_orders(lambda_local: LambdaLocal) -> None:
            endpoint = lambda_local(functions={"orders": '''
                def handler(event, context):
                    return {"total": event["price"] * 2}
            '''})
            with lambda_invoke.Client() as client:
                assert client.invoke("orders", {"price": 2}).json() == {"total": 4}
            assert len(endpoint.requests) == 1
            assert "HTTPS_PROXY" not in os.environ and os.environ["AWS_ENDPOINT_URL"] == endpoint.url

        def test_the_environment_is_as_it_was() -> None:
            assert os.environ["HTTPS_PROXY"] == "http://example.com"
            assert os.environ["AWS_ENDPOINT_URL"] == "http://example.org"

        def test_only_the_fixture_loads_the_package(request) -> None:
            assert request.config.pluginmanager.hasplugin("lambda_invoke")
    """
    SETTINGS = {"HTTPS_PROXY": "http://example.com", "AWS_ENDPOINT_URL": "http://example.org", "AWS_PROFILE": "none"}

    def test_as_users_have_it(self, wheel: Path, tmp_path: Path) -> None:
        """With the wheel in an environment of its own, which has pytest."""
        venv = tmp_path / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        python = venv / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, str(wheel)], check=True)
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "pytest_of_this_one.pth").write_text(sysconfig.get_path("purelib"))
        (tmp_path / "test_orders.py").write_text(textwrap.dedent(self.TEST))
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_orders.py"]
        environment = {"PATH": os.defpath, **self.SETTINGS}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "3 passed" in done.stdout

    def test_pytest_starts_without_a_usable_library(self, tmp_path: Path) -> None:
        """The plugin is imported by every run of pytest, also by those that need no Lambda."""
        (tmp_path / "test_nothing.py").write_text(
            "import sys\ndef test_it():\n    assert 'lambda_invoke' not in sys.modules\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "_lambda_invoke_pytest"]
        environment = {**os.environ, "PYTHONPATH": str(BINDING), "LAMBDA_INVOKE_LIBRARY": "/nonexistent"}
        done = subprocess.run(
            [*command, "test_nothing.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


class TestFakeResults:
    @pytest.mark.parametrize("returned", [None, 3, "text", [1], {"total": 3}, {"ä": None}])
    def test_what_the_function_returned(self, returned: object) -> None:
        assert Result.fake(returned).json() == returned

    def test_bytes_are_the_payload(self) -> None:
        assert Result.fake(b"\xff").payload == b"\xff"

    def test_a_success_is_like_a_real_one(self, client: Client) -> None:
        real, fake = client.invoke("context"), Result.fake({})
        for name in inspect.signature(Result).parameters:
            ours, theirs = getattr(fake, name), getattr(real, name)
            if name not in ("payload", "request_id", "duration"):
                assert ours == theirs, name
            assert type(ours) is type(theirs), name

    @pytest.mark.parametrize(("kind", "execution"), [("Event", Execution.QUEUED), ("DryRun", Execution.NONE)])
    def test_so_are_an_event_and_a_dry_run(self, client: Client, kind: str, execution: Execution) -> None:
        real = client.invoke("echo", invocation_type=kind)  # type: ignore[arg-type]
        fake = Result.fake(execution=execution)
        for name in ("status", "execution", "http_status", "payload", "executed_version", "attempts"):
            assert getattr(fake, name) == getattr(real, name), name

    def test_so_is_a_failure_of_the_function(self, client: Client) -> None:
        with pytest.raises(lambda_invoke.FunctionError) as failed:
            client.invoke("failing")
        real = failed.value.result
        fake = Result.fake(status=Status.FUNCTION_ERROR, error_type=real.error_type, error_message=real.error_message)
        for name in ("execution", "http_status", "function_error", "error_type", "error_message", "executed_version"):
            assert getattr(fake, name) == getattr(real, name), name
        assert json.loads(fake.payload).items() <= json.loads(real.payload).items()

    @pytest.mark.parametrize("status", Status)
    def test_every_status_has_a_fake(self, status: Status) -> None:
        fake = Result.fake(status=status)
        assert fake.status is status
        assert (fake.unknown_attempts == 1) == (fake.execution is Execution.UNKNOWN)
        assert (fake.attempts == 0) == (status.name in ("INVALID_ARGUMENT", "CONFIG", "CREDENTIALS"))

    def test_a_field_that_is_not_there(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'requestid'"):
            Result.fake(requestid="1")

    def test_given_fields_win(self) -> None:
        fake = Result.fake(1, execution=Execution.UNKNOWN, attempts=3, request_id="r", http_status=201)
        assert (fake.execution, fake.attempts, fake.request_id, fake.http_status) == (Execution.UNKNOWN, 3, "r", 201)


class TestFakeErrors:
    @pytest.mark.parametrize("error", ERRORS)
    def test_of_a_message(self, error: type[LambdaError]) -> None:
        made = error("too bad", "orders")
        assert "orders: too bad" in str(made)
        assert (made.result.error_message, made.function_name) == ("too bad", "orders")
        again = pickle.loads(pickle.dumps(made))
        assert (type(again), again.result, str(again)) == (error, made.result, str(made))

    @pytest.mark.parametrize("error", ERRORS)
    def test_of_nothing(self, error: type[LambdaError]) -> None:
        client = mock.create_autospec(Client, instance=True)
        client.invoke.side_effect = error
        with pytest.raises(error) as caught:
            client.invoke("orders")
        assert caught.value.result.error_message is None and str(caught.value)

    @pytest.mark.parametrize("error", ERRORS)
    def test_its_status_is_that_of_the_class(self, error: type[LambdaError]) -> None:
        from lambda_invoke._errors import error_for

        real = type(error_for(error("m").result))
        # EncodeError is an InvalidArgumentError; a base class becomes one of its own.
        assert issubclass(error, real) or issubclass(real, error)

    def test_of_a_class_that_a_user_derives(self) -> None:
        class Late(lambda_invoke.TimeoutError):
            pass

        assert Late("m").result.status is Status.TIMEOUT

    def test_of_something_else(self) -> None:
        with pytest.raises(TypeError, match="result must be a Result or a str, not int"):
            lambda_invoke.FunctionError(3)  # type: ignore[arg-type]


class TestPatching:
    def test_the_class(self) -> None:
        client = Client(region="us-east-1")
        with mock.patch.object(Client, "invoke", autospec=True, return_value=Result.fake(3)) as invoke:
            assert client.invoke("orders", 1).json() == 3
            with pytest.raises(TypeError):
                client.invoke("orders", qualify="live")  # type: ignore[call-arg]
        invoke.assert_called_once_with(client, "orders", 1)

    def test_one_client(self, client: Client) -> None:
        with mock.patch.object(client, "invoke", autospec=True, side_effect=lambda_invoke.ThrottledError) as invoke:
            with pytest.raises(lambda_invoke.ThrottledError):
                client.invoke("echo")
            invoke.assert_called_once_with("echo")
        assert client.invoke("echo", 1).json() == 1

    def test_with_the_fixture_of_pytest(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "invoke", lambda name: Result.fake(name))
        assert client.invoke("orders").json() == "orders"


def test_the_command_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(ANSWER)
    call = "import lambda_invoke; print(lambda_invoke.Client().invoke('orders', 1).payload)"
    command = [sys.executable, "-m", "lambda_invoke.local", str(tmp_path), "--", sys.executable, "-c", call]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(BINDING)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("b'[1, \"orders\"]'\n", "")
