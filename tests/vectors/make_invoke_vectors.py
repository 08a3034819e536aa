#!/usr/bin/env python3
"""Write invoke.json: Invoke requests as botocore builds and signs them.

Every request comes from botocore's own Lambda client: its serializer, its endpoint rules and its SigV4Auth. Nothing is
sent; the request is caught where it would go out. The clock stands still and the credentials are fixed, so that the
same version of botocore always writes the same file. With --check the file is compared, not written.
"""

import base64
import contextlib
import datetime
import hashlib
import os
import pathlib
import sys
from unittest import mock
from urllib.parse import urlsplit

# botocore reads its environment when it is imported and when a client is made. The awscrt package brings a signer of
# its own, which would take SigV4Auth's place.
for variable in [name for name in os.environ if name.startswith(("AWS_", "_X_AMZN_", "BOTO"))]:
    del os.environ[variable]
os.environ["BOTO_DISABLE_CRT"] = "1"
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import botocore  # noqa: E402
import botocore.auth  # noqa: E402
import botocore.session  # noqa: E402
import vector_file  # noqa: E402
from botocore.awsrequest import AWSResponse  # noqa: E402
from botocore.config import Config  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parent / "invoke.json"

ACCESS_KEY_ID = "AKIDEXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "AQoDYXdzEJr+EXAMPLE/session//token+with/all=of=base64=="
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)

# Added after signing or left out of the signature, and the same on every machine.
UNSIGNED_HEADERS = ("content-length", "x-amzn-trace-id")

MEMBERS = {
    "function_name": "FunctionName",
    "qualifier": "Qualifier",
    "invocation_type": "InvocationType",
    "log_type": "LogType",
    "client_context": "ClientContext",
    "tenant_id": "TenantId",
    "durable_execution_name": "DurableExecutionName",
    "payload": "Payload",
}

TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
CLIENT_CONTEXT = base64.b64encode(b'{"custom":{"key":"value","more":"\xc3\xa9?>"},"env":{},"client":{}}').decode()


def case(name, function_name="f", region="us-east-1", endpoint_url=None, session_token=None, **members):
    payload = members.pop("payload", None)
    if payload is not None:
        members["payload"] = base64.b64encode(payload).decode()
    return {
        "name": name,
        "input": {"function_name": function_name, **members},
        "region": region,
        "endpoint_url": endpoint_url,
        "session_token": session_token,
    }


