"""Fails, to show what the caller of a failed function receives."""


def handler(event, context):
    print("about to fail")
    raise ValueError(f"no order {event.get('order', 42)} in the database")
