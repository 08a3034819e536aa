"""Compares what the calls were reported as with the ledger of what an honest service would have run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

# How late a call may end, beside the time for which the machine kept it from running. That time is measured: the thread
# of the call waited for a processor (/proc/thread-self/schedstat), or a thread that only sleeps and starts others was
# late. A call that is late all the same may have waited for a lock whose owner waited for a processor, for as long as
# another call did at the same time.
LATE_US = 100_000
# A request that begins to arrive this soon after an unsolicited response, beside the time for which the machine kept
# its call from running, may have left before that came.
RACE_US = 10_000
# The library polls an interrupt at least this often.
POLL_US = 100_000
MAX_ATTEMPTS = 3
# What the caller reports for a call that its queue was freed with. Nobody knows what became of it.
DROPPED = "DROPPED"


@dataclass
class Report:
    """A line of the caller."""

    id: int
    driver: str
    url: str
    type: str
    retry: str
    timeout_ms: int
    interrupted_after: int
    sent: str
    status: str
    execution: str
    attempts: int
    unknown_attempts: int
    began_us: int
    took_us: int
    delay_us: int
    payload_len: int
    payload: str
    owner: int
    request_id: str
    http_status: int
    message: str


@dataclass
class Entry:
    """A line of the endpoint."""

    id: int
    attempt: int
    label: str
    executed: bool
    expected: str
    payload: str
    request: str
    # Since an unsolicited response was sent on the connection.
    since_unsolicited_us: int | None


@dataclass
class Verdict:
    broken: list[str] = field(default_factory=list)
    # Calls that were given another response than theirs, since their request, or an earlier one of the connection,
    # crossed an unsolicited response on its way: nobody could have told the two apart.
    raced: int = 0
    executed: int = 0
    drivers: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    executions: Counter[str] = field(default_factory=Counter)
    # The faults that were injected.
    seen: Counter[str] = field(default_factory=Counter)
    latest_us: int = 0

    def add(self, other: Verdict) -> None:
        """Adds that of other calls."""
        self.broken += other.broken
        self.raced += other.raced
        self.executed += other.executed
        self.drivers += other.drivers
        self.statuses += other.statuses
        self.executions += other.executions
        self.seen += other.seen
        self.latest_us = max(self.latest_us, other.latest_us)

    def __str__(self) -> str:
        def counts(counter: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counter.most_common())

        lines = [
            f"{counts(self.drivers)}",
            f"{counts(self.statuses)}",
            f"{counts(self.executions)}; executed {self.executed}; crossed an unsolicited response {self.raced}",
            f"latest end {self.latest_us / 1000:.1f} ms after the deadline, less what the machine took",
        ]
        return "\n".join(lines)


# The fields of a report that are numbers, by their place.
NUMBERS = [place for place, column in enumerate(fields(Report)) if column.type == "int"]


def read_reports(path: Path) -> Iterator[Report]:
    with path.open(errors="replace") as file:
        for line in file:
            values: list[Any] = line.rstrip("\n").split("\t", 20)
            for place in NUMBERS:
                values[place] = int(values[place])
            yield Report(*values)


def read_ledger(path: Path) -> Iterator[Entry]:
    with path.open() as file:
        for line in file:
            id, attempt, label, executed, expected, payload, request, since = line.rstrip("\n").split("\t")
            known = -1 if id == "-" else int(id)
            since_us = None if since == "-" else int(since)
            yield Entry(known, int(attempt), label, executed == "1", expected, payload, request, since_us)


def judge(reports: Iterable[Report], ledger: Iterable[Entry], ids: range) -> Verdict:
    verdict = Verdict()
    entries: dict[int, list[Entry]] = defaultdict(list)
    for entry in ledger:
        verdict.seen.update(entry.label.split(","))
        if entry.id >= 0:
            entries[entry.id].append(entry)
    made = list(reports)
    by_id = {report.id: report for report in made}
    times_reported = Counter[int]()
    late: list[Report] = []

    def delay_around(report: Report) -> int:
        """The machine's, of this call and of those at the same time."""
        began, ended = report.began_us, report.began_us + report.took_us
        at_once = (
            other.delay_us
            for other in made
            if other.id != report.id and other.began_us < ended and other.began_us + other.took_us > began
        )
        return report.delay_us + max(at_once, default=0)

    def crossed(id: int) -> bool:
        since = [entry.since_unsolicited_us for entry in entries.get(id, []) if entry.since_unsolicited_us is not None]
        return bool(since) and min(since) < RACE_US + (delay_around(by_id[id]) if id in by_id else 0)

    for report in made:
        times_reported[report.id] += 1
        arrived = sorted(entries.get(report.id, []), key=lambda entry: entry.attempt)
        verdict.drivers[report.driver] += 1
        verdict.statuses[report.status] += 1
        verdict.executions[report.execution] += 1
        verdict.executed += sum(entry.executed for entry in arrived)
        if any(check_time(report, report.delay_us)):
            late.append(report)
        else:
            verdict.latest_us = max(verdict.latest_us, report.took_us - report.delay_us - report.timeout_ms * 1000)
        faults = list(check_call(report, arrived))
        # The response of a call whose own was taken for an unsolicited one goes to the next call of the connection.
        if faults and (crossed(report.id) or crossed(origin_of(report))):
            verdict.raced += 1
            continue
        verdict.broken += [f"call {report.id}: {fault}: {report}; ledger {arrived}" for fault in faults]
    for report in late:
        allowed = delay_around(report)
        verdict.latest_us = max(verdict.latest_us, report.took_us - allowed - report.timeout_ms * 1000)
        verdict.broken += [f"call {report.id}: {fault}: {report}" for fault in check_time(report, allowed)]
    for id in ids:
        if times_reported[id] != 1:
            verdict.broken.append(f"call {id}: reported {times_reported[id]} times, not once")
    if len(times_reported) > len(ids):
        verdict.broken.append("calls were reported that nobody made")
    return verdict


