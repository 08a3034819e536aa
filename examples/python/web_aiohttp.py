"""A web server that invokes a function for each request, such as /hello/Ada.

Run: python3 examples/python/web_aiohttp.py [port]
"""

import sys
from collections.abc import AsyncIterator

import lambda_invoke
from aiohttp import web

CLIENT = web.AppKey("client", lambda_invoke.Client)


async def hello(request: web.Request) -> web.Response:
    client = request.app[CLIENT]
    try:
        result = await client.invoke_async("hello", {"name": request.match_info["name"]}, timeout=10)
    except lambda_invoke.ThrottledError as error:
        return web.Response(status=503, headers={"Retry-After": str(round(error.result.retry_after or 1))})
    except lambda_invoke.TimeoutError:
        return web.Response(status=504)
    except lambda_invoke.LambdaError as error:
        request.app.logger.error("%s", error)
        return web.Response(status=502)
    return web.Response(body=result.payload, content_type="application/json")


async def client(app: web.Application) -> AsyncIterator[None]:
    # One for all requests: they share its connections and credentials.
    with lambda_invoke.Client() as app[CLIENT]:
        yield


app = web.Application()
app.cleanup_ctx.append(client)
app.router.add_get("/hello/{name}", hello)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
