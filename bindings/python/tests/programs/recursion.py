"""Calls from ever closer to the end of the stack: as from elsewhere, or RecursionError, and never a callback lost."""

import logging
import os
import sys

import lambda_invoke


def credentials():
    # They have expired: each call asks.
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], None, 1)


def at_depth(frames, function):
    return at_depth(frames - 1, function) if frames else function()


logger = logging.Logger("all", 5)
logger.addHandler(logging.NullHandler())
client = lambda_invoke.Client(credentials=credentials, logger=logger)
# Its calls call Python only to have signals delivered.
plain = lambda_invoke.Client()
CALLS = {
    "credentials": lambda: client.invoke("echo", 1).json() == 1,
    "plain": lambda: plain.invoke("echo", 1).json() == 1,
    "stop": lambda: client.invoke("hanging", stop=lambda: True),
    "client": lambda: lambda_invoke.Client(credentials=credentials, logger=logger).describe(),
}
seen = {name: set() for name in CALLS}
for left in range(5, 100):
    for name, call in CALLS.items():
        try:
            assert at_depth(sys.getrecursionlimit() - left, call)
            seen[name].add("done")
        except (RecursionError, lambda_invoke.CancelledError) as error:
            seen[name].add(type(error).__name__)
        # The thread's callbacks still work.
        assert client.invoke("echo", 2).json() == 2
assert seen == {
    "credentials": {"RecursionError", "done"},
    "plain": {"RecursionError", "done"},
    "stop": {"RecursionError", "CancelledError"},
    "client": {"RecursionError", "done"},
}, seen
print("done")
