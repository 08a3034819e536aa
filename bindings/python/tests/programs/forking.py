"""Calls in children, with the client of their parent, while threads of the parent call too."""

import multiprocessing
import os
import sys
import threading
import warnings

import lambda_invoke

# Of forking with threads: that it works is what is tested here.
warnings.simplefilter("ignore", DeprecationWarning)

CHILDREN = 20
client = lambda_invoke.Client()


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
