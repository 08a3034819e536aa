"""Measures what a call costs with this library and with other clients. `make bench` runs it.

One endpoint serves all programs, on a core of its own; the programs run one after the other on another core. In each
round every program of a case runs once, so that what disturbs the machine disturbs all of them. A ratio is the median
of the ratios of the rounds. A run of everything renews benches/results.json, and with it the figure and the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import builds
import report
from cases import CASES, PROGRAMS, ROOT, TARGET, TARGETS, Case

sys.path.insert(0, str(ROOT / "tools"))

import draw_cost  # noqa: E402

RESULTS = ROOT / "benches/results.json"
# A program that takes longer hangs.
MOST_SECONDS = 120
# The number of handshakes does not vary.
ROUNDS_OF_BURSTS = 1

Numbers = dict[str, float]


def environment(ca_bundle: Path) -> dict[str, str]:
    """In which every client finds the same credentials, and no other settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(ca_bundle.parent),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": str(ca_bundle),
        "SSL_CERT_FILE": str(ca_bundle),
        "PYTHONPATH": str(ROOT / "bindings/python"),
        "LD_LIBRARY_PATH": str(builds.LIBRARY),
    }


class Endpoint:
    def __init__(self, process: subprocess.Popen[str], variables: dict[str, str]) -> None:
        assert process.stdout is not None
        http, https = process.stdout.readline().split()
        self.urls = {"http": f"http://127.0.0.1:{http}", "https": f"https://127.0.0.1:{https}"}
        self.variables = variables

    def connections(self, function: str) -> int:
        """How many calls of a function had to open a connection."""
        with urllib.request.urlopen(f"{self.urls['http']}/connections") as response:
            counted: dict[str, int] = json.load(response)
        return counted.get(function, 0)


@contextlib.contextmanager
def started_endpoint(cores: list[int]) -> Iterator[Endpoint]:
    """Runs the endpoint on the last core, and all that this process starts on the first."""
    with tempfile.TemporaryDirectory() as folder:
        ca, bundle = Path(folder, "ca.pem"), Path(folder, "bundle.pem")
        variables = environment(bundle)
        command = [*pinned(cores[-1], cores), str(TARGET / "endpoint"), str(ca)]
        process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            endpoint = Endpoint(process, variables)
            # Clients load as many certificates as the system trusts, as they would for AWS.
            trusted = ssl.get_default_verify_paths().cafile
            bundle.write_bytes((Path(trusted).read_bytes() if trusted else b"") + ca.read_bytes())
            if len(cores) > 1:
                os.sched_setaffinity(0, {cores[0]})
            yield endpoint
        finally:
            os.sched_setaffinity(0, set(cores))
            process.communicate()


def pinned(core: int, cores: list[int]) -> list[str]:
    return ["taskset", "--cpu-list", str(core)] if len(cores) > 1 else []


def run_program(name: str, case: Case, scheme: str, endpoint: Endpoint, divisor: int) -> Numbers:
    """Runs a program once, and returns what it measured, the duration of its process, and its new handshakes."""
    counts = (case.calls_of(name, divisor), case.in_flight, case.size)
    arguments = [*PROGRAMS[name].command, endpoint.urls[scheme], case.kind, *map(str, counts)]
    before = endpoint.connections("again-1000")
    variables = dict(endpoint.variables)
    if scheme == "http":
        del variables["AWS_CA_BUNDLE"]
    receiving, sending = os.pipe()
    begin = time.perf_counter()
    # Less is done between than by subprocess: the first response of a C program takes 2 ms.
    process = os.posix_spawn(
        arguments[0], arguments, variables,
        file_actions=[(os.POSIX_SPAWN_DUP2, sending, 1), (os.POSIX_SPAWN_CLOSE, receiving)],
    )  # fmt: skip
    os.close(sending)
    with open(receiving, encoding="utf-8") as output:
        line = output.read()
    _, status = os.waitpid(process, 0)
    elapsed = time.perf_counter() - begin
    if status != 0:
        raise RuntimeError(
            f"{PROGRAMS[name].title}: {' '.join(arguments)}: exit status {os.waitstatus_to_exitcode(status)}"
        )
    numbers: Numbers = json.loads(line)
    numbers["rss_mib"] = numbers.pop("rss_kib") / 1024
    numbers["process_ms"] = elapsed * 1e3
    numbers["handshakes"] = endpoint.connections("again-1000") - before
    for metric in ("cpu", "wall"):
        numbers[f"{metric}_ms"] = numbers[f"{metric}_us"] / 1e3
    return numbers


