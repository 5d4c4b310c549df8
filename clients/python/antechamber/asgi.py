"""Middleware for ASGI applications: Starlette, FastAPI, Django and others."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, List, MutableMapping, Optional, Tuple
from urllib.parse import quote

from .headers import Header, asserts_identity, complete_headers
from .options import check_options
from .session import AsyncSession
from .tracking import TrackedRequest, Tracker

__all__ = ["AsyncSession", "Sessions", "session_of"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_KEY = "antechamber.session"


def session_of(scope: Scope) -> Optional[AsyncSession]:
    """Returns the session of a request, by its scope: in Starlette and FastAPI `request.scope`.

    `None` on ignored paths, while Antechamber is unavailable, and if there is no session and `create` is False.
    """
    return scope.get(_KEY)


class Sessions:
    """ASGI middleware. It finds the session of each request, and records the request when its response has ended.

    While Antechamber is unavailable, requests continue after the deadline, and their session is `None`. The last records
    are delivered when the server shuts down (lifespan), and by `close()`. The options are in docs/python.md. Raises
    `TypeError` or `ValueError` if an option is invalid.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], **options: Any) -> None:
        self._app = app
        self._tracker = Tracker(check_options(options))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, self._at_shutdown(send))
        if scope["type"] not in ("http", "websocket") or _KEY in scope:
            return await self._app(scope, receive, send)
        tracked = self._track(scope)
        headers = [each for each in scope["headers"] if not asserts_identity(each[0].decode("latin-1"))]
        scope = {**scope, "headers": headers, _KEY: None}
        if tracked is None:
            return await self._app(scope, receive, send)
        if await _find(tracked):
            scope[_KEY] = AsyncSession(tracked)
        response = _Response(tracked, receive, send)
        try:
            await self._app(scope, response.receive, response.send)
        except asyncio.CancelledError:
            tracked.finish(response.status, True)
            raise
        except BaseException:
            tracked.finish(500 if response.status is None else response.status, False)
            raise
        tracked.finish(response.status, response.is_aborted)

    async def flush(self) -> None:
        """Sends the waiting records. Returns after the attempt, whether or not it succeeded."""
        await asyncio.get_running_loop().run_in_executor(None, self._tracker.recorder.flush)

    async def close(self) -> None:
        """Sends the waiting records. Drops those that are not delivered within five seconds."""
        await asyncio.get_running_loop().run_in_executor(None, self._tracker.recorder.close)

    def dropped(self) -> int:
        """Returns the number of records that were dropped since the start."""
        return self._tracker.recorder.dropped()

    def _at_shutdown(self, send: Send) -> Send:
        async def send_after_close(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self.close()
            await send(message)

        return send_after_close

    def _track(self, scope: Scope) -> Optional[TrackedRequest]:
        found: Dict[str, str] = {}
        for name, value in scope["headers"]:
            text, key = value.decode("latin-1"), name.decode("latin-1").lower()
            separator = "; " if key == "cookie" else ","
            found[key] = f"{found[key]}{separator}{text}" if key in found else text
        raw = scope.get("raw_path")
        path = raw.decode("latin-1").split("?", 1)[0] if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~")
        return self._tracker.track(
            scope.get("method", "GET"),
            path or "/",
            scope.get("query_string", b"").decode("latin-1"),
            scope.get("scheme") in ("https", "wss"),
            found.get,
        )


async def _find(tracked: TrackedRequest) -> bool:
    work, deadline = tracked.start_find()
    if work is None:
        return False
    try:
        return tracked.found(await asyncio.wait_for(asyncio.wrap_future(work), deadline))
    except Exception as error:  # noqa: BLE001
        tracked.not_found(error)
        return False


class _Response:
    """Adds the session's headers to a response, and notices its end."""

    def __init__(self, tracked: TrackedRequest, receive: Receive, send: Send) -> None:
        self._tracked = tracked
        self._receive = receive
        self._send = send
        self.status: Optional[int] = None
        self.is_aborted = False
        self._is_complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_complete:
            self.is_aborted = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = int(message["status"])
            message = {**message, "headers": self._completed(self.status, message.get("headers", ()))}
        elif kind == "websocket.accept":
            self.status = 101
            message = {**message, "headers": self._completed(self.status, message.get("headers", ()))}
        elif kind == "websocket.close" and self.status is None:
            self.status = 403
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._is_complete = True
        await self._send(message)
        if self._is_complete or kind.startswith("websocket."):
            self._tracked.finish(self.status, self.is_aborted)

    def _completed(self, status: int, headers: Any) -> List[Tuple[bytes, bytes]]:
        texts: List[Header] = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        completed = complete_headers(status, texts, self._tracked)
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in completed]
