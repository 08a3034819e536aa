"""Gives back what a handler sees, as the conformance suite's function of this name does, whatever the context lacks."""

import os

VERSIONS = ["1", "2"]
ALIASES = {"live": "2"}


def handler(event, context):
    client_context = context.client_context
    return {
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        # AWS's runtime keeps only the parts that it knows.
        "client_context": client_context and {"custom": client_context.custom},
        "tenant_id": getattr(context, "tenant_id", None),
        "durable_execution_name": getattr(context, "durable_execution_name", None),
        "trace_header": os.environ.get("_X_AMZN_TRACE_ID"),
    }
