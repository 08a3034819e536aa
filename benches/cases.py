"""What `make bench` runs: the programs, the cases that each of them runs, and the ratios that are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build" / "bench"
TARGET = BUILT / "target" / "release"
VENV = ROOT / "build" / "venv-bench"


@dataclass(frozen=True)
class Program:
    title: str
    command: tuple[str, ...]
    # What makes it, by its name in builds.py; programs are skipped if that fails.
    made_by: str
    # How many times fewer calls it makes than the fastest, so that a run takes about as long.
    slower: int = 1


def c(title: str, made_by: str, name: str, mode: str) -> Program:
    return Program(title, (str(BUILT / name), mode), made_by)


def rust(title: str, name: str) -> Program:
    return Program(title, (str(TARGET / name),), "rust")


def python(title: str, client: str, slower: int) -> Program:
    return Program(
        title, (str(VENV / "bin/python"), str(ROOT / "benches/programs/client.py"), client), "python", slower
    )


def go(title: str, name: str) -> Program:
    return Program(title, (str(BUILT / name),), "go", 2)


PROGRAMS = {
    "c": c("this library, C", "c", "lambda_invoke", "blocking"),
    "queue": c("this library, C queue", "c", "lambda_invoke", "queue"),
    "floor": rust("socket, same signature", "floor"),
    "reqwest": rust("reqwest::blocking, same signature", "reqwest_blocking"),
    "ureq": rust("ureq, same signature", "ureq_blocking"),
    "curl": c("libcurl", "curl", "curl", "easy"),
    "multi": c("libcurl, multi", "curl", "curl", "multi"),
    "sdk": rust("aws-sdk-rust", "aws_sdk"),
    "py": python("this library, Python", "lambda_invoke", 2),
    "py_async": python("this library, asyncio", "lambda_invoke_async", 2),
    "boto3": python("boto3", "boto3", 16),
    "aiobotocore": python("aiobotocore", "aiobotocore", 16),
    "awscrt": python("awscrt", "awscrt", 4),
    "go": go("this library, Go", "lambdainvoke"),
    "go_sdk": go("aws-sdk-go-v2", "awssdk"),
    "go_net": go("Go net/http, signed by hand", "nethttp"),
}

RUST_AND_C = ("c", "floor", "reqwest", "ureq", "curl", "sdk")
PYTHON = ("py", "boto3", "awscrt")
GO = ("go", "go_sdk", "go_net")
ALL = RUST_AND_C + PYTHON + GO
# awscrt waits 50 ms for each payload that exceeds a segment: it leaves Nagle's algorithm on.
LARGE = tuple(name for name in ALL if name != "awscrt")


@dataclass(frozen=True)
class Case:
    title: str
    # CASE of the programs: calls, burst, first, or stream.
    kind: str
    # Of the fastest program, in one round.
    calls: int
    in_flight: int
    size: int
    programs: tuple[str, ...]
    # What the table of the case shows.
    metrics: tuple[str, ...] = ("cpu_us", "wall_us")
    schemes: tuple[str, ...] = ("http", "https")
    # Slower programs make as many calls too.
    same_calls: bool = False

    def calls_of(self, program: str, divisor: int) -> int:
        """At least as many as are in flight, and two of each connection."""
        if self.kind in ("first", "burst"):
            return self.in_flight
        slower = 1 if self.same_calls else PROGRAMS[program].slower
        return max(self.calls // slower // divisor, 2 * self.in_flight)


MB = 1_000_000
CASES = {
    "one": Case("1 in flight, 128 B", "calls", 5_000, 1, 128, ALL),
    "64KiB": Case("1 in flight, 64 KiB", "calls", 2_000, 1, 65_536, LARGE),
    # A request of Lambda has at most 6 MB.
    "6MB": Case("1 in flight, 6 MB", "calls", 24, 1, 6 * MB, LARGE),
    "8threads": Case("8 threads, 128 B", "calls", 8_000, 8, 128, RUST_AND_C, schemes=("http",)),
    "64threads": Case("64 threads or goroutines, 128 B", "calls", 12_800, 64, 128, ALL, schemes=("http",)),
    "64inflight": Case(
        "64 in flight from one thread, 128 B", "calls", 12_800, 64, 128,
        ("queue", "multi", "sdk", "py_async", "aiobotocore"),
    ),
    "1000inflight": Case(
        "1,000 in flight from one thread, 128 B", "calls", 12_000, 1_000, 128, ("queue", "multi", "sdk")
    ),
    "burst": Case(
        "200 at once, a second after 200 at once", "burst", 0, 200, 128,
        ("c", "queue", "reqwest", "ureq", "multi", "sdk", "py", "py_async", "boto3", "aiobotocore", *GO),
        ("handshakes",), ("https",),
    ),
    "first": Case("first response of a process", "first", 0, 1, 128, ALL, ("process_ms", "rss_mib")),
    "memory": Case(
        "resident memory after 1,000 calls", "calls", 1_000, 1, 128, ALL, ("rss_mib",), same_calls=True
    ),
    "first_byte": Case(
        "streamed response of 32 KiB", "stream", 1_000, 1, 32_768, ("c", "sdk"), ("first_byte_us", "cpu_us", "wall_us")
    ),
    "200MB": Case("streamed response of 200 MB", "stream", 1, 1, 200 * MB, ("c", "sdk"), ("cpu_ms", "wall_ms")),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A ratio of two programs in one case. It should be at most the number; None shows the ratio without a demand."""

    case: str
    ours: str
    other: str
    at_most: float | None
    metric: str = "cpu_us"
    scheme: str = "http"

    @property
    def key(self) -> str:
        return "/".join((self.case, self.scheme, self.metric, self.ours, self.other))


