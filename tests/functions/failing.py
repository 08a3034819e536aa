"""Fails as the event says."""


class OutOfStock(Exception):
    pass


def handler(event, context):
    print("about to fail")
    raise OutOfStock(event["message"])
