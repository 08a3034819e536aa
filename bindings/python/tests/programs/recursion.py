"""Calls from ever closer to the end of the stack: as from elsewhere, or RecursionError before anything is sent.

No call is sent and then lost, and no callback either.
"""

import functools
import io
import logging
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import cheap_endpoint  # noqa: E402
import lambda_invoke  # noqa: E402


def credentials():
    # They have expired: each call asks.
    return lambda_invoke.Credentials("a", "b", None, 1)


def logger_of(handler, name):
    logger = logging.Logger(name, 5)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    return logger


def at_depth(frames, function):
    return at_depth(frames - 1, function) if frames else function()


def at_depth_through_c(frames, function):
    """Every other call is one of C."""
    return (
        functools.reduce(lambda _, left: at_depth_through_c(left, function), [frames - 2], 0)
        if frames > 1
        else function()
    )


endpoint = cheap_endpoint.Endpoint()
settings = {"region": "us-east-1", "endpoint_url": endpoint.url}
keys = {"access_key_id": "a", "secret_access_key": "b"}
logger = logger_of(logging.StreamHandler(io.StringIO()), "all")
client = lambda_invoke.Client(credentials=credentials, logger=logger, **settings)
# Its calls call Python only to have signals delivered.
plain = lambda_invoke.Client(**settings, **keys)
signals = []


def on_signal(number, frame):
    logger.warning("signal %d", number)
    signals.append(number)


def signalled():
    del signals[:]
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        assert plain.invoke("slow", "0.03").json() == 0.03
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert signals == [signal.SIGALRM]


signal.signal(signal.SIGALRM, on_signal)
CALLS = {
    "credentials": lambda: client.invoke("echo", 1).json() == 1,
    "plain": lambda: plain.invoke("echo", 1).json() == 1,
    "options": lambda: plain.invoke("echo", 1, log=True, tenant_id="a", timeout=9.5, client_context={"a": 1}),
    "failing": lambda: plain.invoke("fail"),
    "failing with callbacks": lambda: client.invoke("fail"),
    "signal": signalled,
    "stop": lambda: client.invoke("never", stop=lambda: True),
    "flag": lambda: plain.invoke("slow", "0.01", stop=threading.Event()),
    "stream": lambda: list(client.invoke_stream("never", stop=lambda: True)),
    "map": lambda: [item.json() for item in client.map("echo", [1, 2])],
    "failing map": lambda: list(plain.map("fail", [1], raise_on_error=True)),
    "client": lambda: lambda_invoke.Client(credentials=credentials, logger=logger, **settings).describe(),
}
ERRORS = (lambda_invoke.CancelledError, lambda_invoke.FunctionError)
for descend, step in ((at_depth, 1), (at_depth_through_c, 8)):
    seen = {name: set() for name in CALLS}
    for left in range(5, 65, step):
        for name, call in CALLS.items():
            begun = endpoint.begun
            try:
                descend(sys.getrecursionlimit() - left, call)
                seen[name].add("done")
            except RecursionError:
                seen[name].add("RecursionError")
                assert endpoint.begun == begun, (name, left)
            except ERRORS as error:
                seen[name].add(type(error).__name__)
            # The thread's callbacks still work.
            assert client.invoke("echo", 2).json() == 2
    ends = {"stop": "CancelledError", "stream": "CancelledError"}
    ends.update({name: "FunctionError" for name in CALLS if name.startswith("failing")})
    expected = {name: {"RecursionError", ends.get(name, "done")} for name in CALLS}
    if descend is at_depth:
        assert seen == expected, seen
    else:
        # Since Python 3.12, calls of C have a limit of their own, which is higher.
        assert all(seen[name] <= expected[name] for name in CALLS), seen
print("done")
