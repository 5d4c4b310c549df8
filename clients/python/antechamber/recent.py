"""The sessions that this process has rotated or ended recently. Requests with their old ids may be in progress."""

from __future__ import annotations

import threading
from typing import Dict

from .session_ids import handle_of

_MAX_IDS = 1000
_ENDED = ""


class RecentSessions:
    """Remembers the last thousand changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_ids: Dict[str, str] = {}

    def add_rotation(self, session_id: str, next_id: str) -> None:
        self._add(session_id, next_id)

    def latest_id_of(self, session_id: str) -> str:
        """Returns the latest id of the session with this id."""
        return self._next_ids.get(session_id) or session_id

    def add_end(self, id_or_handle: str) -> None:
        """Adds an ended session by an id, which is then ended, or by its handle: then all its ids are."""
        self._add(id_or_handle, _ENDED)

    def remove_end(self, session_id: str) -> None:
        with self._lock:
            self._next_ids.pop(session_id, None)

    def has_ended(self, session_id: str) -> bool:
        return _ENDED in (self._next_ids.get(session_id), self._next_ids.get(handle_of(session_id)))

    def _add(self, key: str, next_id: str) -> None:
        with self._lock:
            self._next_ids[key] = next_id
            if len(self._next_ids) > _MAX_IDS:
                del self._next_ids[next(iter(self._next_ids))]
