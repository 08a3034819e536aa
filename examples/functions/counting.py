"""Streams the numbers up to the event, one a line and ten a second."""

import time


def handler(event, context):
    for number in range(event):
        yield f"{number}\n"
        time.sleep(0.1)
