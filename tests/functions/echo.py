"""Gives the event back, byte for byte."""

RAW = True
CONCURRENCY = 64


def handler(event, context):
    return event
