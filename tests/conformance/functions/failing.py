"""Fails in the way that the event names."""

import os
import time

TIMEOUT = 1


class OutOfStock(Exception):
    pass


def handler(event, context):
    print("about to fail")
    how = event["how"]
    if how == "raise":
        raise OutOfStock(event["message"])
    if how == "exit":
        os._exit(3)
    if how == "sleep":
        time.sleep(60)
    if how == "unserializable":
        return {1, 2}
    raise ValueError(how)
