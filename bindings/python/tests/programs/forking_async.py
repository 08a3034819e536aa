"""As a server that loads its application before it forks: the parent calls, then each child in its own event loop."""

import asyncio
import logging
import os
import sys
import warnings

import lambda_invoke

# Development mode warns of steps that take 100 ms, as they do on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)

# Of forking with threads: that it works is what is tested here.
warnings.simplefilter("ignore", DeprecationWarning)

client = lambda_invoke.Client()


async def many():
    return [result.json() for result in await asyncio.gather(*(client.invoke_async("echo", n) for n in range(5)))]


def mapped():
    return [result.json() for result in client.map("echo", range(5), raise_on_error=True, concurrency=5)]


assert asyncio.run(many()) == mapped() == list(range(5))
half_way = client.map("echo", range(5), raise_on_error=True, concurrency=2)
assert next(half_way).json() == 0
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        assert asyncio.run(many()) == mapped() == list(range(5))
        # By the whole way out of the interpreter.
        sys.exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
assert [result.json() for result in half_way] == [1, 2, 3, 4]
assert asyncio.run(many()) == mapped() == list(range(5))
print("done")
