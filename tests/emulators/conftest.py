"""The three servers, started once for all tests, and the conformance suite's runner for C."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The table of cases, what judges an answer, and the runner are the conformance suite's.
sys.path.insert(0, str(ROOT / "tests" / "conformance"))

import calling  # noqa: E402
import conformance_runners  # noqa: E402
import servers  # noqa: E402


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulators")


@pytest.fixture(scope="session")
def runner_command(folder: Path) -> list[str]:
    return conformance_runners.build("c", folder)


@pytest.fixture(scope="session")
def caller(runner_command: list[str]) -> Iterator[calling.Caller]:
    with calling.Caller(runner_command) as started:
        yield started


def start(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.STARTERS[name](tmp_path_factory.mktemp(name)) as server:
        yield server


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    yield from start("ministack", tmp_path_factory)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    yield from start("moto", tmp_path_factory)


@pytest.fixture(scope="session")
def rie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    yield from start("rie", tmp_path_factory)
