"""Ends while a client, and perhaps a call, is alive."""

import atexit
import sys
import threading
import time

import lambda_invoke

how = sys.argv[1]
client = lambda_invoke.Client()
assert client.invoke("echo", 1).json() == 1


def hang(**arguments):
    try:
        client.invoke("hanging", **arguments)
    except lambda_invoke.CancelledError:
        # As programs do that try again.
        hang(**arguments)


if how == "call":
    for _ in range(4):
        threading.Thread(target=hang, daemon=True).start()
    time.sleep(0.3)
elif how == "call_with_stop":
    for _ in range(4):
        threading.Thread(target=hang, kwargs={"stop": threading.Event()}, daemon=True).start()
    time.sleep(0.3)
elif how == "atexit":
    atexit.register(lambda: client.invoke("echo", 2))
elif how == "thread":
    threading.Thread(target=lambda: client.invoke("echo", 3)).start()
print("last line")
