"""A shop in Flask, behind nginx, with sign-in and sign-out."""

import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flask import Flask, abort, redirect, request

ANTECHAMBER_URL = os.environ.get("ANTECHAMBER_URL", "http://127.0.0.1:8080")
ANTECHAMBER_KEY = os.environ["ANTECHAMBER_KEY"]
# The attributes with which Antechamber sets the cookie.
COOKIE = {"path": "/", "httponly": True, "samesite": "Lax"}
# These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
CUSTOMERS = {"anna": "correct horse", "bob": "battery staple"}

app = Flask(__name__)


def call(method, path, body=None, customer=None):
    """Calls Antechamber. Returns the status and the JSON of the response; 503 if there was none in time."""
    headers = {"Authorization": f"Bearer {ANTECHAMBER_KEY}"}
    if customer is not None:
        headers["gkc-customerId"] = customer.encode()
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    try:
        with urlopen(Request(ANTECHAMBER_URL + path, body, headers, method=method), timeout=2) as response:
            return response.status, json.loads(response.read() or "{}")
    except HTTPError as refusal:
        text = refusal.read().decode()
        if refusal.code in (401, 403):
            app.logger.error("Antechamber refuses the key or its role: %s", text)
        return refusal.code, {}
    except OSError as error:
        app.logger.error("Antechamber at %s does not respond: %s", ANTECHAMBER_URL, error)
        return 503, {}


def session_id():
    """Returns the session of this request, which the proxy sets; `None` while Antechamber is away."""
    return request.headers.get("gkc-sessionId") or None


def customer_id():
    """Returns who is signed in, or `None`. WSGI reads headers as Latin-1, and the value is UTF-8; Caddy sends an empty
    one for nobody."""
    value = request.headers.get("gkc-customerId", "")
    return value.encode("latin-1").decode() or None


@app.before_request
def refuse_other_sites():
    # Without this, any site could sign your visitors in under a name of its choice, or sign them out.
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        abort(403, "This form was sent by another site.")


@app.get("/")
def home():
    return {"customer": customer_id()}


@app.post("/sign-in")
def sign_in():
    customer = request.form.get("name")
    if customer not in CUSTOMERS or CUSTOMERS[customer] != request.form.get("password"):
        abort(403, "Wrong name or password.")
    status, session = 404, {}
    if session_id():
        # `rotate`: the session gets a new id, which only the visitor who has signed in knows.
        status, session = call("POST", f"/sessions/{session_id()}", {"rotate": True}, customer)
    if status in (400, 404):
        # The session belongs to another customer, or has just ended: this customer gets another one.
        status, session = call("PUT", "/sessions/new", customer=customer)
    if status != 200:
        abort(503, "Please try again in a moment.")
    response = redirect("/", 303)
    secure = request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie("sessionId", session["sessionId"], secure=secure, **COOKIE)
    return response


@app.post("/sign-out")
def sign_out():
    if session_id():
        call("DELETE", f"/sessions/{session_id()}")
    response = redirect("/", 303)
    response.delete_cookie("sessionId", **COOKIE)
    return response


@app.post("/sign-out-everywhere")
def sign_out_everywhere():
    if customer_id() is None:
        abort(403, "Nobody is signed in.")
    body = {"customerId": customer_id()}
    while True:
        status, ended = call("POST", "/sessions/end", body)
        if status != 200:
            abort(503, "Please try again in a moment.")
        if ended["next"] is None:
            break
        body["cursor"] = ended["next"]
    response = redirect("/", 303)
    response.delete_cookie("sessionId", **COOKIE)
    return response