def cases():
    # Names and qualifiers.
    yield case("name-plain", "my-function", payload=b"{}")
    yield case("name-hyphen", "a-b-c")
    yield case("name-underscore", "a_b_c")
    yield case("name-dot", "a.b.c")
    yield case("name-all-unreserved", "AZaz09-_.")
    yield case("name-longest", "n" * 64)
    yield case("name-colon-alias", "my-function:live")
    yield case("name-colon-version", "my-function:7")
    yield case("name-colon-latest", "my-function:$LATEST")
    yield case("name-colon-latest-published", "my-function:$LATEST.PUBLISHED")
    yield case("qualifier-alias", "my-function", qualifier="live")
    yield case("qualifier-latest", "my-function", qualifier="$LATEST")
    yield case("qualifier-version", "my-function", qualifier="7")
    yield case("name-colon-alias-and-qualifier", "my-function:live", qualifier="live")
    yield case("function-colon-name", "function:my-function")
    yield case("partial-arn", "123456789012:function:f")
    yield case("partial-arn-colon-alias", "123456789012:function:f:q")
    yield case("partial-arn-qualifier", "123456789012:function:f", qualifier="q")
    for partition, region in (("aws", "eu-west-3"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        arn = f"arn:{partition}:lambda:{region}:123456789012:function:my-function"
        yield case(f"arn-{partition}", arn, region)
        yield case(f"arn-{partition}-colon-alias", f"{arn}:live", region)
        yield case(f"arn-{partition}-colon-latest", f"{arn}:$LATEST", region)
        yield case(f"arn-{partition}-qualifier", arn, region, qualifier="live")
        yield case(f"arn-{partition}-session-token", arn, region, session_token=SESSION_TOKEN, payload=b"{}")

    # Endpoints of other partitions.
    for region in (
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "unheard-of-1",
    ):
        yield case(f"region-{region}", region=region)

    # Custom endpoints.
    arn = "arn:aws:lambda:eu-west-3:123456789012:function:my-function"
    yield case("endpoint-http-port", endpoint_url="http://127.0.0.1:9001", payload=b"{}")
    yield case("endpoint-http-name-port", endpoint_url="http://localhost:4566", qualifier="$LATEST")
    yield case("endpoint-https-port", endpoint_url="https://lambda.example.com:8443")
    yield case("endpoint-no-port", endpoint_url="https://lambda.example.com")
    yield case("endpoint-ipv6", endpoint_url="http://[::1]:9001")
    yield case("endpoint-slash", endpoint_url="http://127.0.0.1:9001/")
    yield case("endpoint-https-443", endpoint_url="https://lambda.example.com:443")
    yield case("endpoint-http-80", endpoint_url="http://lambda.example.com:80")
    yield case("endpoint-https-80", endpoint_url="https://lambda.example.com:80")
    yield case("endpoint-http-443", endpoint_url="http://lambda.example.com:443")
    yield case("endpoint-prefix", endpoint_url="https://gateway.example.com/lambda/prod", payload=b"{}")
    yield case("endpoint-prefix-slash", endpoint_url="https://gateway.example.com/lambda/prod/")
    yield case("endpoint-prefix-qualifier", endpoint_url="http://127.0.0.1:9001/lambda/prod", qualifier="live")
    yield case("endpoint-prefix-443", endpoint_url="https://gateway.example.com:443/lambda/prod")
    yield case("endpoint-prefix-encoded", endpoint_url="https://gateway.example.com/a%20b/c")
    yield case("endpoint-prefix-arn", arn, "eu-west-3", endpoint_url="https://gateway.example.com/lambda/prod")
    yield case("endpoint-arn", f"{arn}:live", "eu-west-3", endpoint_url="http://127.0.0.1:9001")

    # Characters that the service refuses, but that have to be encoded all the same.
    characters = {
        "space": " ",
        "slash": "/",
        "percent": "%",
        "percent-encoded": "%2F",
        "plus": "+",
        "tilde": "~",
        "asterisk": "*",
        "apostrophe": "'",
        "parenthesis": "(",
        "parentheses": "(x)",
        "question": "?",
        "hash": "#",
        "ampersand": "&",
        "equals": "=",
        "semicolon": ";",
        "comma": ",",
        "at": "@",
        "exclamation": "!",
        "dollar": "$",
        "colon": ":",
        "quote": '"',
        "less-greater": "<>",
        "brackets": "[]",
        "braces": "{}",
        "pipe": "|",
        "backslash": "\\",
        "caret": "^",
        "backtick": "`",
        "e-acute": "\u00e9",
        "han": "\u6f22",
        "emoji": "\U0001f600",
    }
    for name, text in characters.items():
        yield case(f"name-char-{name}", f"a{text}b")
    yield case("name-char-all", "".join(characters.values()))
    yield case("name-char-dot-segment", "a/../b")
    for name, text in characters.items():
        yield case(f"qualifier-char-{name}", qualifier=f"a{text}b")
    yield case("qualifier-char-all", qualifier="".join(characters.values()))

    # Headers.
    yield case("request-response", invocation_type="RequestResponse", payload=b"{}")
    yield case("event", invocation_type="Event", payload=b"{}")
    yield case("dry-run", invocation_type="DryRun")
    yield case("log-tail", log_type="Tail", payload=b"{}")
    yield case("log-none", log_type="None", payload=b"{}")
    yield case("client-context", client_context=CLIENT_CONTEXT, payload=b"{}")
    yield case("client-context-longest", client_context="QUJD" * 895, payload=b"{}")
    yield case("tenant-plain", tenant_id="tenant-1", payload=b"{}")
    yield case("tenant-one-space", tenant_id="tenant one", payload=b"{}")
    yield case("tenant-two-spaces", tenant_id="tenant  two", payload=b"{}")
    yield case("tenant-all-characters", tenant_id="Az09._:/=+-@ x", payload=b"{}")
    yield case("tenant-longest", tenant_id="t" * 256, payload=b"{}")
    yield case("durable-name", durable_execution_name="order-42_a", payload=b"{}")
    yield case("durable-name-event", durable_execution_name="order-42_a", invocation_type="Event", payload=b"{}")
    yield case("trace-header", trace_header=TRACE_HEADER, payload=b"{}")

    # Payloads.
    yield case("payload-absent")
    yield case("payload-empty", payload=b"")
    yield case("payload-object", payload=b"{}")
    yield case("payload-utf-8", payload='{"name":"\u00e9\u6f22"}'.encode())
    yield case("payload-all-bytes", payload=bytes(range(256)))
    yield case("payload-newlines", payload=b"\r\n\r\n")

    # Temporary credentials.
    yield case("session-token", session_token=SESSION_TOKEN)
    yield case("session-token-qualifier", session_token=SESSION_TOKEN, qualifier="$LATEST", payload=b"{}")
    yield case("session-token-endpoint", session_token=SESSION_TOKEN, endpoint_url="http://127.0.0.1:9001")

    # Everything at once.
    everything = {
        "qualifier": "$LATEST",
        "invocation_type": "RequestResponse",
        "log_type": "Tail",
        "client_context": CLIENT_CONTEXT,
        "tenant_id": "tenant  two @ x",
        "durable_execution_name": "order-42_a",
        "trace_header": TRACE_HEADER,
        "payload": bytes(range(256)),
        "session_token": SESSION_TOKEN,
    }
    yield case("everything", arn, "eu-west-3", **everything)
    yield case("everything-endpoint", arn, "eu-west-3", "http://127.0.0.1:9001/lambda/prod", **everything)


class Recorder(contextlib.ExitStack):
    """Holds botocore's clock still and keeps what SigV4Auth computes."""

    def __enter__(self):
        super().__enter__()
        self.seen = {}
        self.enter_context(mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: NOW))
        for name in ("headers_to_sign", "signed_headers", "canonical_request", "string_to_sign", "signature"):
            self._wrap(name)
        return self

    def _wrap(self, name):
        real = getattr(botocore.auth.SigV4Auth, name)

        def wrapper(auth, *args, **kwargs):
            result = real(auth, *args, **kwargs)
            self.seen[name] = result
            return result

        self.enter_context(mock.patch.object(botocore.auth.SigV4Auth, name, wrapper))


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def caught_request(session, one):
    """Run one case through botocore: the request it would have sent, and what its signer computed."""
    members = dict(one["input"])
    trace_header = members.pop("trace_header", None)
    if "payload" in members:
        members["payload"] = base64.b64decode(members["payload"])

    client = session.create_client(
        "lambda",
        region_name=one["region"],
        endpoint_url=one["endpoint_url"],
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        aws_session_token=one["session_token"],
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    requests = []

    def before_send(request, **_):
        requests.append(request)
        return AWSResponse(request.url, 200, {}, None)

    client.meta.events.register("before-send.lambda.Invoke", before_send)

    # botocore sends a trace header only inside of a Lambda function.
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "caller", "_X_AMZN_TRACE_ID": trace_header} if trace_header else {}
    with mock.patch.dict(os.environ, environment), Recorder() as recorder:
        client.invoke(**{MEMBERS[key]: value for key, value in members.items()})
    (request,) = requests
    return request, recorder.seen


def expected(session, one):
    request, seen = caught_request(session, one)
    signed_headers = seen["signed_headers"].split(";")
    headers = {}
    for name in signed_headers:
        (headers[name],) = map(text, seen["headers_to_sign"].get_all(name))
    on_the_wire = {name.lower(): text(value) for name, value in request.headers.items()}
    unsigned = {name: value for name, value in on_the_wire.items() if name not in headers}

    body = request.body or b""
    parts = urlsplit(request.url)
    if parts.fragment:
        raise ValueError(f"{one['name']}: a raw # in {request.url}")
    if not set(on_the_wire) - {"authorization", "user-agent"} >= set(headers) - {"host"}:
        raise ValueError(f"{one['name']}: signs headers that it does not send")
    payload_sha256 = hashlib.sha256(body).hexdigest()
    if not seen["canonical_request"].endswith(f"\n{payload_sha256}"):
        raise ValueError(f"{one['name']}: the payload is not what was signed")
    return {
        "url": request.url,
        "path": parts.path,
        "query": parts.query,
        "host": headers["host"],
        "headers": headers,
        "signed_headers": seen["signed_headers"],
        "unsigned_headers": {name: unsigned[name] for name in UNSIGNED_HEADERS if name in unsigned},
        "canonical_request": seen["canonical_request"],
        "string_to_sign": seen["string_to_sign"],
        "signature": seen["signature"],
        "authorization": on_the_wire["authorization"],
        "x_amz_date": on_the_wire["x-amz-date"],
        "payload_sha256": payload_sha256,
    }


def vectors():
    session = botocore.session.Session()
    made = [{**one, "expected": expected(session, one)} for one in cases()]
    names = [one["name"] for one in made]
    if len(set(names)) != len(names):
        raise ValueError("names of cases have to be unique")
    return {
        "botocore": botocore.__version__,
        "service": "lambda",
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "cases": made,
    }


if __name__ == "__main__":
    sys.exit(vector_file.run(__doc__.splitlines()[0], OUTPUT, vectors))
