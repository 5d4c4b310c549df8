"""Tests of the parts that need no service."""

import http.server
import json
import re
import threading
import time
import unittest
from contextlib import contextmanager

from antechamber import Cookie, ProblemError, wsgi
from antechamber.breaker import CircuitBreaker
from antechamber.headers import asserts_identity, complete_headers
from antechamber.options import check_options
from antechamber.session_ids import session_ids
from antechamber.transport import Transport

URL = "http://127.0.0.1:8080"


def identifier(handle, generation):
    """An id with a handle that consists of one character."""
    return handle * 24 + ["AA", "AQ", "Ag"][generation] + "A" * 14


class Ids(unittest.TestCase):
    def found(self, headers=(), query="", sources=("query", "header", "cookie"), name="sessionId"):
        return session_ids(sources, name, query, dict(headers).get)

    def test_order_of_sources(self):
        a, b, c = (identifier(each, 0) for each in "abc")
        headers = {"gkc-sessionid": b, "cookie": f"x=1; sessionId={c}"}
        self.assertEqual(self.found(headers, f"sessionId={a}"), [a, b, c])
        self.assertEqual(self.found(headers, f"sessionId={a}", ("cookie", "header")), [b, c])

    def test_retired_ids_come_last(self):
        old, new = identifier("a", 0), identifier("a", 1)
        self.assertEqual(self.found({"gkc-sessionid": old, "cookie": f"sessionId={new}"}), [new, old])

    def test_at_most_four_of_each_source(self):
        ids = [identifier(each, 0) for each in "abcdefgh"]
        cookie = "; ".join(f"sessionId={each}" for each in ids)
        self.assertEqual(self.found({"cookie": cookie, "gkc-sessionid": "no id," + ids[7]}), [ids[7], *ids[:4]])

    def test_other_cookies_cannot_stand_for_the_session(self):
        text = identifier("a", 0)
        for cookie in (f"xsessionId={text}", f"x=1,sessionId={text}", f"\u00a0sessionId={text}", f"sessionId={text}x"):
            self.assertEqual(self.found({"cookie": cookie}), [], cookie)
        self.assertEqual(self.found({"cookie": f'sessionId="{text}"'}), [text])


