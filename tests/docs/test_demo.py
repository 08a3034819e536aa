"""`make demo`: where it goes, beside botocore; what its exit status says; and what may be set around it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build/demo"
LOCAL = [sys.executable, str(ROOT / "local/lambda-local")]
FUNCTIONS = ROOT / "examples/functions"
URL_OF_BOTOCORE = """
import botocore.session
print(botocore.session.get_session().create_client("lambda").meta.endpoint_url)
"""


def run(command: list[str], environment: dict[str, str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, **options
    )


def clean_environment() -> dict[str, str]:
    """Nothing that the demo looks at, and none of the flags of a make that runs these tests."""
    foreign = re.compile(r"AWS_|LAMBDA_INVOKE_|(FUNCTION|PAYLOAD|MAKEFLAGS|MFLAGS)$|.*_proxy$", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not foreign.match(name)}


@dataclass
class Elsewhere:
    """An endpoint that AWS settings may name, and a proxy that notes which hosts would be reached outside."""

    url: str
    proxy: str
    log: Path
    connects: list[str]

    def reached(self) -> list[str]:
        """The hosts that requests came to, or were on their way to."""
        return [urlsplit(self.url).netloc for _ in self.log.read_text(encoding="utf-8").splitlines()] + self.connects


@contextlib.contextmanager
def noting_proxy(connects: list[str]) -> Iterator[str]:
    """Refuses every CONNECT, and notes its target."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connects.append(connection.makefile("rb").readline().split()[1].decode())
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    log, connects = tmp_path / "requests.jsonl", []
    command = [*LOCAL, "--log-requests", str(log), str(FUNCTIONS)]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(noting_proxy(connects))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment())
        stack.enter_context(process)
        assert process.stdout is not None
        said = dict(re.findall(r"(\w+)=(\S+)", process.stdout.readline()))
        yield Elsewhere(said["endpoint"], proxy, log, connects)
        process.terminate()


SHOWN = ["hello <- ", "failing <- ", "missing <- "]

