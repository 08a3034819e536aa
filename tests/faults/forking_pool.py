"""Threads call while multiprocessing forks a process for each task, which calls with its parent's client.

usage: forking_pool.py TASKS URL... Prints how many calls the threads made meanwhile.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import threading

import lambda_invoke

TASKS, URLS = int(sys.argv[1]), sys.argv[2:]
THREADS, PROCESSES = 8, 8
# Of the threads; those of the tasks are below.
numbers = itertools.count(1_000_000)
is_over = threading.Event()
clients = [
    lambda_invoke.Client(
        region="us-east-1",
        endpoint_url=url,
        ca_bundle=os.environ["FAULTS_CA_FILE"],
        access_key_id="AKIDEXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        proxy="",
    )
    for url in URLS
]


def call(number: int) -> str:
    """Returns which call the response belongs to."""
    result = clients[number % len(clients)].invoke(f"f-{number}", {"id": str(number)})
    return (result.request_id or "").split("-")[0]


def task(number: int) -> tuple[int, str]:
    return os.getpid(), call(number)


def keep_calling() -> None:
    while not is_over.is_set():
        number = next(numbers)
        assert call(number) == str(number)


def main() -> None:
    failed: list[object] = []
    threading.excepthook = failed.append
    threads = [threading.Thread(target=keep_calling) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    with multiprocessing.get_context("fork").Pool(PROCESSES, maxtasksperchild=1) as pool:
        owners = [pool.apply_async(task, (number,)) for number in range(TASKS)]
        done = [owner.get(timeout=60) for owner in owners]
    is_over.set()
    for thread in threads:
        thread.join()
    assert not failed, failed
    assert [owner for _, owner in done] == [str(number) for number in range(TASKS)]
    assert len({process for process, _ in done}) == TASKS
    print(next(numbers) - 1_000_000)


if __name__ == "__main__":
    main()
