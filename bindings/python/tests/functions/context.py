"""What the handler was given beside the event."""


def handler(event, context):
    client_context = context.client_context
    return {
        "version": context.function_version,
        "client_context": client_context and client_context.raw,
        "tenant_id": context.tenant_id,
        "durable_execution_name": context.durable_execution_name,
        "trace_header": context.trace_header,
    }
