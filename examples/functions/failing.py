"""Fails, so that one can see what a failed function looks like to its caller."""


def handler(event, context):
    print("about to fail")
    raise ValueError(f"no order {event.get('order', 42)} in the database")
