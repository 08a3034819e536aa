"""The Python programs of the benchmark: this library, blocking and with asyncio, and other clients.

client.py CLIENT URL CASE CALLS IN_FLIGHT SIZE prints one JSON line. It imports a client only when it is the one that is
measured, since the first response of a process includes the import.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable

BURST = ("burst-1000", "again-1000")
PAUSE = 1.0

Call = Callable[[str], object]
AsyncCall = Callable[[str], Awaitable[object]]


class Case:
    def __init__(self, url: str, name: str, calls: str, in_flight: str, size: str) -> None:
        self.url, self.name, self.calls, self.in_flight = url, name, int(calls), int(in_flight)
        self.payload = b'"' + b"a" * (int(size) - 2) + b'"'

    @property
    def warm_up(self) -> int:
        """How many calls each thread or task makes before the measurement."""
        return max(self.calls // self.in_flight // 10, 2)

    @property
    def of_each(self) -> int:
        return self.calls // self.in_flight

    def check(self, status: int, length: int) -> None:
        if (status, length) != (200, len(self.payload)):
            raise SystemExit(f"another response was expected than {status} with {length} bytes")


class Meter:
    """Measures the CPU time of this process, all threads included, and the wall time."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def finish(self, calls: int) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        with open("/proc/self/status", encoding="ascii") as status:
            rss = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
        cpu_us, wall_us = (cpu - self.cpu) * 1e6 / calls, (wall - self.wall) * 1e6 / calls
        print(f'{{"cpu_us": {cpu_us:.2f}, "wall_us": {wall_us:.2f}, "rss_kib": {rss}}}', flush=True)


def block(case: Case, make: Callable[[], Call]) -> None:
    """Runs a case with a client that blocks; each thread has what make returns."""
    if case.name == "first":
        make()("f")
        Meter().finish(1)
    elif case.name == "burst":
        for turn, function in enumerate(BURST):
            time.sleep(PAUSE * turn)
            calls = [make() for _ in range(case.in_flight)]
            threads = [threading.Thread(target=call, args=(function,)) for call in calls]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        Meter().finish(1)
    elif case.in_flight == 1:
        call = make()
        for _ in range(case.warm_up):
            call("f")
        meter = Meter()
        for _ in range(case.calls):
            call("f")
        meter.finish(case.calls)
    else:
        block_threads(case, make)


def block_threads(case: Case, make: Callable[[], Call]) -> None:
    ready, done = (threading.Barrier(case.in_flight + 1) for _ in range(2))

    def run() -> None:
        call = make()
        for _ in range(case.warm_up):
            call("f")
        ready.wait()
        for _ in range(case.of_each):
            call("f")
        done.wait()

    for _ in range(case.in_flight):
        threading.Thread(target=run, daemon=True).start()
    ready.wait()
    meter = Meter()
    done.wait()
    meter.finish(case.of_each * case.in_flight)


async def run_tasks(case: Case, call: AsyncCall) -> None:
    """Runs a case with tasks of an event loop."""
    import asyncio

    async def each(function: str, calls: int) -> None:
        for _ in range(calls):
            await call(function)

    async def tasks(function: str, calls: int) -> None:
        await asyncio.gather(*(each(function, calls) for _ in range(case.in_flight)))

    if case.name == "burst":
        for turn, function in enumerate(BURST):
            await asyncio.sleep(PAUSE * turn)
            await tasks(function, 1)
        Meter().finish(1)
        return
    await tasks("f", case.warm_up)
    meter = Meter()
    await tasks("f", case.of_each)
    meter.finish(case.of_each * case.in_flight)


def lambda_invoke(case: Case) -> None:
    from lambda_invoke import Client

    client = Client(endpoint_url=case.url, max_connections=case.in_flight)

    def call(function: str) -> None:
        result = client.invoke(function, case.payload)
        case.check(result.http_status, len(result.payload))

    block(case, lambda: call)


def lambda_invoke_async(case: Case) -> None:
    import asyncio

    from lambda_invoke import Client

    client = Client(endpoint_url=case.url, max_connections=case.in_flight)

    async def call(function: str) -> None:
        result = await client.invoke_async(function, case.payload)
        case.check(result.http_status, len(result.payload))

    asyncio.run(run_tasks(case, call))


def boto3(case: Case) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client("lambda", endpoint_url=case.url, config=Config(max_pool_connections=case.in_flight))

    def call(function: str) -> None:
        response = client.invoke(FunctionName=function, Payload=case.payload)
        case.check(response["StatusCode"], len(response["Payload"].read()))

    block(case, lambda: call)


def aiobotocore(case: Case) -> None:
    import asyncio

    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    async def run() -> None:
        config = AioConfig(max_pool_connections=case.in_flight)
        async with get_session().create_client("lambda", endpoint_url=case.url, config=config) as client:

            async def call(function: str) -> None:
                response = await client.invoke(FunctionName=function, Payload=case.payload)
                async with response["Payload"] as body:
                    case.check(response["StatusCode"], len(await body.read()))

            await run_tasks(case, call)

    asyncio.run(run())


def awscrt(case: Case) -> None:
    import io
    from urllib.parse import urlsplit

    from awscrt import auth, http
    from awscrt.io import ClientTlsContext, TlsContextOptions

    url = urlsplit(case.url)
    host, port = str(url.hostname), int(url.port or 0)
    tls = None
    if url.scheme == "https":
        options = TlsContextOptions()
        options.override_default_trust_store_from_path(None, os.environ["SSL_CERT_FILE"])
        tls = ClientTlsContext(options)
    provider = auth.AwsCredentialsProvider.new_static(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    )

    def make() -> Call:
        tls_options = None
        if tls is not None:
            tls_options = tls.new_connection_options()
            tls_options.set_server_name(host)
        connection = http.HttpClientConnection.new(host, port, tls_connection_options=tls_options).result()

        def call(function: str) -> None:
            headers = http.HttpHeaders(
                [
                    ("host", url.netloc),
                    ("content-type", "application/octet-stream"),
                    ("content-length", str(len(case.payload))),
                ]
            )
            path = f"/2015-03-31/functions/{function}/invocations"
            request = http.HttpRequest("POST", path, headers, io.BytesIO(case.payload))
            signing = auth.AwsSigningConfig(
                algorithm=auth.AwsSigningAlgorithm.V4,
                signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
                credentials_provider=provider,
                region="us-east-1",
                service="lambda",
            )
            auth.aws_sign_request(request, signing).result()
            body = bytearray()
            statuses = []
            stream = connection.request(
                request,
                lambda status_code, **_: statuses.append(status_code),
                lambda chunk, **_: body.extend(chunk),
            )
            stream.activate()
            stream.completion_future.result()
            case.check(statuses[0], len(body))

        return call

    block(case, make)


CLIENTS = {
    "lambda_invoke": lambda_invoke,
    "lambda_invoke_async": lambda_invoke_async,
    "boto3": boto3,
    "aiobotocore": aiobotocore,
    "awscrt": awscrt,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](Case(*sys.argv[2:]))
