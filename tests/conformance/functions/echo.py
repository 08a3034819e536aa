"""Gives the payload back, byte for byte."""

RAW = True


def handler(event, context):
    return event