def origin_of(report: Report) -> int:
    """Returns the call that a response was sent for, -1 if it was for none."""
    call = report.request_id.split("-")[0]
    return int(call) if call.isdigit() else -1


def check_time(report: Report, excused_us: int) -> Iterator[str]:
    if report.status == DROPPED:
        if report.took_us > LATE_US + excused_us:
            yield "its queue was not freed at once"
        return
    if report.took_us > report.timeout_ms * 1000 + LATE_US + excused_us:
        yield "ended after its deadline"
    polls = report.interrupted_after
    if polls and report.took_us > polls * POLL_US + LATE_US + excused_us:
        yield "ended after its interrupt"


def check_call(report: Report, arrived: list[Entry]) -> Iterator[str]:
    attempts = 1 if report.retry == "NONE" else MAX_ATTEMPTS
    if report.status == DROPPED:
        report = replace(report, attempts=attempts, unknown_attempts=attempts - 1)
    else:
        yield from check_evidence(report, arrived)
        yield from check_response(report, arrived)
    yield from check_runs(report, arrived)
    if not len(arrived) <= report.attempts <= attempts:
        yield f"{len(arrived)} attempts arrived of {report.attempts}, at most {attempts} are allowed"
    if report.unknown_attempts > report.attempts:
        yield "more unknown attempts than attempts"
    if any(entry.label == "redirected" for entry in arrived):
        yield "followed a redirect"
    if any(entry.request not in ("-", report.sent) for entry in arrived):
        yield "another payload arrived than was sent"


def check_runs(report: Report, arrived: list[Entry]) -> Iterator[str]:
    """Checks the promise about runs."""
    runs = sum(entry.executed for entry in arrived)
    if report.execution == "NONE" and runs > 0:
        yield "reported as NONE, but executed"
    if report.execution in ("RAN", "QUEUED") and runs == 0:
        yield f"reported as {report.execution}, but not executed"
    allowed = 1 + report.unknown_attempts if report.retry == "ALWAYS" else 1
    if runs > allowed:
        yield f"executed {runs} times, {allowed} allowed"


def check_evidence(report: Report, arrived: list[Entry]) -> Iterator[str]:
    """Checks that what is certain is reported as certain."""
    if report.took_us >= report.timeout_ms * 1000 or report.interrupted_after:
        # The ledger does not know what had come when the client gave up.
        return
    expected = [entry.expected for entry in arrived]
    if "RAN" in expected and report.execution != "RAN":
        yield "a response showed that it ran"
    if "QUEUED" in expected and report.execution not in ("QUEUED", "RAN"):
        yield "a response showed that it was queued"
    if expected and len(expected) == report.attempts and set(expected) == {"NONE"} and report.execution != "NONE":
        yield "all responses showed that it did not run"


def check_response(report: Report, arrived: list[Entry]) -> Iterator[str]:
    """Checks that a response is the call's own, and whole."""
    if report.owner not in (-1, report.id) or (report.request_id != "-" and origin_of(report) != report.id):
        yield "got the response of another call"
    if report.status not in ("LAMBDA_OK", "LAMBDA_FUNCTION_ERROR"):
        if report.payload_len > 0 and report.driver != "stream":
            yield "failed, but has a payload"
        if report.payload_len > 0 and report.execution != "RAN":
            yield "handed out a part of the payload, but was not reported as RAN"
        if not report.message.startswith(f"f-{report.id}"):
            yield "failed with a message that does not name its function"
        return
    if not arrived:
        yield "got a response, but sent no request"
        return
    payload = arrived[-1].payload
    if report.status == "LAMBDA_OK" and payload == "broken":
        yield "was reported as LAMBDA_OK, but its response was not whole"
    is_complete = report.status == "LAMBDA_OK" or report.payload_len > 0
    if is_complete and payload not in ("any", "broken", report.payload):
        yield "has another payload than was sent"
