"""Ends while a client, and perhaps a call, is alive."""

import atexit
import contextlib
import logging
import os
import sys
import threading
import time

import lambda_invoke

how = sys.argv[1]
client = lambda_invoke.Client()
assert client.invoke("echo", 1).json() == 1


def hang(client=client, **arguments):
    # As programs do that try again.
    while True:
        with contextlib.suppress(lambda_invoke.CancelledError):
            client.invoke("hanging", **arguments)


def credentials():
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], None, 1)


if how == "call":
    for _ in range(4):
        threading.Thread(target=hang, daemon=True).start()
    time.sleep(0.3)
elif how == "call_with_stop":
    for _ in range(4):
        threading.Thread(target=hang, kwargs={"stop": threading.Event()}, daemon=True).start()
    time.sleep(0.3)
elif how == "callbacks":
    logger = logging.Logger("all", 5)
    logger.addHandler(logging.NullHandler())
    asking = lambda_invoke.Client(credentials=credentials, logger=logger)
    for number in range(4):
        threading.Thread(target=hang, args=(asking,), kwargs={"timeout": 1} if number else {}, daemon=True).start()
    assert asking.invoke("echo", 2).json() == 2
elif how == "atexit":
    atexit.register(lambda: client.invoke("echo", 2))
elif how == "thread":
    threading.Thread(target=lambda: client.invoke("echo", 3)).start()
print("last line")
