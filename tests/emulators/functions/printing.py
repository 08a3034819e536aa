"""Writes to the log."""


def handler(event, context):
    print(event["text"])
    return "printed"
