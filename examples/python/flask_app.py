"""A shop in Flask with sign-in and sign-out."""

import os

from antechamber.wsgi import Sessions, session_of
from flask import Flask, abort, redirect, request

# These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
CUSTOMERS = {"anna": "correct horse", "bob": "battery staple"}

app = Flask(__name__)
app.wsgi_app = Sessions(
    app.wsgi_app,
    url=os.environ.get("ANTECHAMBER_URL", "http://127.0.0.1:8080"),
    key=os.environ.get("ANTECHAMBER_KEY"),
    service="shop",
)


@app.before_request
def refuse_other_sites():
    # Without this, any site could sign your visitors in under a name of its choice, or sign them out.
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        abort(403, "This form was sent by another site.")


@app.get("/")
def home():
    session = session_of(request.environ)
    return {"customer": session.customer_id if session else None}


@app.post("/sign-in")
def sign_in():
    customer = request.form.get("name")
    if customer not in CUSTOMERS or CUSTOMERS[customer] != request.form.get("password"):
        abort(403, "Wrong name or password.")
    session = session_of(request.environ)
    # The session gets a new id, and the browser its cookie.
    if session is None or not session.identify(customer_id=customer):
        abort(503, "Please try again in a moment.")
    return redirect("/", 303)


@app.post("/sign-out")
def sign_out():
    session = session_of(request.environ)
    if session:
        session.end()
    return redirect("/", 303)
