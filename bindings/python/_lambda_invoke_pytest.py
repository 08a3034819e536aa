"""The pytest plugin: the fixture lambda_local.

A module beside the package, since pytest imports every plugin that is installed, and most of its runs need no Lambda.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lambda_invoke.testing import LambdaLocal, LocalEndpoint


@pytest.fixture
def lambda_local(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaLocal]:
    """Starts a Lambda endpoint on this machine: lambda_local(*paths, functions={"name": "source of a handler"}).

    Until the test ends, the environment leads lambda_invoke.Client() and every AWS client to it, and to no other host.
    """
    from lambda_invoke.testing import LocalEndpoint

    with contextlib.ExitStack() as endpoints:

        def start(*paths: str | os.PathLike[str], functions: Mapping[str, str] | None = None) -> LocalEndpoint:
            endpoint = endpoints.enter_context(LocalEndpoint(*paths, functions=functions))
            wanted = endpoint.environment
            for name in set(os.environ) - set(wanted):
                monkeypatch.delenv(name)
            for name, value in wanted.items():
                if os.environ.get(name) != value:
                    monkeypatch.setenv(name, value)
            return endpoint

        yield start
