"""Starts the three servers, each on a free port of 127.0.0.1, with the functions of the conformance cases on them.

Every server has what a case may ask for under "server": region, endpoint_url and keys; and more keys, for the tests
that are about keys. boto3 is for setting up alone.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable

import boto3
from botocore.config import Config

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RIE = ROOT / "build" / "aws-lambda-rie"

HOST = "127.0.0.1"
REGION = "us-east-1"
# The one that the cases name, which is also the local endpoint's.
ACCOUNT = "123456789012"

START_S = 60.0
STOP_S = 10.0
POLL_S = 0.02
# Another program may take a free port before the server does.
STARTS = 3


@dataclass(frozen=True)
class Keys:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass
class Function:
    """A function's file and what its constants ask for; local/README.md lists them."""

    name: str
    path: Path
    constants: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Function:
        constants = {}
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                with contextlib.suppress(ValueError):
                    constants[statement.targets[0].id] = ast.literal_eval(statement.value)
        return cls(path.stem, path, constants)

    @property
    def handler(self) -> str:
        return f"{self.name}.handler"

    @property
    def timeout_s(self) -> int:
        return self.constants.get("TIMEOUT", 3)

    def zipped(self) -> bytes:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as writer:
            writer.write(self.path, self.path.name)
        return archive.getvalue()


def functions() -> dict[str, Function]:
    """The files of this suite go before those of the conformance suite, which may use what only lambda-local has."""
    paths = {}
    for folder in (ROOT / "tests" / "conformance" / "functions", HERE / "functions"):
        paths.update({path.stem: path for path in sorted(folder.glob("*.py"))})
    found = {name: Function.read(path) for name, path in paths.items()}
    return {name: function for name, function in found.items() if "def handler(" in function.path.read_text()}


@dataclass(frozen=True)
class Server:
    """A server that is running; `name` is the name of its file of differences."""

    name: str
    endpoint_url: str
    keys: Keys
    # Of an assumed role; None where the server has no STS.
    session: Keys | None
    # Of a user who may not invoke; None where the server has no IAM.
    stranger: Keys | None

    def value(self, name: str) -> str | None:
        """What a case calls {"server": NAME}."""
        if name == "region":
            return REGION
        return self.endpoint_url if name == "endpoint_url" else getattr(self.keys, name)

    def called(self, function_name: str) -> tuple[Server, str]:
        """Where a function is, and under which name."""
        return self, function_name


def clean_environment(folder: Path) -> dict[str, str]:
    """None of the settings of whoever runs the tests, and nothing written outside of the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


class NotStarted(Exception):
    pass


@contextlib.contextmanager
def process(
    command: Callable[[int], list[str]],
    environment: Callable[[int], dict[str, str]],
    folder: Path,
    ready: Callable[[int], bool],
) -> Iterator[int]:
    """Runs a server as long as the context lasts, its output in a file of the folder; gives its port."""
    for start in range(STARTS):
        port = free_port()
        output = folder / f"server-{start}.log"
        with output.open("wb") as log:
            # A session of its own, so that its workers end with it.
            child = subprocess.Popen(
                command(port),
                env=environment(port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            if wait_until_ready(child, lambda port=port: ready(port)):
                yield port
                return
        finally:
            stop(child)
    raise NotStarted(f"{command(port)[0]} did not start:\n{output.read_text(errors='replace')}")


def wait_until_ready(child: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return False
        if ready():
            return True
        time.sleep(POLL_S)
    return False


def stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_S)
    # Those of its workers that it left behind, and itself if it would not go.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def answers(url: str) -> bool:
    """Returns whether the server responds to HTTP, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def post(url: str, body: bytes, content_type: str) -> None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30):
        pass


