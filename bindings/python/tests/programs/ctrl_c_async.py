"""As ctrl_c.py, for asyncio and map."""

import asyncio
import logging
import sys
import time

import lambda_invoke

# Development mode warns of steps that take 100 ms, as they do on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)

how, rounds = sys.argv[1], int(sys.argv[2])


async def call():
    print("calling", flush=True)
    await asyncio.gather(*(client.invoke_async("hanging") for _ in range(4)))


def wait():
    if how == "asyncio":
        asyncio.run(call())
    else:
        print("calling", flush=True)
        list(client.map("hanging", range(4)))


with lambda_invoke.Client() as client:
    for _ in range(rounds):
        try:
            wait()
        except KeyboardInterrupt as interrupt:
            print(type(interrupt).__name__, time.monotonic(), flush=True)
