"""The circuit breaker: during an outage most requests continue at once instead of waiting for the deadline."""

from __future__ import annotations

import threading
import time
from typing import Callable

_FAILURE_THRESHOLD = 3
_OPEN_SECONDS = 2.0


class CircuitBreaker:
    """Allows all calls until three in a row have failed; then one call every two seconds, until one succeeds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0

    def allows_call(self) -> bool:
        """Returns whether a call is allowed now. If it is, the caller must report its result."""
        if self._failures < _FAILURE_THRESHOLD:
            return True
        with self._lock:
            if self._now() < self._retry_at:
                return False
            self._retry_at = self._now() + _OPEN_SECONDS
            return True

    def record_success(self) -> None:
        self._failures = 0

    def record_failure(self) -> None:
        with self._lock:
            self._failures += 1
            self._retry_at = self._now() + _OPEN_SECONDS
