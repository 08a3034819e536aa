"""What the handler was given beside the event, a line for each."""

import json

RAW = True
VERSIONS = ["1", "2"]
ALIASES = {"live": "2"}


def handler(event, context):
    client_context = context.client_context
    seen = {
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "client_context": client_context and json.dumps(client_context.raw, sort_keys=True),
        "tenant_id": context.tenant_id,
        "durable_execution_name": context.durable_execution_name,
        "trace_header": context.trace_header,
        "payload": event.decode(),
    }
    return "".join(f"{name}={value}\n" for name, value in seen.items()).encode()
