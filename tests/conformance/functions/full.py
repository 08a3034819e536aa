"""Never has room for another invocation."""

CONCURRENCY = 0


def handler(event, context):
    return None