TARGETS = (
    Target("one", "c", "floor", 1.5),
    Target("one", "c", "curl", 0.75),
    Target("one", "c", "sdk", 0.5),
    Target("one", "c", "ureq", 1.1),
    Target("one", "c", "reqwest", None),
    Target("one", "c", "curl", 0.7, scheme="https"),
    Target("one", "c", "sdk", 0.5, scheme="https"),
    Target("64KiB", "c", "curl", 0.8),
    Target("6MB", "c", "floor", 1.05, "wall_us"),
    Target("6MB", "c", "sdk", 0.85, "wall_us"),
    Target("8threads", "c", "floor", 1.8),
    Target("8threads", "c", "reqwest", 1.0),
    Target("8threads", "c", "curl", 0.7),
    Target("64threads", "c", "floor", 2.0),
    Target("64threads", "c", "reqwest", 1.0),
    Target("64threads", "c", "sdk", 0.9),
    Target("64inflight", "queue", "multi", 0.6),
    Target("64inflight", "queue", "sdk", 0.6),
    Target("1000inflight", "queue", "multi", 0.6),
    Target("1000inflight", "queue", "sdk", 0.6),
    Target("one", "go", "go_sdk", 0.5),
    Target("one", "go", "go_net", 1.0),
    Target("64threads", "go", "go_sdk", 0.6, "wall_us"),
    Target("64threads", "go", "go_sdk", 0.4),
    Target("64threads", "go", "go_net", 1.5, "wall_us"),
    Target("64threads", "go", "go_net", 1.2),
    Target("6MB", "go", "go_sdk", 0.8, "wall_us"),
    Target("one", "py", "boto3", 0.12),
    Target("one", "py", "awscrt", 0.45),
    Target("64threads", "py", "boto3", 0.12),
    Target("64threads", "py", "awscrt", 0.45),
    Target("64inflight", "py_async", "aiobotocore", 0.10),
    Target("first", "c", "sdk", 0.35, "process_ms"),
    Target("first", "c", "sdk", 0.15, "process_ms", "https"),
    Target("first", "py", "boto3", 0.10, "process_ms"),
    Target("memory", "c", "curl", 0.6, "rss_mib"),
    Target("first_byte", "c", "sdk", 0.6, "first_byte_us"),
    # 1.2 times the throughput.
    Target("200MB", "c", "sdk", 0.83, "wall_ms"),
)
# Bursts: how many new handshakes the calls of the second burst need.
MOST_HANDSHAKES = {"c": 0, "queue": 0, "py": 0, "py_async": 0, "go": 0}
