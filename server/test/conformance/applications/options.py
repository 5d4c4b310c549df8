"""The options of the middleware, from those of the suite in the variable `OPTIONS`."""

import json
import os
import re

from antechamber import Cookie

NAMES = {"name": "name", "path": "path", "domain": "domain", "maxAge": "max_age", "sameSite": "same_site"}


def options():
    given = json.loads(os.environ["OPTIONS"])
    if "deadline" in given:
        given["deadline"] /= 1000
    if "cookie" in given:
        cookie = given["cookie"]
        given["cookie"] = Cookie(**{NAMES[name]: value for name, value in cookie.items()}) if cookie else None
    return given


def page(session, headers):
    """The body of a page. `headers`: pairs of the headers that the application sees."""
    asserted = [name for name, _ in headers if re.fullmatch(r"gkc[-_.](?:agent|customer|visit|globalVisit)Id", name, re.I)]
    return json.dumps({"session": shown(session), "asserted": asserted})


def shown(session):
    if session is None:
        return None
    return {
        "sessionId": session.session_id,
        "state": session.state,
        "customerId": session.customer_id,
        "isNew": session.is_new,
        **({"data": session.data} if options().get("data") else {}),
    }


def next_visit(data):
    """The change of the data that counts a visit."""
    return {"visits": data.get("visits", 0) + 1}
