"""Starts the fault-injecting endpoint and the caller, and has the judge compare what they wrote."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import botocore.session
from judge import Verdict, judge, read_ledger, read_reports

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = ROOT / "build" / "lib"
COMPILE = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-pthread"]
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]


@dataclass
class Run:
    verdict: Verdict
    kinds: set[str]
    caller: subprocess.CompletedProcess[str]

    def add(self, other: Run) -> None:
        """Adds a run of other calls."""
        self.verdict.add(other.verdict)
        self.caller.returncode |= other.caller.returncode
        self.caller.stdout += other.caller.stdout
        self.caller.stderr += other.caller.stderr


def build_endpoint() -> Path:
    command = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--quiet", "--example", "fault_endpoint"]
    command += ["--message-format", "json-render-diagnostics"]
    # CC is that of the C programs. With another one than `cargo test` had, half of the crates would be compiled again.
    settings = {name: value for name, value in os.environ.items() if name != "CC"}
    messages = subprocess.run(command, cwd=ROOT, env=settings, check=True, stdout=subprocess.PIPE).stdout
    # Cargo says where the program is: its settings may put it elsewhere.
    (program,) = filter(None, (json.loads(line).get("executable") for line in messages.splitlines()))
    return Path(program)


def build(name: str, folder: Path, flags: Sequence[str] = ()) -> Path:
    """Builds a C program of this folder."""
    program = folder / name
    compiler = shlex.split(os.environ.get("CC", "cc"))
    libraries = [f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}"]
    source = [f"-I{ROOT / 'include'}", str(HERE / f"{name}.c")]
    subprocess.run([*compiler, *COMPILE, *WARNINGS, *flags, *source, *libraries, "-o", str(program)], check=True)
    return program


def write_errors(path: Path) -> None:
    """Writes the errors of Invoke and their HTTP statuses, as botocore knows them."""
    invoke = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    lines = [f"{shape.name}\t{shape.metadata['error']['httpStatusCode']}\n" for shape in invoke.error_shapes]
    path.write_text("".join(lines))


def environment() -> dict[str, str]:
    result = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDA_"))}
    return result | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@dataclass
class Endpoint:
    """An endpoint that serves."""

    ports: dict[str, str]
    # What it declares to inject, which a long enough run has to reach.
    kinds: set[str]
    ca_file: Path
    ledger: Path

    def url(self, port: str, host: str = "localhost") -> str:
        scheme = "https" if port in ("https", "sound-tls", "blinking-tls") else "http"
        return f"{scheme}://{host}:{self.ports[port]}"


@contextmanager
def serve(program: Path, folder: Path, seed: int = 1) -> Iterator[Endpoint]:
    """Serves until the block ends. Then the ledger is complete."""
    ledger, ca, errors = (folder / name for name in ("ledger", "ca.pem", "errors"))
    write_errors(errors)
    command = [str(argument) for argument in (program, seed, ledger, ca, errors)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdin and serving.stdout
        ports = dict(item.split("=") for item in serving.stdout.readline().split())
        kinds = {name for names in serving.stdout.readline().split() for name in names.split(",")}
        try:
            yield Endpoint(ports, kinds, ca, ledger)
        finally:
            serving.stdin.close()
            assert serving.wait() == 0, "the endpoint failed"


def call(program: Path, *arguments: object, timeout_s: float) -> subprocess.CompletedProcess[str]:
    command = [str(argument) for argument in (program, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=timeout_s)


def run(
    program: Path, caller: Path, folder: Path, seed: int, ids: range, threads: int, driver: str, timeout_s: float
) -> Run:
    report, host = folder / "report", "127.0.0.1"
    with serve(program, folder, seed) as endpoint:
        urls = [
            *[endpoint.url("http", host)] * 3,
            *[endpoint.url("http")] * 2,
            *[endpoint.url("https")] * 3,
            endpoint.url("https", host),
            endpoint.url("blinking", host),
            endpoint.url("blinking-tls"),
            endpoint.url("refused", host),
            endpoint.url("full", host),
        ]
        arguments = (seed, ids.start, len(ids), threads, driver, report, endpoint.ca_file, *urls)
        called = call(caller, *arguments, timeout_s=timeout_s)
    return Run(judge(read_reports(report), read_ledger(endpoint.ledger), ids), endpoint.kinds, called)
