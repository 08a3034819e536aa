"""Waits for a function that never answers; tells when each Ctrl-C arrived. With 0 rounds nothing catches it."""

import sys
import time

import lambda_invoke

rounds = int(sys.argv[1])
with lambda_invoke.Client() as client:
    for _ in range(rounds):
        try:
            print("calling", flush=True)
            client.invoke("hanging")
        except KeyboardInterrupt as interrupt:
            print(type(interrupt).__name__, time.monotonic(), flush=True)
    if rounds == 0:
        print("calling", flush=True)
        client.invoke("hanging")
