"""Giving a session a new id while its first person is associated."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from concurrent.futures import Future
from typing import Dict, Mapping, Optional

from .errors import ProblemError
from .transport import Ids, Info, Transport

_FIELDS = ("agentId", "customerId", "visitId", "globalVisitId")


class Rotations:
    """Rotates sessions. Requests of one page may ask for the same rotation at a time; all get the same new id.

    The Idempotency-Key is derived from a secret and the request, so that another request, and another process with the
    same secret, repeats a rotation whose response was lost.
    """

    def __init__(self, transport: Transport, secret: str) -> None:
        self._transport = transport
        self._secret = secret.encode()
        self._lock = threading.Lock()
        self._under_way: Dict[str, Future[Info]] = {}

    def rotate(self, session_id: str, ids: Ids, options: Mapping[str, Optional[str]], timeout: float) -> Info:
        """Associates ids and rotates; returns the session with its new id."""
        parts = [session_id, *(ids.get(name) for name in _FIELDS), options.get("profile"), options.get("label")]
        text = json.dumps([part or "" for part in parts], ensure_ascii=False, separators=(",", ":"))
        key = hmac.new(self._secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        while True:
            with self._lock:
                other = self._under_way.get(key)
                if other is None:
                    mine: Future[Info] = Future()
                    self._under_way[key] = mine
            if other is None:
                break
            try:
                return other.result(timeout)
            except Exception:  # noqa: BLE001
                if not other.done():
                    raise ProblemError("timeout") from None
        try:
            info = self._transport.update(session_id, ids, options, timeout, rotate_key=key)
            mine.set_result(info)
            return info
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
