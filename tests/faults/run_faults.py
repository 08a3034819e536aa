"""Starts the fault-injecting endpoint and the caller, and has the judge compare what they wrote."""

from __future__ import annotations

import os
import shlex
import subprocess
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
    # What the endpoint declares, which a long enough run has to reach.
    kinds: set[str]
    caller: subprocess.CompletedProcess[str]


def build_endpoint() -> Path:
    cargo = os.environ.get("CARGO", "cargo")
    subprocess.run([cargo, "build", "--locked", "--quiet", "--example", "fault_endpoint"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return ROOT / target / "debug" / "examples" / "fault_endpoint"


def build_caller(folder: Path) -> Path:
    program = folder / "caller"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    libraries = [f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}"]
    source = [f"-I{ROOT / 'include'}", str(HERE / "caller.c")]
    subprocess.run([*compiler, *COMPILE, *WARNINGS, *source, *libraries, "-o", str(program)], check=True)
    return program


def write_errors(path: Path) -> None:
    """Writes the errors of Invoke and their HTTP statuses, as botocore knows them."""
    invoke = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    lines = [f"{shape.name}\t{shape.metadata['error']['httpStatusCode']}\n" for shape in invoke.error_shapes]
    path.write_text("".join(lines))


def environment() -> dict[str, str]:
    result = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDA_"))}
    return result | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def run(endpoint: Path, caller: Path, folder: Path, seed: int, ids: range, threads: int, timeout_s: float) -> Run:
    ledger, report, ca, errors = (folder / name for name in ("ledger", "report", "ca.pem", "errors"))
    write_errors(errors)
    command = [str(argument) for argument in (endpoint, seed, ledger, ca, errors)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdin and serving.stdout
        ports = dict(item.split("=") for item in serving.stdout.readline().split())
        kinds = {name for names in serving.stdout.readline().split() for name in names.split(",")}
        plain, tls = ports["http"], ports["https"]
        urls = [
            *[f"http://127.0.0.1:{plain}"] * 3,
            *[f"http://localhost:{plain}"] * 2,
            *[f"https://localhost:{tls}"] * 3,
            f"https://127.0.0.1:{tls}",
            f"http://127.0.0.1:{ports['blinking']}",
            f"https://localhost:{ports['blinking-tls']}",
            f"http://127.0.0.1:{ports['refused']}",
            f"http://127.0.0.1:{ports['full']}",
        ]
        arguments = [str(value) for value in (seed, ids.start, len(ids), threads, report, ca, *urls)]
        try:
            calling = subprocess.run(
                [caller, *arguments], capture_output=True, text=True, env=environment(), timeout=timeout_s
            )
        finally:
            serving.stdin.close()
            serving.wait()
    return Run(judge(read_reports(report), read_ledger(ledger), ids), kinds, calling)
