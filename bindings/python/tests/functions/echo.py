"""Gives the event back, byte for byte."""

RAW = True
VERSIONS = ["1"]
ALIASES = {"live": "1"}


def handler(event, context):
    print("echoing")
    return event
