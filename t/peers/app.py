"""A small application behind the gateway, which calls models through it too.

    python3 app.py serve PORT GATEWAY KEY DIR     answers, and leaves jobs in DIR
    python3 app.py work GATEWAY KEY DIR           a process of its own, does them

GATEWAY is the base URL of the location for models.  Log lines go to standard
output, as structlog writes JSON.
"""

import json
import os
import sys
import time
import uuid

import httpx
import structlog

structlog.configure(processors=[
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.JSONRenderer(),
], logger_factory=structlog.PrintLoggerFactory())

log = structlog.get_logger()
CONTEXT = ("x-request-id", "traceparent", "tracestate", "x-user-id")


def bind(context):
    """What every log line of this request or job has."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=context.get("x-request-id"),
        trace_id=context.get("traceparent", "").split("-")[1:2],
        user_id=context.get("x-user-id"))


def outgoing(context, key):
    """The headers that tie a call to what it is made for."""
    return {"Authorization": f"Bearer {key}",
            **{k: context[k] for k in CONTEXT if k in context and k != "x-user-id"}}


def question(text, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


def serve(port, gateway, key, folder):
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    client = httpx.AsyncClient(base_url=gateway, timeout=30)

    def context_of(request):
        return {k: request.headers[k] for k in CONTEXT if k in request.headers}

    @app.post("/app/ask")
    async def ask(request: Request):
        context = context_of(request)
        bind(context)
        log.info("asked")
        r = await client.post("/v1/chat/completions", json=question(await request.json()),
                              headers=outgoing(context, key))
        log.info("answered", status=r.status_code, llm_request_id=r.headers.get("x-request-id"))
        return {"text": r.json()["choices"][0]["message"]["content"]}

    @app.post("/app/stream")
    async def stream(request: Request):
        context = context_of(request)
        text = await request.json()
        bind(context)

        async def events():
            async with client.stream("POST", "/v1/chat/completions",
                                     json=question(text, stream=True),
                                     headers=outgoing(context, key)) as r:
                async for part in r.aiter_bytes():
                    yield part
            bind(context)
            log.info("streamed")

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/app/jobs", status_code=202)
    async def jobs(request: Request):
        context = context_of(request)
        bind(context)
        name = os.path.join(folder, str(uuid.uuid4()))
        with open(name + ".new", "w") as f:
            json.dump({"context": context, "text": await request.json()}, f)
        os.rename(name + ".new", name + ".job")
        log.info("left for later")
        return {"accepted": True}

    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")


def work(gateway, key, folder):
    client = httpx.Client(base_url=gateway, timeout=30)

    while True:
        for name in [n for n in os.listdir(folder) if n.endswith(".job")]:
            path = os.path.join(folder, name)
            with open(path) as f:
                job = json.load(f)
            os.unlink(path)
            bind(job["context"])
            r = client.post("/v1/chat/completions", json=question(job["text"]),
                            headers=outgoing(job["context"], key))
            log.info("job done", status=r.status_code, pid=os.getpid())
        time.sleep(0.02)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    {"serve": serve, "work": work}[sys.argv[1]](*sys.argv[2:])
