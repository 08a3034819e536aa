"""Measures the time to the first response of a process: a C program with this library, and a Python program with boto3.

`make bench` runs it; the README holds a run. Both invoke the same warm function on the local endpoint.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
ROOT = Path(__file__).resolve().parent.parent
BOTO3 = """
import boto3
client = boto3.client("lambda")
response = client.invoke(FunctionName="hello", Payload=b'{"name": "Ada"}', LogType="Tail")
assert b"Hello, Ada!" in response["Payload"].read()
"""


def measure(command: list[str]) -> tuple[float, float]:
    """Returns the duration of one run in milliseconds, and its peak memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return elapsed * 1000, usage.ru_maxrss / 1024


def main() -> None:
    """Prints the table."""
    programs = {
        "C, this library": [str(ROOT / "build/demo"), "hello", '{"name": "Ada"}'],
        "Python, boto3": [sys.executable, "-c", BOTO3],
    }
    print("| first response of a new process | ms | MiB |\n|---|---|---|")
    for name, command in programs.items():
        measure(command)
        runs = [measure(command) for _ in range(RUNS)]
        elapsed, memory = (statistics.median(column) for column in zip(*runs))
        print(f"| {name} | {elapsed:.1f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