# Variables and config file of whoever calls; {url} is an endpoint of theirs.
SETTINGS = {
    "nothing": ({}, ""),
    "variable of the service": ({"AWS_ENDPOINT_URL_LAMBDA": "{url}"}, ""),
    "variable of all services": ({"AWS_ENDPOINT_URL": "{url}"}, ""),
    "both variables": ({"AWS_ENDPOINT_URL_LAMBDA": "{url}", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ""),
    "variable that is ignored": ({"AWS_ENDPOINT_URL": "{url}", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
    "default profile": ({}, "[default]\nendpoint_url = {url}\n"),
    "another profile": ({"AWS_PROFILE": "mine"}, "[profile mine]\nendpoint_url = {url}\n"),
    "profile that is not chosen": ({}, "[profile mine]\nendpoint_url = {url}\n"),
    "services": ({}, "[default]\nservices = mine\n[services mine]\nlambda =\n  endpoint_url = {url}\n"),
    "profile that ignores": (
        {"AWS_ENDPOINT_URL": "{url}"},
        "[default]\nignore_configured_endpoint_urls = true\n",
    ),
    "FIPS": ({"AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    "dual-stack": ({}, "[default]\nuse_dualstack_endpoint = true\n"),
    "region": ({"AWS_DEFAULT_REGION": "eu-central-1"}, ""),
}


@pytest.fixture(params=SETTINGS)
def settings(request: pytest.FixtureRequest, elsewhere: Elsewhere, tmp_path: Path) -> dict[str, str]:
    """An environment with AWS settings that work, and lead to the endpoint elsewhere or out into the network."""
    variables, config = SETTINGS[request.param]
    (tmp_path / "config").write_text(config.format(url=elsewhere.url), encoding="utf-8")
    return {
        **clean_environment(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local-secret",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
        "https_proxy": elsewhere.proxy,
        **{name: value.format(url=elsewhere.url) for name, value in variables.items()},
    }


def demo(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([str(ROOT / "examples/run-demo"), str(DEMO)], environment)


def test_without_function_it_stays_on_its_own_endpoint(settings: dict[str, str], elsewhere: Elsewhere) -> None:
    done = demo(settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert [start for start in SHOWN if start in done.stdout] == SHOWN
    assert elsewhere.reached() == []


def test_with_function_it_goes_where_botocore_goes(settings: dict[str, str], elsewhere: Elsewhere) -> None:
    url = urlsplit(run([sys.executable, "-c", URL_OF_BOTOCORE], settings).stdout.strip())
    assert url.hostname
    done = demo({**settings, "FUNCTION": "hello"})
    assert elsewhere.reached() == [url.netloc if url.scheme == "http" else f"{url.hostname}:443"]
    # The proxy lets nobody out.
    assert done.returncode == (0 if url.scheme == "http" else 1)


def test_an_empty_function_is_none(elsewhere: Elsewhere) -> None:
    done = demo({**clean_environment(), "FUNCTION": "", "AWS_ENDPOINT_URL": elsewhere.url})
    assert (done.returncode, elsewhere.reached()) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["hello", "{}"], 0, ""),
        (["hello", "{}", "hello", "{}"], 0, ""),
        (["--error", "ValueError", "failing", "{}", "hello", "{}"], 0, ""),
        (["--error", "ResourceNotFoundException", "missing", "{}"], 0, ""),
        (["failing", "{}"], 1, "failing: expected LAMBDA_OK, got LAMBDA_FUNCTION_ERROR (ValueError)"),
        (["failing", "{}", "hello", "{}"], 1, "failing: expected LAMBDA_OK"),
        (["missing", "{}"], 1, "missing: expected LAMBDA_OK, got LAMBDA_E_SERVICE (ResourceNotFoundException)"),
        (["--error", "ValueError", "hello", "{}"], 1, "hello: expected ValueError, got LAMBDA_OK (no error type)"),
        (["--error", "TypeError", "failing", "{}"], 1, "failing: expected TypeError, got LAMBDA_FUNCTION_ERROR"),
        (["--error", "ValueError", "missing", "{}"], 1, "missing: expected ValueError, got LAMBDA_E_SERVICE"),
        ([], 2, "usage: "),
        (["hello"], 2, "usage: "),
        (["hello", "{}", "hello"], 2, "usage: "),
        (["--error", "ValueError"], 2, "usage: "),
        (["--error", "ValueError", "failing"], 2, "usage: "),
    ],
)
def test_exit_status(arguments: list[str], status: int, said: str) -> None:
    done = run([*LOCAL, str(FUNCTIONS), "--", str(DEMO), *arguments], clean_environment())
    assert done.returncode == status
    assert said in done.stderr and bool(said) == bool(done.stderr)


def test_output_that_is_lost() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [*LOCAL, str(FUNCTIONS), "--", str(DEMO), "hello", "{}"]
        done = subprocess.run(command, env=clean_environment(), stdout=full, timeout=60, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hello", "def handler(event, context): raise ValueError"),
        ("failing", "def handler(event, context): return 'well'"),
        ("failing", "def handler(event, context): raise TypeError"),
        ("missing", "def handler(event, context): return 'here'"),
    ],
)
def test_functions_that_do_something_else(tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / "local").symlink_to(ROOT / "local")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "examples/functions" / f"{name}.py").write_text(source, encoding="utf-8")
    done = run([str(tmp_path / "examples/run-demo"), str(DEMO)], clean_environment())
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: expected ")


AROUND = [
    {"http_proxy": "http://127.0.0.1:1", "https_proxy": "nonsense://", "ALL_PROXY": "socks5://127.0.0.1:1"},
    {"AWS_PROFILE": "no-such-profile", "AWS_MAX_ATTEMPTS": "none", "AWS_CA_BUNDLE": "/no/such/file"},
    {"CC": "env cc", "CXX": "env c++"},
    {"PYTHON": "env python3"},
    {"PYTHONHOME": "/nowhere"},
    {"PYTHONPATH": "{shadows}"},
    {"PYTHONIOENCODING": "nonsense", "PYTHONHASHSEED": "nonsense", "PYTHONWARNINGS": "error"},
    {"GOFLAGS": "-mod=vendor", "RUSTFLAGS": "-D warnings", "CARGO_TARGET_DIR": "{shadows}/target"},
    {"MAKEFLAGS": "-j8"},
    {"TMPDIR": "/no/such/folder"},
]


@pytest.mark.parametrize("variables", AROUND, ids=lambda variables: next(iter(variables)))
def test_make_demo_whatever_is_set(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not the library's json')", encoding="utf-8")
    environment = {name: value.format(shadows=tmp_path) for name, value in variables.items()}
    done = run(["make", "-s", "-C", str(ROOT), "demo"], {**clean_environment(), **environment}, umask=0o077)
    assert (done.returncode, done.stderr) == (0, "")
    assert [start for start in SHOWN if start in done.stdout] == SHOWN


@pytest.mark.parametrize("way", ["argument", "variable"])
def test_payload_reaches_the_function_as_it_is(way: str) -> None:
    payload = json.dumps({"name": 'O\'Hara "`x`" \\ ; # end'})
    settings = {"FUNCTION": "hello", "PAYLOAD": payload}
    arguments = [f"{name}={value}" for name, value in settings.items()] if way == "argument" else []
    command = [*LOCAL, str(FUNCTIONS), "--", "make", "-s", "-C", str(ROOT), "demo", *arguments]
    done = run(command, {**clean_environment(), **({} if arguments else settings)})
    assert (done.returncode, done.stderr) == (0, "")
    greeting = re.search(r"^  payload +(.*)$", done.stdout, re.MULTILINE)
    assert greeting and json.loads(greeting[1]) == {"greeting": f"Hello, {json.loads(payload)['name']}!"}
