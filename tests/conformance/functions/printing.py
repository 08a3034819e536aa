"""Writes the payload to the log."""

import sys

RAW = True


def handler(event, context):
    sys.stdout.buffer.write(event)
    return b"printed"
