"""The application of the suite in ASGI itself."""

import json
from urllib.parse import parse_qs

from antechamber.asgi import Sessions, session_of
from options import next_visit, options, page, shown


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    await respond(scope, send)


async def respond(scope, send):
    session, path = session_of(scope), scope["path"]
    if path == "/sign-in":
        [customer] = parse_qs(scope["query_string"].decode())["customer"]
        stored = await session.identify(customer_id=customer) if session else None
        body = [json.dumps({"stored": stored, "session": shown(session)})]
    elif path == "/count":
        stored = await session.update(next_visit) if session else None
        body = [json.dumps({"stored": stored, "session": shown(session)})]
    elif path == "/sign-out":
        body = [json.dumps({"ended": await session.end() if session else None})]
    elif path == "/fail":
        raise RuntimeError("a broken page")
    elif path == "/stream":
        body = ["one", "two"]
    else:
        body = [page(session, [(name.decode(), value) for name, value in scope["headers"]])]
    kind = b"text/plain" if path == "/stream" else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    for chunk in body:
        await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


app = Sessions(application, **options())
