"""Streams the numbers up to the event, a line for each."""


def handler(event, context):
    for number in range(event):
        yield f"{number}\n"
