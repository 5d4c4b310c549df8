"""The operations of the service, over pooled connections. Calls block; any thread may make them."""

from __future__ import annotations

import http.client
import io
import json
import random
import re
import secrets
import select
import socket
import ssl
import threading
import time
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from .errors import ProblemError
from .session_ids import is_session_id

Info = Dict[str, Any]
Ids = Mapping[str, Optional[str]]

_HEADER_IDS = ("agentId", "customerId")
_BODY_IDS = ("visitId", "globalVisitId")
# Text that a header cannot contain or would lose: spaces at the ends, control characters, lone surrogates.
_UNFIT_FOR_HEADER = re.compile("^ | $|[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_BODY = 1024 * 1024
_MAX_IDLE_CONNECTIONS = 32


class Transport:
    """The operations that the middleware calls. A failed call raises a `ProblemError`. `timeout` is in seconds."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._base = parts.path
        self._is_tls = parts.scheme == "https"
        self._address = (parts.hostname or "", parts.port)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._tls = ssl.create_default_context() if self._is_tls else None
        self.reset()

    def reset(self) -> None:
        """Forgets all connections, because another process uses them."""
        self._lock = threading.Lock()
        self._idle: List[http.client.HTTPConnection] = []

    def create(
        self, ids: Ids, options: Mapping[str, Optional[str]], timeout: float, attempts: int = 1
    ) -> Info:
        """Creates a session, with ids if any are given."""
        key = random_key() if any(ids.values()) else None
        return _session_in(self._call("PUT", "/sessions/new", timeout, attempts, ids, _body_of(ids, options), key))

    def retrieve(self, session_id: str, timeout: float, with_data: bool = False) -> Info:
        """Returns the session with this id; a new session with another id if there is none."""
        query = "?include=data" if with_data else ""
        info = _session_in(self._call("GET", f"/sessions/{session_id}{query}", timeout, 1))
        if with_data:
            _object_in(info.get("data"))
        return info

    def update(
        self,
        session_id: str,
        ids: Ids,
        options: Mapping[str, Optional[str]],
        timeout: float,
        rotate_key: Optional[str] = None,
    ) -> Info:
        """Associates ids with a session. With `rotate_key`, an Idempotency-Key, the session gets a new id."""
        body = _body_of(ids, options)
        if rotate_key is not None:
            body["rotate"] = True
        return _session_in(self._call("POST", f"/sessions/{session_id}", timeout, 3, ids, body, rotate_key))

    def read_data(self, session_id: str, timeout: float) -> Tuple[Dict[str, Any], str]:
        """Returns the data of a session and their entity tag."""
        data, tag = self._exchange("GET", f"/sessions/{session_id}/data", timeout, 3)
        return _object_in(data), tag or "*"

    def change_data(
        self, session_id: str, data: Mapping[str, Any], is_patch: bool, timeout: float, if_match: Optional[str] = None
    ) -> Dict[str, Any]:
        """Merges a patch (RFC 7396) into the data of a session, or replaces them. Returns the whole data.

        `if_match`: the entity tag that the data must have.
        """
        path, method = f"/sessions/{session_id}/data", "PATCH" if is_patch else "PUT"
        return _object_in(self._exchange(method, path, timeout, 3, body=data, if_match=if_match)[0])

    def end(self, session_id: str, timeout: float) -> bool:
        """Ends a session. Returns whether a live session had this id."""
        try:
            self._call("DELETE", f"/sessions/{session_id}", timeout, 3)
            return True
        except ProblemError as error:
            if error.code == "session-not-found":
                return False
            raise

    def record(
        self, session_id: str, records: List[Dict[str, Any]], provisional: bool, key: str, timeout: float
    ) -> None:
        """Records requests in a session."""
        query = "?provisional=true" if provisional else ""
        self._call("POST", f"/sessions/{session_id}/requests{query}", timeout, 1, {}, records, key)

    def _call(self, *request: Any) -> Any:
        return self._exchange(*request)[0]

    def _exchange(
        self,
        method: str,
        path: str,
        timeout: float,
        attempts: int,
        ids: Ids = {},
        body: Any = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> Tuple[Any, Optional[str]]:
        """Sends a request, and again while a retry may succeed. Returns the parsed response and its entity tag."""
        headers: Dict[str, Any] = dict(self._headers)
        for name in _HEADER_IDS:
            if ids.get(name):
                headers[f"gkc-{name}"] = _header_bytes(name, ids[name])
        if idempotency_key is not None:
            headers["idempotency-key"] = f'"{idempotency_key}"'
        if if_match is not None:
            headers["if-match"] = if_match
        payload = None
        if body is not None:
            headers["content-type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
            payload = _json_of(body)
        ends_at = time.monotonic() + timeout
        attempt = 1
        while True:
            try:
                return self._send(method, path, payload, headers, ends_at)
            except ProblemError as error:
                if not error.is_retryable or attempt >= attempts:
                    raise
                # The random part spreads the retries of processes that failed at the same time.
                delay = (error.retry_after or 0) + 0.05 * 2**attempt * (1 + random.random())
                if time.monotonic() + delay > ends_at:
                    raise
                time.sleep(delay)
                attempt += 1

    def _send(
        self, method: str, path: str, payload: Optional[bytes], headers: Mapping[str, Any], ends_at: float
    ) -> Tuple[Any, Optional[str]]:
        connection = self._take_connection()
        try:
            remaining = ends_at - time.monotonic()
            if remaining <= 0:
                raise ProblemError("timeout")
            connection.timeout = remaining
            if connection.sock is not None:
                connection.sock.settimeout(remaining)
            connection.response_class = partial(_Response, ends_at=ends_at)  # type: ignore[assignment]
            connection.request(method, self._base + path, payload, dict(headers))
            response = connection.getresponse()
            text = response.read(_MAX_BODY + 1)
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            # Until Python 3.10, `socket.timeout` is no `TimeoutError`.
            raise ProblemError("timeout" if isinstance(error, socket.timeout) else "network") from error
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(text) > _MAX_BODY:
            connection.close()
        else:
            self._give_back(connection)
        return _result_of(response.status, response.getheader("retry-after"), text), response.getheader("etag")

    def _take_connection(self) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            # The service may have closed an idle connection in the meantime.
            if connection.sock is not None and not _is_readable(connection.sock):
                return connection
            connection.close()
        host, port = self._address
        if self._is_tls:
            return http.client.HTTPSConnection(host, port, context=self._tls)
        return http.client.HTTPConnection(host, port)

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()


class _Response(http.client.HTTPResponse):
    """A response that is read until `ends_at`, however slowly it arrives. A socket's timeout limits only each wait."""

    def __init__(self, sock: socket.socket, *args: Any, ends_at: float, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock, ends_at))


