"""Returns what a handler sees: the event, and the context's fields."""

VERSIONS = ["1", "2"]
ALIASES = {"live": "2"}


def handler(event, context):
    return {
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "client_context": context.client_context and context.client_context.raw,
        "tenant_id": context.tenant_id,
        "durable_execution_name": context.durable_execution_name,
        "trace_header": context.trace_header,
    }
