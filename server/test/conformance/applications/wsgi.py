"""The application of the suite in Flask."""

import logging
import os

from flask import Flask, Response, request

from antechamber.wsgi import Sessions, session_of
from options import next_visit, options, page, shown

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = Flask(__name__)
app.wsgi_app = Sessions(app.wsgi_app, **options())


@app.get("/page")
@app.get("/health")
@app.get("/page/<path:rest>")
def show(rest=""):
    return Response(page(session_of(request.environ), request.headers), mimetype="application/json")


@app.post("/sign-in")
def sign_in():
    session = session_of(request.environ)
    stored = session.identify(customer_id=request.args["customer"]) if session else None
    return {"stored": stored, "session": shown(session)}


@app.post("/count")
def count():
    session = session_of(request.environ)
    stored = session.update(next_visit) if session else None
    return {"stored": stored, "session": shown(session)}


@app.post("/sign-out")
def sign_out():
    session = session_of(request.environ)
    return {"ended": session.end() if session else None}


@app.get("/fail")
def fail():
    raise RuntimeError("a broken page")


@app.get("/stream")
def stream():
    return Response(iter([b"one", b"two"]), mimetype="text/plain")


app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
