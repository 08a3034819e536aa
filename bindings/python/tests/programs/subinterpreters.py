"""Calls, with each kind of callback, in interpreters beside the main one, where Python lets ctypes in."""

import sys

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

PROGRAM = """
import logging, os, threading
import lambda_invoke

def credentials():
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])

logger = logging.Logger("all", 5)
logger.addHandler(logging.NullHandler())
client = lambda_invoke.Client(credentials=credentials, logger=logger)
assert client.invoke("echo", 1).json() == 1

def call():
    flag = threading.Event()
    flag.set()
    for arguments in ({"timeout": 0.2}, {"stop": flag}):
        try:
            client.invoke("hanging", **arguments)
        except lambda_invoke.LambdaError:
            pass
        else:
            raise AssertionError

thread = threading.Thread(target=call)
thread.start()
thread.join()
call()
"""

for _ in range(2):
    legacy = interpreters.create("legacy") if sys.version_info >= (3, 13) else interpreters.create(isolated=False)
    failed = interpreters.run_string(legacy, PROGRAM)
    assert failed is None, failed
    interpreters.destroy(legacy)
print("done")
