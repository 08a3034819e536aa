"""Calls in children, with the client of their parent, while threads of the parent call too."""

import logging
import multiprocessing
import os
import sys
import threading
import warnings

import lambda_invoke

# Of forking with threads: that it works is what is tested here.
warnings.simplefilter("ignore", DeprecationWarning)

CHILDREN = 20
asked = []
logger = logging.Logger("all", 5)
logger.addHandler(logging.NullHandler())


def credentials():
    asked.append(os.getpid())
    # They have expired: each call asks.
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], None, 1)


client = lambda_invoke.Client(**({"credentials": credentials, "logger": logger} if "callbacks" in sys.argv else {}))


def call(number):
    return client.invoke("echo", number).json()


def fork():
    over = threading.Event()

    def keep_calling():
        while not over.is_set():
            client.invoke("echo", b"x", stop=over.is_set)

    threads = [threading.Thread(target=keep_calling) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(CHILDREN):
        child = os.fork()
        if child == 0:
            # By the whole way out of the interpreter: no call of the parent's threads may hold it up.
            assert call(number) == number
            assert os.getpid() in asked or "callbacks" not in sys.argv
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert call(number) == number
    over.set()
    for thread in threads:
        thread.join()


if sys.argv[1] == "fork":
    # Calls that over cuts off are none of this test's concern.
    threading.excepthook = lambda arguments: None
    fork()
else:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(call, range(CHILDREN)) == list(range(CHILDREN))
print("done")
