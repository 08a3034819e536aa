"""Does what invoke.c does, with botocore: whoever has a working botocore is to have a working lambda_invoke.

It prints the same line of JSON, its errors under the names that this library has for them.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

import botocore.exceptions as errors
import botocore.session
from botocore.config import Config

STATUS = [
    (errors.ProfileNotFound, "LAMBDA_E_CONFIG"),
    (errors.NoRegionError, "LAMBDA_E_CONFIG"),
    (errors.EndpointProviderError, "LAMBDA_E_CONFIG"),
    (errors.InvalidRetryModeError, "LAMBDA_E_CONFIG"),
    (errors.InvalidRetryConfigurationError, "LAMBDA_E_CONFIG"),
    (errors.InvalidMaxRetryAttemptsError, "LAMBDA_E_CONFIG"),
    (errors.NoCredentialsError, "LAMBDA_E_CREDENTIALS"),
    (errors.PartialCredentialsError, "LAMBDA_E_CREDENTIALS"),
    (errors.CredentialRetrievalError, "LAMBDA_E_CREDENTIALS"),
    (errors.MetadataRetrievalError, "LAMBDA_E_CREDENTIALS"),
    (errors.InvalidConfigError, "LAMBDA_E_CREDENTIALS"),
    (errors.InfiniteLoopConfigError, "LAMBDA_E_CREDENTIALS"),
    (errors.ConfigNotFound, "LAMBDA_E_CREDENTIALS"),
    (errors.TokenRetrievalError, "LAMBDA_E_CREDENTIALS"),
    (errors.SSOError, "LAMBDA_E_CREDENTIALS"),
    # The token of a web identity, or of a container.
    (FileNotFoundError, "LAMBDA_E_CREDENTIALS"),
    (errors.SSLError, "LAMBDA_E_TLS"),
    (errors.ProxyConnectionError, "LAMBDA_E_CONNECT"),
    (errors.EndpointConnectionError, "LAMBDA_E_CONNECT"),
    (errors.ConnectTimeoutError, "LAMBDA_E_CONNECT"),
    (errors.ReadTimeoutError, "LAMBDA_E_TIMEOUT"),
    (errors.ConnectionClosedError, "LAMBDA_E_IO"),
    (ValueError, "LAMBDA_E_CONFIG"),
]


def failure(error: Exception) -> dict[str, Any]:
    status, code, http_status = "LAMBDA_E_INTERNAL", None, 0
    if isinstance(error, errors.ClientError):
        http_status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        status = "LAMBDA_E_SERVICE" if error.operation_name == "Invoke" else "LAMBDA_E_CREDENTIALS"
    elif "Unsupported host" in str(error) or "still expired" in str(error):
        # Of a container's URL, and of credentials that had expired when they came.
        status = "LAMBDA_E_CREDENTIALS"
    else:
        status = next((name for kind, name in STATUS if isinstance(error, kind)), status)
    message = f"{type(error).__name__}: {error}"
    return {"status": status, "http_status": http_status, "error_type": code, "error_message": message, "payload": ""}


def call(client: Any, function: str) -> dict[str, Any]:
    began = time.monotonic()
    try:
        answer = client.invoke(FunctionName=function, Payload=b"{}")
    except Exception as error:
        result = failure(error)
        attempts = getattr(error, "response", {}).get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
    else:
        payload = answer["Payload"].read().decode()
        result = {"status": "LAMBDA_OK", "http_status": answer["StatusCode"], "error_type": None, "payload": payload}
        result["error_message"] = None
        attempts = answer["ResponseMetadata"]["RetryAttempts"] + 1
    return {**result, "attempts": attempts, "execution": None, "duration_ms": (time.monotonic() - began) * 1000}


def make_client(options: argparse.Namespace) -> Any:
    session = botocore.session.Session(profile=options.profile)
    settings = {
        "read_timeout": options.timeout_ms / 1000 if options.timeout_ms else None,
        "use_fips_endpoint": True if options.fips == 1 else None,
        "use_dualstack_endpoint": True if options.dual_stack == 1 else None,
        "user_agent_appid": options.app_id,
        "proxies": {"http": options.proxy, "https": options.proxy} if options.proxy is not None else None,
    }
    return session.create_client(
        "lambda",
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        verify=options.ca_bundle,
        config=Config(**{name: value for name, value in settings.items() if value is not None}),
    )


def make_round(client: Any, options: argparse.Namespace) -> None:
    results: list[dict[str, Any]] = []
    start = threading.Barrier(options.threads)

    def work() -> None:
        start.wait()
        results.extend(call(client, options.function) for _ in range(options.calls))

    if not options.describe_only:
        running = [threading.Thread(target=work) for _ in range(options.threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    describe = {
        "region": {"value": client.meta.region_name},
        "endpoint_url": {"value": client.meta.endpoint_url},
        "max_attempts": {"value": client.meta.config.retries.get("total_max_attempts")},
    }
    print(json.dumps({"describe": describe, "calls": results}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("function")
    for flag in ("--describe-only", "--stdin"):
        parser.add_argument(flag, action="store_true")
    for flag in ("--region", "--profile", "--endpoint-url", "--proxy", "--ca-bundle", "--app-id"):
        parser.add_argument(flag)
    for flag in ("--calls", "--threads"):
        parser.add_argument(flag, type=int, default=1)
    for flag in ("--fips", "--dual-stack", "--timeout-ms", "--block-signal"):
        parser.add_argument(flag, type=int)
    options = parser.parse_args()
    try:
        client = make_client(options)
    except Exception as error:
        refusal = {**failure(error), "execution": None, "attempts": 0, "duration_ms": 0}
        print(json.dumps({"describe": None, "calls": [refusal]}), flush=True)
        return
    for _ in sys.stdin if options.stdin else ["once"]:
        make_round(client, options)


if __name__ == "__main__":
    main()
