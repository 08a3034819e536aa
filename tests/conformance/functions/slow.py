"""Takes as many seconds as the event is, up to a minute."""

import time

TIMEOUT = 60


def handler(event, context):
    time.sleep(event)
    return event
