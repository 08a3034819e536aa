from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from configured_world import Secrets, World, build


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """The program under test, built when it is first asked for."""
    return functools.cache(lambda: build(tmp_path_factory.mktemp("program")))


@pytest.fixture
def world(tmp_path: Path, program: Callable[[], Path], secrets: Secrets) -> Iterator[World]:
    made = World(tmp_path, program, secrets)
    yield made
    made.close()
