"""Takes its time: as many seconds as the event says."""

import time

CONCURRENCY = 32
TIMEOUT = 60


def handler(event, context):
    time.sleep(event)
    return event
