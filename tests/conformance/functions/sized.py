"""Returns as many bytes as the event is, all of them the letter x."""

RAW = True


def handler(event, context):
    return b"x" * int(event)
