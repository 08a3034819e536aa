"""A streamed response of a server that somebody else wrote, read through the Python package.

ministack sends all of it at once: one PayloadChunk, then InvokeComplete. If the function failed, the fields of
InvokeComplete begin with a lower-case letter, the code is a number, and the head has X-Amz-Function-Error as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
from conformance_server import ROOT
from servers import REGION, Server

sys.path.insert(0, str(ROOT / "bindings" / "python"))

from lambda_invoke import Client, Execution, FunctionError, ServiceError, Status  # noqa: E402

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def client(ministack: Server) -> Iterator[Client]:
    keys = ministack.keys
    with Client(
        region=REGION,
        endpoint_url=ministack.endpoint_url,
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        session_token=keys.session_token,
        proxy="",
    ) as client:
        yield client


def test_a_response(client: Client) -> None:
    with client.invoke_stream("describe", {"n": 1}) as stream:
        assert json.loads(b"".join(stream))["event"] == {"n": 1}
    assert (stream.result.status, stream.result.execution) == (Status.OK, Execution.RAN)


def test_a_function_that_fails(client: Client) -> None:
    stream = client.invoke_stream("failing", {})
    with pytest.raises(FunctionError) as caught:
        b"".join(stream)
    assert (caught.value.result.function_error, caught.value.result.error_type) == ("Unhandled", "500")


def test_a_function_that_does_not_exist(client: Client) -> None:
    with pytest.raises(ServiceError) as caught:
        next(client.invoke_stream("nothing", {}))
    assert (caught.value.result.execution, caught.value.result.http_status) == (Execution.NONE, 404)
