"""Ends, in many ways, while calls of a queue are under way."""

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time

import lambda_invoke

# Development mode warns of steps that take 100 ms, as they do on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)

how = sys.argv[1]
logger = logging.Logger("all", 5)
logger.addHandler(logging.NullHandler())


def credentials():
    # Often on its way when the interpreter ends.
    time.sleep(0.01)
    return lambda_invoke.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], None, 1)


plain = lambda_invoke.Client()
client = lambda_invoke.Client(credentials=credentials, logger=logger) if "callbacks" in sys.argv else plain


async def begin(count=4):
    tasks = [asyncio.ensure_future(client.invoke_async("hanging")) for _ in range(count)]
    assert (await plain.invoke_async("echo", 1)).json() == 1
    return tasks


def run_for_ever():
    loop = asyncio.new_event_loop()
    tasks.extend(loop.run_until_complete(begin()))
    started.set()
    loop.run_forever()


def map_for_ever():
    with contextlib.suppress(lambda_invoke.CancelledError):
        for _ in client.map("hanging", range(4)):
            pass


tasks = []
started = threading.Event()
if how == "run":
    # Cancels the tasks.
    asyncio.run(begin())
elif how == "loop_in_a_thread":
    threading.Thread(target=run_for_ever, daemon=True).start()
    started.wait()
elif how == "map":
    items = client.map("echo", range(10))
    assert next(items).json() == 0
elif how == "map_in_a_thread":
    threading.Thread(target=map_for_ever, daemon=True).start()
    time.sleep(0.3)
print("last line")