def measure(
    case: Case, scheme: str, skipped: set[str], endpoint: Endpoint, rounds: int, divisor: int
) -> dict[str, list[Numbers]]:
    """Runs all programs of a case, in every round the next one first."""
    programs = [name for name in case.programs if name not in skipped]
    measured: dict[str, list[Numbers]] = {name: [] for name in programs}
    for number in range(ROUNDS_OF_BURSTS if case.kind == "burst" else rounds):
        first = number % len(programs) if programs else 0
        for name in programs[first:] + programs[:first]:
            try:
                measured[name].append(run_program(name, case, scheme, endpoint, divisor))
            except RuntimeError as error:
                raise SystemExit(f"bench: {error}") from None
    return measured


def significant(value: float) -> float:
    return float(f"{value:.4g}")


def ratios(measured: dict[str, dict[str, list[Numbers]]]) -> dict[str, float]:
    found = {}
    for target in TARGETS:
        runs = measured.get(f"{target.case}/{target.scheme}", {})
        if runs.get(target.ours) and runs.get(target.other):
            of_rounds = [
                ours[target.metric] / other[target.metric] for ours, other in zip(runs[target.ours], runs[target.other])
            ]
            found[target.key] = round(statistics.median(of_rounds), 3)
    return found


def machine() -> str:
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    name = cpu[1].strip() if cpu else platform.machine()
    system = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} cores ({name}), Linux {system}, {' '.join(platform.libc_ver())}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help=f"some of: {' '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--quick", action="store_true", help="one round with a tenth of the calls: does everything run?"
    )
    parser.add_argument("--results", type=Path, help="where the results go; benches/results.json by default if all ran")
    given = parser.parse_args()
    given.cases = given.cases.split() or list(CASES)
    if unknown := set(given.cases) - set(CASES):
        parser.error(f"no such case: {' '.join(sorted(unknown))}; there are {' '.join(CASES)}")
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def run_cases(given: argparse.Namespace, skipped: set[str]) -> dict[str, dict[str, list[Numbers]]]:
    # A thousand connections, and what a program has open besides.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    measured = {}
    rounds, divisor = (1, 10) if given.quick else (given.rounds, 1)
    with started_endpoint(sorted(os.sched_getaffinity(0))) as endpoint:
        for key in given.cases:
            for scheme in CASES[key].schemes:
                begin = time.monotonic()
                measured[f"{key}/{scheme}"] = measure(CASES[key], scheme, skipped, endpoint, rounds, divisor)
                print(f"bench: {key}, {scheme}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return measured


def summary(given: argparse.Namespace, measured: dict[str, dict[str, list[Numbers]]], failed: dict[str, str]) -> Any:
    def medians(case: str, runs: list[Numbers]) -> Numbers:
        metrics = CASES[case.split("/")[0]].metrics
        return {metric: significant(statistics.median(run[metric] for run in runs)) for metric in metrics}

    present = [name for name in PROGRAMS if PROGRAMS[name].made_by not in failed]
    return {
        "run": f"make bench{' QUICK=1' if given.quick else ''}",
        "date": date.today().isoformat(),
        "machine": machine(),
        "rounds": 1 if given.quick else given.rounds,
        "versions": builds.versions(failed),
        "shipped_MB": builds.shipped(present),
        "ratios": ratios(measured),
        "medians": {
            case: {name: medians(case, runs) for name, runs in programs.items()} for case, programs in measured.items()
        },
    }


def main() -> None:
    given = arguments()
    needed = {PROGRAMS[name].made_by for key in given.cases for name in CASES[key].programs} | {"rust"}
    failed = builds.build(sorted(needed))
    for kind, why in failed.items():
        titles = ", ".join(program.title for program in PROGRAMS.values() if program.made_by == kind)
        print(f"bench: skipped {titles}: needs {why}", file=sys.stderr)
    if "rust" in failed or "c" in failed:
        raise SystemExit("bench: without the endpoint and the C program nothing can be measured")
    measured = run_cases(given, {name for name in PROGRAMS if PROGRAMS[name].made_by in failed})
    results = summary(given, measured, failed)
    is_whole = given.cases == list(CASES) and not given.quick and not failed
    if path := given.results or (RESULTS if is_whole else None):
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(report.markdown(results))
    if is_whole and not given.results:
        draw_cost.main()


if __name__ == "__main__":
    main()