class _TimedReader(io.RawIOBase):
    """The bytes that a socket receives until `ends_at`."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock = sock
        self._ends_at = ends_at
        # The socket stays open until this is closed.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise socket.timeout
        self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def random_key() -> str:
    """Returns a random value for an Idempotency-Key."""
    return secrets.token_hex(16)


def _body_of(ids: Ids, options: Mapping[str, Optional[str]]) -> Dict[str, Any]:
    body: Dict[str, Any] = {name: ids.get(name) or None for name in _BODY_IDS}
    body.update({name: value for name, value in options.items() if value is not None})
    return body


def _json_of(body: Any) -> bytes:
    """Returns a body as JSON. Raises a `ProblemError` for values that JSON does not have."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ProblemError("invalid-request", detail=f"the values are not JSON: {error}") from error


def _header_bytes(name: str, value: Any) -> bytes:
    """Encodes an id. Raises a `ProblemError` for an id that would arrive as another."""
    if not isinstance(value, str) or _UNFIT_FOR_HEADER.search(value):
        detail = f"{name} is not a text without control characters and without spaces at its ends"
        raise ProblemError("invalid-request", detail=detail)
    return value.encode()


def _is_readable(sock: Any) -> bool:
    """Returns whether an idle connection has something to read: its end, or bytes that nobody asked for."""
    try:
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock, select.POLLIN)
            return bool(poller.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _session_in(answer: Any) -> Info:
    """Returns the session in a response.

    Raises a `ProblemError` for any other response: it is not from Antechamber, and must not get into cookies and headers.
    """
    info = _object_in(answer)
    if not is_session_id(info.get("sessionId")):
        raise ProblemError("unexpected-answer")
    return info


def _object_in(answer: Any) -> Dict[str, Any]:
    if not isinstance(answer, dict):
        raise ProblemError("unexpected-answer")
    return answer


def _result_of(status: int, retry_after: Optional[str], text: bytes) -> Any:
    if status == 204:
        return None
    try:
        if len(text) > _MAX_BODY:
            raise ValueError
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ProblemError("unexpected-answer", status) from None
    if 200 <= status < 300:
        return body
    if isinstance(body, dict) and body.get("type") == f"urn:antechamber:problem:{body.get('code')}":
        seconds = float(retry_after) if retry_after and re.fullmatch("[0-9]+", retry_after) else None
        raise ProblemError(str(body["code"]), status, body, seconds)
    raise ProblemError("unexpected-answer", status)
