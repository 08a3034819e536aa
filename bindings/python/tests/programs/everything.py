"""The package from end to end, for versions of Python that run no tests of their own."""

from concurrent.futures import ThreadPoolExecutor

import lambda_invoke
from lambda_invoke import Client, Execution, Result, Status

with Client() as client:
    result = client.invoke("echo", {"a": "\u00e4"}, qualifier="live", log=True)
    assert result.json() == {"a": "\u00e4"}, result
    assert (result.status, result.execution, result.executed_version) == (Status.OK, Execution.RAN, "1"), result
    assert "echoing" in result.log_text, result
    assert client.invoke("context", {}, client_context={"custom": {}}).json()["client_context"] == {"custom": {}}
    assert client.invoke("request", b"", invocation_type="Event").execution is Execution.QUEUED

    for name, kind in (("failing", lambda_invoke.FunctionError), ("nothing", lambda_invoke.ServiceError)):
        try:
            client.invoke(name, {"message": "a reason"})
        except kind as error:
            assert isinstance(error.result, Result)
        else:
            raise AssertionError(f"{name} did not fail")
    try:
        client.invoke("hanging", timeout=0.1)
    except TimeoutError as error:
        assert isinstance(error, lambda_invoke.TimeoutError)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda n: client.invoke("echo", n).json(), range(50))) == list(range(50))
print("done")
