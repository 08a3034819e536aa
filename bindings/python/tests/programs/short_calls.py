"""Counts how many of so many Ctrl-C come out of calls that are too short for one to come while they wait."""

import contextlib
import logging
import os
import random
import signal
import sys
import threading
import time

import lambda_invoke

rounds = int(sys.argv[1])
callbacks = "callbacks" in sys.argv
logger = logging.Logger("all", 5)
logger.addHandler(logging.NullHandler())
# Their failures are dealt with, and meanwhile Ctrl-C comes as well.
logger.addFilter(lambda record: random.random() < 0.5 or 1 / 0)


def credentials():
    if random.random() < 0.5:
        raise RuntimeError
    # They have expired: each call asks.
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], None, 1)


client = lambda_invoke.Client(**({"credentials": credentials, "logger": logger} if callbacks else {}))
ready = threading.Semaphore(0)


def interrupt():
    for _ in range(rounds):
        ready.acquire()
        time.sleep(random.uniform(0, 0.002))
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def call_for(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Refused at once: the less the call takes, the more of the time is spent in this package.
        with contextlib.suppress(lambda_invoke.InvalidArgumentError, lambda_invoke.CredentialsError):
            client.invoke("echo" if callbacks else "")


threading.Thread(target=interrupt, daemon=True).start()
caught = 0
for _ in range(rounds):
    try:
        ready.release()
        call_for(2)
    except KeyboardInterrupt:
        caught += 1
print(f"{caught} of {rounds}")
