"""The threads on which calls to Antechamber run, so that a request never waits longer than its deadline."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Optional

_MAX_THREADS = 32


class Workers:
    """A pool of threads, started when it is first used."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts anew in a forked process, which has none of the threads."""
        self._pool = ThreadPoolExecutor(_MAX_THREADS, "antechamber")

    def submit(self, work: Callable[..., Any], *args: Any) -> Optional[Future[Any]]:
        """Runs `work` on a thread. Returns `None` if the process is ending."""
        try:
            return self._pool.submit(work, *args)
        except RuntimeError:
            return None
