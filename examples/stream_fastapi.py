"""Passes a streamed response of a Lambda function on to a browser, as it is made.

local/lambda-local examples/functions -- uvicorn --app-dir examples stream_fastapi:app
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from lambda_invoke import Client, Stream

app = FastAPI()
client = Client()


async def chunks(stream: Stream) -> AsyncIterator[bytes]:
    # Ends the call too when the browser leaves.
    async with stream:
        async for chunk in stream:
            yield chunk


@app.get("/count/{limit}")
async def count(limit: int) -> StreamingResponse:
    return StreamingResponse(chunks(client.invoke_stream("counting", limit)), media_type="text/plain")