def client(service: str, endpoint_url: str, keys: Keys) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(**principal: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_user(iam: Any, name: str, *actions: str) -> Keys:
    iam.create_user(UserName=name)
    if actions:
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=allow(*actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def populate(endpoint_url: str, root: Keys) -> Server:
    """Makes users, a role and the functions, with what the constants of their files ask for."""
    iam = client("iam", endpoint_url, root)
    # moto knows the operation as Invoke, AWS and ministack as InvokeFunction.
    keys = make_user(iam, "caller", "lambda:InvokeFunction", "lambda:Invoke", "sts:AssumeRole")
    stranger = make_user(iam, "stranger")

    iam.create_role(RoleName="functions", AssumeRolePolicyDocument=trust(Service="lambda.amazonaws.com"))
    role = iam.create_role(RoleName="guest", AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{ACCOUNT}:user/caller"))[
        "Role"
    ]["Arn"]
    invoke = allow("lambda:InvokeFunction", "lambda:Invoke")
    iam.put_role_policy(RoleName="guest", PolicyName="may", PolicyDocument=invoke)
    assumed = client("sts", endpoint_url, keys).assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]

    service = client("lambda", endpoint_url, root)
    for function in functions().values():
        deploy(service, function)
    session = Keys(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    return Server("", endpoint_url, keys, session=session, stranger=stranger)


def deploy(service: Any, function: Function) -> None:
    service.create_function(
        FunctionName=function.name,
        Runtime=f"python3.{min(sys.version_info.minor, 12)}",
        Role=f"arn:aws:iam::{ACCOUNT}:role/functions",
        Handler=function.handler,
        Code={"ZipFile": function.zipped()},
        Timeout=function.timeout_s,
    )
    for version in function.constants.get("VERSIONS", []):
        # A server makes a new version only of something new.
        service.update_function_configuration(FunctionName=function.name, Description=f"version {version}")
        made = service.publish_version(FunctionName=function.name)["Version"]
        assert made == version, f"{function.name}: version {made} was made instead of {version}"
    for alias, version in function.constants.get("ALIASES", {}).items():
        service.create_alias(FunctionName=function.name, Name=alias, FunctionVersion=version)
    if "CONCURRENCY" in function.constants:
        concurrency = function.constants["CONCURRENCY"]
        service.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=concurrency)


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[Server]:
    """Runs functions for real; checks signatures, the clock, session tokens and IAM."""

    def environment(port: int) -> dict[str, str]:
        own = {
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            # Listeners of other services, on ports of their own.
            "IOT_MTLS_ENABLED": "false",
            "SFTP_ENABLED": "false",
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "S3_DATA_DIR": str(folder / "s3"),
            "STATE_DIR": str(folder / "state"),
        }
        return {**clean_environment(folder), **own}

    def ready(port: int) -> bool:
        return answers(f"http://{HOST}:{port}/_ministack/health")

    with process(lambda port: [sys.executable, "-m", "ministack"], environment, folder, ready) as port:
        # The root user, whose secret is not looked at.
        yield replace(populate(f"http://{HOST}:{port}", Keys("test", "test")), name="ministack")


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """Runs nothing, and gives the payload back; checks signatures with botocore's own code, keys and policies."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "moto.server", "--host", HOST, "--port", str(port)]

    def environment(port: int) -> dict[str, str]:
        return {**clean_environment(folder), "MOTO_ACCOUNT_ID": ACCOUNT}

    with process(
        command, environment, folder, lambda port: answers(f"http://{HOST}:{port}/moto-api/data.json")
    ) as port:
        endpoint_url = f"http://{HOST}:{port}"
        post(f"{endpoint_url}/moto-api/config", b'{"lambda": {"use_docker": false}}', "application/json")
        server = populate(endpoint_url, Keys("setting", "up"))
        # From here on every request is checked: none is let through first.
        post(f"{endpoint_url}/moto-api/reset-auth", b"0", "text/plain")
        yield replace(server, name="moto")


@dataclass(frozen=True)
class Emulator(Server):
    """AWS's Runtime Interface Emulator, which is one function: there is one for each, and a new one for each call.

    A call that comes while the one before still runs, since its caller gave up, would end the emulator.
    """

    start: Callable[[Function], str] = field(repr=False)
    stop: Callable[[str], None] = field(repr=False)

    def called(self, function_name: str) -> tuple[Server, str]:
        function = functions().get(function_name)
        return (
            (self, function_name)
            if function is None
            else (replace(self, endpoint_url=self.start(function)), "function")
        )


@contextlib.contextmanager
def rie(folder: Path) -> Iterator[Server]:
    """AWS's own emulator of the runtime, with AWS's own runtime for Python; no signatures, no service around them."""
    running: dict[str, contextlib.ExitStack] = {}

    def start(function: Function) -> str:
        stop_one(function.name)
        running[function.name] = contextlib.ExitStack()
        own = folder / function.name
        own.mkdir(exist_ok=True)
        port = running[function.name].enter_context(emulator(own, function))
        return f"http://{HOST}:{port}"

    def stop_one(name: str) -> None:
        if name in running:
            running.pop(name).close()

    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [stop_one(name) for name in list(running)])
        # Names that are no function's are asked of one that nobody else calls. Nobody reads the keys.
        port = stack.enter_context(emulator(folder, functions()["describe"]))
        yield Emulator("rie", f"http://{HOST}:{port}", Keys("rie", "unchecked"), None, None, start, stop_one)


@contextlib.contextmanager
def emulator(folder: Path, function: Function) -> Iterator[int]:
    def command(port: int) -> list[str]:
        addresses = ["--runtime-interface-emulator-address", f"{HOST}:{port}"]
        addresses += ["--runtime-api-address", f"{HOST}:{free_port()}"]
        return [str(RIE), *addresses, sys.executable, "-m", "awslambdaric", function.handler]

    def environment(port: int) -> dict[str, str]:
        own = {
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
            "AWS_REGION": REGION,
            "LAMBDA_TASK_ROOT": str(function.path.parent),
            "PYTHONPATH": str(function.path.parent),
        }
        return {**clean_environment(folder), **own}

    with process(command, environment, folder, lambda port: answers(f"http://{HOST}:{port}/")) as port:
        yield port


STARTERS = {"ministack": ministack, "moto": moto, "rie": rie}
