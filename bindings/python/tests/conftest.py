"""The local endpoint, a client of it, and the environments in which the package is installed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent
BINDING = TESTS.parent
ROOT = BINDING.parents[1]

sys.path.insert(0, str(BINDING))

import cheap_endpoint  # noqa: E402
import lambda_invoke  # noqa: E402
from lambda_invoke import _queue  # noqa: E402

OLDEST, NEWEST = 9, 19


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_whoever_runs_the_tests() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "_X_AMZN_", "LAMBDA_INVOKE_")):
                patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        # A shell's job in the background ignores Ctrl-C, and so would all that is started here.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Endpoint:
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """As local/lambda-local gives it to a command."""
        return {
            "AWS_ENDPOINT_URL_LAMBDA": self.settings["endpoint_url"],
            "AWS_REGION": self.settings["region"],
            "AWS_ACCESS_KEY_ID": self.settings["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.settings["secret_access_key"],
        }


@pytest.fixture(scope="session")
def endpoint(no_settings_of_whoever_runs_the_tests: None) -> Iterator[Endpoint]:
    streaming = [str(ROOT / "tests" / "functions" / f"{name}.py") for name in ("counting", "streamed")]
    command = [sys.executable, str(ROOT / "local" / "lambda-local"), str(TESTS / "functions"), *streaming]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = server.stdout.readline()
        settings = dict(re.findall(r"(\w+)=(\S+)", ready))
        assert settings, f"the local endpoint did not start: {ready!r}"
        settings["endpoint_url"] = settings.pop("endpoint")
        yield Endpoint(settings)
        server.send_signal(signal.SIGTERM)


ClientMaker = Callable[..., lambda_invoke.Client]


@pytest.fixture
def make_client(endpoint: Endpoint) -> Iterator[ClientMaker]:
    made = []

    def make(**settings: Any) -> lambda_invoke.Client:
        client = lambda_invoke.Client(**{**endpoint.settings, **settings})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: ClientMaker) -> lambda_invoke.Client:
    return make_client()


@pytest.fixture(scope="session")
def cheap(no_settings_of_whoever_runs_the_tests: None) -> Iterator[cheap_endpoint.Endpoint]:
    cheap_endpoint.raise_the_limit_of_descriptors()
    endpoint = cheap_endpoint.Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def many_at_once(cheap: cheap_endpoint.Endpoint) -> Iterator[lambda_invoke.Client]:
    """A client of the cheap endpoint."""
    keys = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
    with lambda_invoke.Client(endpoint_url=cheap.url, max_connections=2000, **keys) as client:
        yield client
    # The next test counts threads and descriptors.
    _queue._idle.clear()


def library_threads() -> int:
    """How many queues have a thread."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        # It may end meanwhile.
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as name:
            names.append(name.read().strip())
    return names.count("lambda-queue")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def interpreters() -> list[str]:
    """One of each minor version that this machine has, on the PATH or from pyenv; the one that runs this among them."""
    found = {sys.version_info[1]: sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(OLDEST, NEWEST):
        candidates = [which(f"python3.{minor}"), *map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python"), reverse=True))]
        for candidate in filter(None, candidates):
            # A shim of a version manager may stand for a version that is not there.
            if minor not in found and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
                found[minor] = candidate
    return [found[minor] for minor in sorted(found)]


def version_of(interpreter: str) -> str:
    program = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    return subprocess.run([interpreter, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


INTERPRETERS = {version_of(interpreter): interpreter for interpreter in interpreters()}


def package_files() -> set[str]:
    """What is installed but the library, by walking what is there, folders behind symbolic links too."""
    found = {"_lambda_invoke_pytest.py"}
    for folder, _, names in os.walk(BINDING / "lambda_invoke", followlinks=True):
        paths = (Path(folder, name).relative_to(BINDING) for name in names)
        found |= {str(path) for path in paths if path.suffix == ".py" or path.name == "py.typed"}
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Isolated, as users build it; there is nothing to download.
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*pip, str(BINDING)], check=True)
    (built,) = folder.iterdir()
    return built


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it and nothing else."""

    python: Path
    environment: dict[str, str]

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            # What the package does wrong shows as a warning or on stderr.
            [str(self.python), "-X", "dev", str(TESTS / "programs" / program), *arguments],
            env=self.environment,
            cwd=self.python.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, *arguments: str) -> str:
        """The output of a program that must end well, and silently."""
        process = self.start(program, *arguments)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, ""), output
        return output


@pytest.fixture(scope="session", params=INTERPRETERS)
def installed(
    request: pytest.FixtureRequest, wheel: Path, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([INTERPRETERS[request.param], "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(wheel)], check=True)
    # No cargo, and nothing of the repository.
    return Installed(python, {"PATH": str(folder / "bin"), **endpoint.environment})
