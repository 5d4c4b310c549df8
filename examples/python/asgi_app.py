"""A shop in ASGI itself; in Starlette and FastAPI it is `app.add_middleware(Sessions, url=…)`."""

import json
import os

from antechamber.asgi import Sessions, session_of


async def shop(scope, receive, send):
    if scope["type"] != "http":
        return
    session = session_of(scope)
    body = json.dumps({"customer": session.customer_id if session else None}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


app = Sessions(
    shop,
    url=os.environ.get("ANTECHAMBER_URL", "http://127.0.0.1:8080"),
    key=os.environ.get("ANTECHAMBER_KEY"),
    service="shop",
)
