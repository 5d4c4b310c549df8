"""Middleware for WSGI applications: Flask, Django, Pyramid and others."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional
from urllib.parse import quote

from .headers import asserts_identity, complete_headers
from .options import check_options
from .session import Session
from .tracking import TrackedRequest, Tracker

__all__ = ["Session", "Sessions", "session_of"]

Environ = Dict[str, Any]
_KEY = "antechamber.session"


def session_of(environ: Environ) -> Optional[Session]:
    """Returns the session of a request, by its environment: in Flask `request.environ`, in Django `request.META`.

    `None` on ignored paths, while Antechamber is unavailable, and if there is no session and `create` is False.
    """
    return environ.get(_KEY)


class Sessions:
    """WSGI middleware. It finds the session of each request, and records the request when its response has ended.

    While Antechamber is unavailable, requests continue after the deadline, and their session is `None`. `close()`
    delivers the last records; the end of the process does so too. The options are in docs/python.md. Raises `TypeError`
    or `ValueError` if an option is invalid.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], **options: Any) -> None:
        self._app = app
        self._tracker = Tracker(check_options(options))

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _KEY in environ:
            return self._app(environ, start_response)
        environ[_KEY] = None
        tracked = self._track(environ)
        for name in [each for each in environ if each.startswith("HTTP_") and asserts_identity(each[5:])]:
            del environ[name]
        if tracked is None:
            return self._app(environ, start_response)
        if _find(tracked):
            environ[_KEY] = Session(tracked)
        response = _Response(tracked, start_response)
        try:
            return response.observe(self._app(environ, response.start))
        except BaseException:
            tracked.finish(500, False)
            raise

    def flush(self) -> None:
        """Sends the waiting records. Returns after the attempt, whether or not it succeeded."""
        self._tracker.recorder.flush()

    def close(self) -> None:
        """Sends the waiting records. Drops those that are not delivered within five seconds."""
        self._tracker.recorder.close()

    def dropped(self) -> int:
        """Returns the number of records that were dropped since the start."""
        return self._tracker.recorder.dropped()

    def _track(self, environ: Environ) -> Optional[TrackedRequest]:
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")

        def header(name: str) -> Optional[str]:
            # WSGI has one name for both spellings of a header, with "-" and with "_".
            return environ.get("HTTP_" + name.upper().replace("-", "_")) if "_" not in name else None

        return self._tracker.track(
            str(environ.get("REQUEST_METHOD", "GET")),
            quote(path, safe="/:@!$&'()*+,;=~") or "/",
            str(environ.get("QUERY_STRING", "")),
            environ.get("wsgi.url_scheme") == "https",
            header,
        )


def _find(tracked: TrackedRequest) -> bool:
    work, deadline = tracked.start_find()
    if work is None:
        return False
    try:
        return tracked.found(work.result(deadline))
    except Exception as error:  # noqa: BLE001
        work.cancel()
        tracked.not_found(error)
        return False


class _Response:
    """Adds the session's headers to a response, and notices its end."""

    def __init__(self, tracked: TrackedRequest, start_response: Callable[..., Any]) -> None:
        self._tracked = tracked
        self._start_response = start_response
        self._status: Optional[int] = None

    def start(self, status: str, headers: List[Any], *exc_info: Any) -> Any:
        self._status = int(status[:3])
        return self._start_response(status, complete_headers(self._status, headers, self._tracked), *exc_info)

    def observe(self, body: Iterable[bytes]) -> Iterable[bytes]:
        return _Body(body, self)

    def finish(self, is_complete: bool) -> None:
        self._tracked.finish(self._status, not is_complete)

    def fail(self) -> None:
        self._tracked.finish(500 if self._status is None else self._status, False)


class _Body:
    """The body of a response. The server closes it when it was sent, or when the visitor has left."""

    def __init__(self, body: Iterable[bytes], response: _Response) -> None:
        self._body = body
        self._chunks: Optional[Iterator[bytes]] = None
        self._response = response
        self._is_complete = False

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            return next(self._chunks)
        except StopIteration:
            self._is_complete = True
            raise
        except BaseException:
            self._response.fail()
            raise

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._response.finish(self._is_complete)
