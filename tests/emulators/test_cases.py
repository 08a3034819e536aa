"""Runs the conformance cases that a server knows against it. The files of differences/ say what each one lacks, what it
does otherwise than the service's model, and why.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Iterator, Mapping
from typing import Callable

import pytest
from calling import Caller
from conformance_server import running
from conformance_table import Case, Places, mismatch, read_table, to_bytes
from differences import Differences, read_differences
from servers import STARTERS, Server

TABLE = read_table()
SERVERS = {name: read_differences(name, TABLE) for name in STARTERS}

pytestmark = pytest.mark.timeout(120)

Endpoints = Callable[[str], Mapping[str, str]]

# What each server is asked of the table, each with what it does otherwise.
CASES = [
    pytest.param(differences, case, id=f"{name}-{case.name}")
    for name, differences in SERVERS.items()
    for case in TABLE.cases.values()
    if "c" not in case.not_in and differences.why_not(case) is None
]


def connection(server: Server) -> dict[str, str | None]:
    names = ("endpoint_url", "region", "access_key_id", "secret_access_key", "session_token")
    return {name: server.value(name) for name in names}


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    with contextlib.ExitStack() as stack:

        @functools.cache
        def beside(name: str) -> Mapping[str, str]:
            described = dataclasses.replace(
                SERVERS[name].description, connection=connection(request.getfixturevalue(name))
            )
            return stack.enter_context(running(described, tmp_path_factory.mktemp("endpoints"))).endpoints

        yield beside


@pytest.mark.parametrize(("differences", "case"), CASES)
def test_case(
    differences: Differences, case: Case, caller: Caller, endpoints: Endpoints, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(differences.name)
    called, settings = server, dict(case.settings)
    if isinstance(case.settings.get("function_name"), str):
        called, settings["function_name"] = server.called(case.settings["function_name"])
    places = Places(connection(called), endpoints(differences.name), uuid.uuid4().hex)
    values = {name: to_bytes(value, places) for name, value in settings.items()}
    found = caller.invoke(((name, value) for name, value in values.items() if value is not None), case.operation)
    expected = differences.expectations(case)
    problems = [mismatch(field, expected[field], value, places) for field, value in found.items()]
    for field in differences.overridden(case):
        if mismatch(field, case.expectations[field], found[field], places) is None:
            problems.append(f"{field}: is as the table says; {differences.name}.json need not say otherwise")
    if text := [problem for problem in problems if problem is not None]:
        # What failed, not where in this file: the same line fails for all.
        pytest.fail("\n".join([f"{case.name} on {differences.name}:", *text]), pytrace=False)
