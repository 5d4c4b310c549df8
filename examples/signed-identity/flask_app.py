"""A Flask application that trusts the signed identity of a request and nothing else: no header that a client or
another program in the network could have written.

    pip install flask "pyjwt[crypto]"
    flask --app flask_app run --port 3000
"""

import os

import jwt
from flask import Flask, abort, g, request

ANTECHAMBER_URL = os.environ.get("ANTECHAMBER_URL", "http://127.0.0.1:8080")

# Fetched with the first request, every 5 minutes, and for a key that is not known yet.
key_set = jwt.PyJWKClient(f"{ANTECHAMBER_URL}/.well-known/jwks.json")

app = Flask(__name__)


@app.before_request
def identify():
    assertion = request.headers.get("gkc-assertion", "")
    try:
        if assertion == "":
            raise jwt.PyJWTError("no gkc-assertion: either it bypassed the proxy, or assertionAudience is not set")
        key = key_set.get_signing_key_from_jwt(assertion).key
        # The settings assertionIssuer and assertionAudience of Antechamber.
        g.visitor = jwt.decode(
            assertion,
            key,
            algorithms=["EdDSA"],
            issuer="antechamber",
            audience="shop",
            options={"require": ["exp", "sid"]},
        )
    except jwt.PyJWTError as error:
        app.logger.error("A request is refused: %s", error)
        abort(401, "This request has no valid identity from the proxy.")


@app.get("/")
def home():
    visitor = g.visitor
    return {
        "session": visitor["sid"],
        "customer": visitor.get("sub"),
        "agent": visitor.get("act", {}).get("sub"),
    }
