"""Tests with a running service, whose address is in the variable `ANTECHAMBER_URL`."""

import asyncio
import json
import os
import subprocess
import sys
import unittest
from urllib.request import urlopen

from antechamber import ProblemError, asgi, wsgi

URL = os.environ["ANTECHAMBER_URL"]
DEADLINE = 5.0


def environ(cookie=None, path="/page", method="GET"):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "wsgi.url_scheme": "http",
        **({"HTTP_COOKIE": f"sessionId={cookie}"} if cookie else {}),
    }


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one", b"two"]


def visit(middleware, cookie=None, path="/page"):
    """Makes a request; returns the session's id."""
    given = environ(cookie, path)
    body = middleware(given, lambda *_: None)
    b"".join(body)
    body.close()
    session = wsgi.session_of(given)
    return session and session.session_id


def timeline(session_id):
    with urlopen(f"{URL}/sessions/{session_id}/requests") as response:
        return [each for each in json.load(response)["records"] if each["type"] == "request"]


class Service(unittest.TestCase):
    def test_a_forked_process_has_connections_and_threads_of_its_own(self):
        middleware = wsgi.Sessions(application, url=URL, deadline=DEADLINE)
        session_id = visit(middleware)
        middleware.flush()
        child = os.fork()
        if child == 0:
            try:
                is_same = visit(middleware, session_id, "/child") == session_id
                middleware.flush()
                os._exit(0 if is_same else 1)
            finally:
                os._exit(2)
        visit(middleware, session_id, "/parent")
        middleware.flush()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual({each["path"] for each in timeline(session_id)}, {"/page", "/child", "/parent"})

    def test_the_end_of_the_process_delivers_the_last_records(self):
        program = (
            "from tests.test_service import *; m = wsgi.Sessions(application, url=URL, deadline=DEADLINE);"
            "id = visit(m); visit(m, id); print(id)"
        )
        ran = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(len(timeline(ran.stdout.strip())), 2)

    def test_a_visitor_who_leaves_is_recorded_as_aborted(self):
        middleware = wsgi.Sessions(application, url=URL, deadline=DEADLINE)
        session_id = visit(middleware)
        body = middleware(environ(session_id, "/left"), lambda *_: None)
        next(iter(body))
        body.close()
        middleware.flush()
        self.assertEqual(timeline(session_id)[1]["attributes"], {"aborted": "true"})

    def test_waiting_records_are_limited(self):
        errors = []
        middleware = wsgi.Sessions(
            application, url="http://127.0.0.1:1", on_error=lambda error, lost: errors.append((error.code, lost))
        )
        for _ in range(10_050):
            visit(middleware, "a" * 40)
        self.assertEqual(middleware.dropped(), 50)
        self.assertIn(("network", 0), errors)
        self.assertEqual(sum(lost for _, lost in errors), 50)
        middleware.close()
        self.assertEqual(middleware.dropped(), 10_050)

    def test_a_filter_that_fails_protects_what_it_should_have_changed(self):
        errors = []
        middleware = wsgi.Sessions(
            application,
            url=URL,
            deadline=DEADLINE,
            record=lambda record: {**record, "path": "/masked"} if record["path"] == "/page" else 1 / 0,
            on_error=lambda error, lost: errors.append((type(error), lost)),
        )
        session_id = visit(middleware)
        visit(middleware, session_id)
        visit(middleware, session_id, "/secret")
        middleware.flush()
        self.assertEqual([each["path"] for each in timeline(session_id)], ["/masked", "/masked"])
        self.assertEqual(errors, [(ZeroDivisionError, 1)])

    def test_refused_records_do_not_take_others_with_them(self):
        changes = {"/bad": {"path": "no path"}, "/odd": {"attributes": {"x": object()}}}
        middleware = wsgi.Sessions(
            application,
            url=URL,
            deadline=DEADLINE,
            record=lambda record: {**record, **changes.get(record["path"], {})},
            on_error=lambda *_: None,
        )
        session_id = visit(middleware)
        for path in ("/a", "/bad", "/b", "/odd", "/c"):
            visit(middleware, session_id, path)
        middleware.flush()
        self.assertEqual([each["path"] for each in timeline(session_id)], ["/page", "/a", "/b", "/c"])
        self.assertEqual(middleware.dropped(), 2)

    def test_identify_after_the_response_has_begun_and_refusals(self):
        seen = []

        def late(environ, start_response):
            session = wsgi.session_of(environ)
            for bad in ("a\nb", " a", 7):
                try:
                    session.identify(customer_id=bad)
                except ProblemError as error:
                    seen.append(error.code)
            start_response("200 OK", [])
            try:
                session.identify(customer_id="jane")
            except RuntimeError as error:
                seen.append(type(error))
            return []

        visit(wsgi.Sessions(late, url=URL, deadline=DEADLINE))
        self.assertEqual(seen, ["invalid-request"] * 3 + [RuntimeError])

    def test_data_are_merged_replaced_and_kept_at_a_sign_in(self):
        seen = []

        def shop(environ, start_response):
            session = wsgi.session_of(environ)
            if environ["PATH_INFO"] == "/add":
                seen.append(session.update({"cart": {"apple": 2}, "locale": "de"}))
                seen.append(session.update(lambda data: {"cart": {"pear": len(data["cart"])}, "locale": None}))
            elif environ["PATH_INFO"] == "/sign-in":
                session.identify(customer_id="data")
            elif environ["PATH_INFO"] == "/replace":
                session.replace({"step": 2})
                for bad in ([1], {"x": float("nan")}, {"x": "y" * 20_000}, {"x": object()}):
                    try:
                        session.update(bad)
                    except ProblemError as error:
                        seen.append(error.code)
            seen.append(session.data)
            start_response("200 OK", [])
            return []

        middleware = wsgi.Sessions(shop, url=URL, deadline=DEADLINE, data=True)
        session_id = visit(middleware)
        cart = {"cart": {"apple": 2, "pear": 1}}
        visit(middleware, session_id, "/add")
        visit(middleware, session_id)
        session_id = visit(middleware, session_id, "/sign-in")
        visit(middleware, session_id, "/replace")
        self.assertEqual(seen[:6], [{}, True, True, cart, cart, cart])
        self.assertEqual(seen[6:], [*(["invalid-request"] * 2), "body-too-large", "invalid-request", {"step": 2}])

    def test_without_the_option_data_are_not_read(self):
        middleware = wsgi.Sessions(application, url=URL, deadline=DEADLINE)
        given = environ()
        middleware(given, lambda *_: None)
        with self.assertRaisesRegex(RuntimeError, "data=True"):
            wsgi.session_of(given).data

    def test_a_websocket_announces_a_new_session_when_it_is_accepted(self):
        sent = []

        async def chat(scope, receive, send):
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})

        async def run():
            middleware = asgi.Sessions(chat, url=URL, deadline=DEADLINE)
            scope = {"type": "websocket", "path": "/chat", "scheme": "ws", "headers": [(b"gkc_customerId", b"x")]}

            async def send(message):
                sent.append(message)

            await middleware(scope, None, send)
            await middleware.close()
            self.assertEqual(middleware.dropped(), 0)

        asyncio.run(run())
        names = [name for name, _ in sent[0]["headers"]]
        self.assertEqual(names, [b"cache-control", b"gkc-sessionid", b"gkc-replaces", b"set-cookie"])

    def test_a_wrong_base_path_is_reported_and_does_no_harm(self):
        errors = []
        middleware = wsgi.Sessions(application, url=URL + "/elsewhere", on_error=lambda error, _: errors.append(error.code))
        self.assertIsNone(visit(middleware))
        self.assertEqual(errors, ["not-found"])


if __name__ == "__main__":
    unittest.main()
