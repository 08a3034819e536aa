"""Greets many people at once, in one event loop.

Run: local/lambda-local examples/functions -- python3 examples/python/many.py
"""

import asyncio

import lambda_invoke

NAMES = ["Ada", "Grace", "Edsger", "Barbara"]


async def main() -> None:
    with lambda_invoke.Client(timeout=30) as client:
        # Each by itself: the first failure is raised, and the others go on.
        results = await asyncio.gather(*(client.invoke_async("hello", {"name": name}) for name in NAMES))
        print(*(result.json()["greeting"] for result in results), sep="\n")

        # Any number of payloads, so many at once, in their order; a failure is an item.
        people = ({"name": f"number {number}"} for number in range(100))
        greeted = 0
        async for item in client.map_async("hello", people, concurrency=8):
            if isinstance(item, lambda_invoke.LambdaError):
                print(item, "- did it run?", item.result.execution)
            else:
                greeted += 1
        print(f"greeted {greeted} more")


asyncio.run(main())
