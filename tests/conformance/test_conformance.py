"""Runs every case of cases.json through every language, and expects the same of all of them.

CONFORMANCE_SERVER chooses another server than the local endpoint: the name of a file in servers/, or a path.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance_runners import Runner, RunnerError, build, missing
from conformance_server import ROOT, Server, read_description, running
from conformance_table import ANSWERED, LANGUAGES, OPERATIONS, REQUESTS, Case, Places, mismatch, read_table, to_bytes

sys.path.insert(0, str(ROOT / "tools"))

import c_header  # noqa: E402
from generate_bindings import is_status  # noqa: E402

HEADER = c_header.read()
TABLE = read_table()
SERVER = read_description(os.environ.get("CONFORMANCE_SERVER", "local"), TABLE)
IN_CI = os.environ.get("CI") == "true"

CASES = [
    pytest.param(language, case, id=f"{language}-{case.name}")
    for language, case in itertools.product(LANGUAGES, TABLE.cases.values())
    if language not in case.not_in and SERVER.why_not(case) is None
]


class Runners:
    """Built and started when a case first asks for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._commands: dict[str, list[str]] = {}
        self._running: dict[str, Runner] = {}
        self._broken: set[str] = set()

    def get(self, language: str) -> Runner:
        if (why := missing(language)) is not None:
            if IN_CI:
                pytest.fail(why, pytrace=False)
            pytest.skip(why)
        if language not in self._commands:
            self._commands[language] = self._build(language)
        runner = self._running.get(language)
        # One that a case has broken must not fail all others.
        if runner is None or not runner.alive:
            runner = self._running[language] = Runner(language, self._commands[language])
        return runner

    def _build(self, language: str) -> list[str]:
        if language in self._broken:
            pytest.fail(f"the runner for {language} cannot be built, as its first case says", pytrace=False)
        self._broken.add(language)
        command = build(language, self._folder)
        self._broken.remove(language)
        return command

    def end(self) -> None:
        for runner in self._running.values():
            if runner.alive:
                runner.kill()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(SERVER, tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="session")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runners]:
    result = Runners(tmp_path_factory.mktemp("runners"))
    yield result
    result.end()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("language", "case"), CASES)
def test_case(language: str, case: Case, server: Server, runners: Runners) -> None:
    runner = runners.get(language)
    places = Places(server.connection, server.endpoints, uuid.uuid4().hex)
    values = {name: to_bytes(value, places) for name, value in case.settings.items()}
    if server.log is not None:
        server.log.mark()
    try:
        found = runner.call(((name, value) for name, value in values.items() if value is not None), case.operation)
    except RunnerError as problem:
        pytest.fail(f"{case.name}: {problem}", pytrace=False)
    if server.log is not None:
        found[REQUESTS] = server.log.count((values.get("function_name") or b"").decode(errors="replace"))
    expected = SERVER.expectations(case)
    wrong = [mismatch(field, expected[field], value, places) for field, value in found.items()]
    problems = [text for text in wrong if text is not None]
    if problems:
        # What failed, not where in this file: the same line fails for all.
        pytest.fail("\n".join([f"{case.name} in {language}:", *problems]), pytrace=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_end_of_the_input_ends_the_runner(language: str, runners: Runners) -> None:
    assert runners.get(language).end() == 0


def test_every_status_has_a_case_or_a_reason() -> None:
    statuses = {number.name for number in HEADER.numbers if is_status(number)}
    covered = {case.expectations["status"] for case in TABLE.cases.values()}
    assert "LAMBDA_OK" in statuses
    assert covered | set(TABLE.not_covered) == statuses
    assert not covered & set(TABLE.not_covered), "these have a case by now"


def test_every_operation_has_a_case() -> None:
    assert {case.operation for case in TABLE.cases.values()} == set(OPERATIONS)


def test_every_execution_and_every_retry_mode_has_a_case() -> None:
    cases = TABLE.cases.values()
    assert {case.expectations["execution"] for case in cases} == {"NONE", "UNKNOWN", "RAN", "QUEUED"}
    assert {case.settings.get("retry") for case in cases} == {None, "safe", "none", "always"}


# Setters that the protocol has no line for, and why.
NOT_SPOKEN = {
    "lambda_config_set_credentials_callback": "a callback",
    "lambda_config_set_log": "a callback",
    "lambda_request_set_interrupt": "a callback",
}
# What the protocol calls the fields of one setter.
SPOKEN_APART = {"config.credentials": {"config.access_key_id", "config.secret_access_key", "config.session_token"}}
# Fields of the result that no runner answers with, and why.
NOT_ANSWERED = {
    "payload_len": "comes with payload",
    "log_len": "comes with log",
    "duration_us": "differs from call to call",
    "tag": "0 for a blocking call",
    "reserved": "0",
}


def test_every_setter_is_used_by_a_case() -> None:
    """So every runner has it: a runner that is told to set what it does not know fails."""
    setters = {
        function.name for function in HEADER.functions if re.match(r"lambda_(config|request)_set_", function.name)
    }
    assert set(NOT_SPOKEN) < setters
    spoken = set()
    for setter in setters - set(NOT_SPOKEN):
        name = setter.replace("lambda_config_set_", "config.").replace("lambda_request_set_", "")
        spoken |= SPOKEN_APART.get(name, {name})
    assert {name for case in TABLE.cases.values() for name in case.settings} == spoken


def test_every_field_of_the_result_is_answered() -> None:
    fields = {field.name for field in HEADER.struct("lambda_result").fields}
    assert fields == set(ANSWERED) | set(NOT_ANSWERED)


def test_the_local_endpoint_can_do_all_that_cases_need() -> None:
    local = read_description("local", TABLE)
    assert [why for case in TABLE.cases.values() if (why := local.why_not(case))] == []
    assert local.abilities - frozenset().union(*(case.needs for case in TABLE.cases.values())) == {"request-log"}


def test_every_description_of_a_server_can_be_read() -> None:
    for path in (ROOT / "tests" / "conformance" / "servers").glob("*.json"):
        read_description(str(path), TABLE)
