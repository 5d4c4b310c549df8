"""A receiver of webhooks in Flask. It verifies the signature with Python alone; `pip install standardwebhooks` has a
library for it.

    pip install flask
    WEBHOOK_SECRET=whsec_… flask --app flask_app run --port 3000
"""

import base64
import hashlib
import hmac
import json
import os
import time

from flask import Flask, abort, request

SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
MAX_AGE_SECONDS = 5 * 60

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024

# An event may arrive twice, with the same id. A real receiver remembers the ids where it stores what it does with them.
handled = set()


def verified(headers, body):
    """Returns the event of a request, or None if the signature or the timestamp is not valid."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > MAX_AGE_SECONDS:
        return None
    content = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(SECRET, content, hashlib.sha256)).decode()
    # While a secret is rotated, there are two signatures.
    signatures = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures):
        return None
    return json.loads(body)


@app.post("/webhooks")
def receive():
    event = verified(request.headers, request.get_data())
    if event is None:
        abort(400)
    if event["id"] not in handled:
        handled.add(event["id"])
        if event["type"] == "session.ended":
            print(f"{event['data']['session']['customerId']} has signed out", flush=True)
        else:
            print(event["type"], flush=True)
    # Respond within 15 seconds: put work that takes longer into a queue of your own.
    return "", 204