@contextmanager
def strange_service(body, status=200, headers=(), pause=0.0):
    """Starts a server that is not Antechamber, and yields its address. `pause`: seconds before each byte of a body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            for name, value in (*headers, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            try:
                for byte in body if pause else ():
                    time.sleep(pause)
                    self.wfile.write(bytes([byte]))
                self.wfile.write(b"" if pause else body)
            except OSError:
                self.close_connection = True

        do_GET = do_PUT = do_POST = respond

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def session(**members):
    return json.dumps({"sessionId": "a" * 40, "state": "anonymous", **members}).encode()


class StrangeServices(unittest.TestCase):
    def test_a_request_continues_if_the_response_is_not_that_of_antechamber(self):
        injected = (session(sessionId=each) for each in ("x\r\nSet-Cookie: y=1", "x; Domain=example.org", 5, None, ["a"]))
        for body in (b"{}", b"[]", b"null", b'"text"', b"5", b"", b"<html>", b"[" * 100_000, *injected):
            errors, heads = [], []

            def application(environ, start_response):
                start_response("200 OK", [])
                return [str(wsgi.session_of(environ)).encode()]

            with strange_service(body) as url:
                sessions = wsgi.Sessions(
                    application, url=url, deadline=5.0, on_error=lambda error, _: errors.append(error.code)
                )
                content = b"".join(sessions({"PATH_INFO": "/"}, lambda *head: heads.append(head)))
            self.assertEqual(content, b"None", body[:80])
            self.assertEqual(heads, [("200 OK", [])], body[:80])
            self.assertEqual(errors, ["unexpected-answer"], body[:80])

    def test_data_that_are_no_object_are_refused(self):
        for body in (b"[]", b"null", session(data=[])):
            with strange_service(body) as url, self.assertRaises(ProblemError) as caught:
                transport = Transport(url, "")
                if b"sessionId" in body:
                    transport.retrieve("a" * 40, 5.0, with_data=True)
                else:
                    transport.read_data("a" * 40, 5.0)
            self.assertEqual(caught.exception.code, "unexpected-answer")

    def test_retry_after_that_is_no_number_is_ignored(self):
        problem = {"code": "too-many-requests", "type": "urn:antechamber:problem:too-many-requests"}
        with strange_service(json.dumps(problem).encode(), 429, [("retry-after", "\u00b2")]) as url:
            with self.assertRaises(ProblemError) as caught:
                Transport(url, "").retrieve("a" * 40, 5.0)
        self.assertEqual((caught.exception.code, caught.exception.retry_after), ("too-many-requests", None))

    def test_a_response_that_arrives_byte_by_byte_does_not_prolong_the_time(self):
        with strange_service(session(label="x" * 400), pause=0.01) as url:
            with self.assertRaises(ProblemError) as caught:
                Transport(url, "").retrieve("a" * 40, 0.5)
        self.assertEqual(caught.exception.code, "timeout")


class Headers(unittest.TestCase):
    class Tracked:
        def __init__(self, cookie):
            self.headers = [("gkc-sessionId", "id"), ("set-cookie", cookie)]
            self.reported = []

        def session_headers(self):
            return self.headers

        def report(self, error):
            self.reported.append(error)

    def test_caching_headers_are_replaced(self):
        given = [("Cache-Control", "public"), ("CDN-Cache-Control", "max-age=9"), ("Expires", "x"), ("ETag", "1")]
        tracked = self.Tracked("sessionId=id; Path=/")
        expected = [("ETag", "1"), ("cache-control", "no-store"), *tracked.headers]
        self.assertEqual(complete_headers(200, given, tracked), expected)

    def test_not_modified_gets_only_the_cookie(self):
        tracked = self.Tracked("sessionId=id; Path=/")
        names = [name for name, _ in complete_headers(304, [], tracked)]
        self.assertEqual(names, ["cache-control", "set-cookie"])

    def test_the_cookie_of_the_application_wins(self):
        for value, reports in (("sessionId=own; Path=/", 1), ("sessionId=; path=/; Max-Age=0", 0)):
            tracked = self.Tracked("sessionId=id; Path=/")
            given = [("Set-Cookie", value)]
            self.assertEqual(complete_headers(200, given, tracked), given)
            self.assertEqual(len(tracked.reported), reports, value)
        tracked = self.Tracked("sessionId=id; Path=/")
        self.assertEqual(len(complete_headers(200, [("Set-Cookie", "sessionId=x; Path=/shop")], tracked)), 4)

    def test_identity_headers_in_every_spelling(self):
        for name in ("gkc-customerId", "GKC_CUSTOMERID", "gkc.agentid", "Gkc-Visitid", "gkc_globalvisitid"):
            self.assertTrue(asserts_identity(name), name)
        for name in ("gkc-sessionid", "gkc-assertion", "x-gkc-customerid"):
            self.assertFalse(asserts_identity(name), name)


class Options(unittest.TestCase):
    def test_unknown_names(self):
        with self.assertRaisesRegex(TypeError, "did you mean deadline"):
            check_options({"url": URL, "dedline": 1})
        with self.assertRaisesRegex(TypeError, "url"):
            check_options({})

    def test_invalid_values(self):
        for name, value in (
            *(("url", each) for each in ("127.0.0.1:8080", "ftp://x", "http://", "http://x?y", "http://x:99999", None)),
            *(("deadline", each) for each in (0, -1, 61, 250, "1", True, float("nan"))),
            *(("service", each) for each in ("", "x" * 257, "a\nb", 7)),
            *(("sources", each) for each in ("cookie", ["body"], 1)),
            *(("ignore", each) for each in ("/x", ["x"], ["/x/*"], [1])),
            *(("key", each) for each in ("a b", "a\nb", 1)),
            *(("cookie", each) for each in ("sessionId", {}, True)),
            ("record", "yes"),
            ("create", 1),
            ("on_error", "log"),
        ):
            with self.assertRaises((TypeError, ValueError), msg=f"{name}={value!r}"):
                check_options({"url": URL, name: value})

    def test_invalid_cookies(self):
        for given in (
            {"name": "a b"},
            {"path": "x"},
            {"path": "/;x"},
            {"domain": "x\n"},
            {"max_age": 0},
            {"max_age": 40_000_000},
            {"same_site": "lax"},
            {"same_site": "None", "secure": False},
            {"name": "__Host-x", "path": "/x"},
        ):
            with self.assertRaises(ValueError, msg=str(given)):
                Cookie(**given)

    def test_ignored_paths(self):
        settings = check_options({"url": URL, "ignore": ["/assets", re.compile(r"\.css$")]})
        for path in ("/assets", "/assets/x", "/x.css"):
            self.assertTrue(settings.is_ignored(path), path)
        self.assertFalse(settings.is_ignored("/assetsx"))

    def test_warnings_hide_session_ids_and_come_once_a_minute(self):
        report = check_options({"url": URL}).report
        with self.assertLogs("antechamber") as logs:
            for _ in range(3):
                report(RuntimeError("of " + "a" * 40))
        self.assertEqual(len(logs.output), 1)
        self.assertIn("<session id>", logs.output[0])


class Breaker(unittest.TestCase):
    def test_after_three_failures_one_call_in_two_seconds(self):
        now = 0.0
        breaker = CircuitBreaker(lambda: now)
        for _ in range(3):
            self.assertTrue(breaker.allows_call())
            breaker.record_failure()
        self.assertFalse(breaker.allows_call())
        now = 2.0
        self.assertEqual([breaker.allows_call() for _ in range(3)], [True, False, False])
        breaker.record_success()
        self.assertTrue(breaker.allows_call())


if __name__ == "__main__":
    unittest.main()
