"""The default `on_error`: warnings in the log `antechamber`."""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import Callable, Dict

from .errors import ProblemError

_INTERVAL = 60.0
_MAX_KINDS = 50
# Session ids are secrets.
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{40}")


@dataclass
class _Kind:
    quiet_until: float = float("-inf")
    failures: int = 0
    lost_records: int = 0


def create_warnings(url: str, has_key: bool, deadline: float) -> Callable[[BaseException, int], None]:
    """Returns a function that warns of the first failure of each kind at once, and then at most once a minute."""
    log = logging.getLogger("antechamber")
    kinds: Dict[str, _Kind] = {}
    lock = threading.Lock()

    def warn(error: BaseException, lost_records: int) -> None:
        name = error.code if isinstance(error, ProblemError) else type(error).__name__
        with lock:
            kind = kinds.get(name) or _Kind()
            if name in kinds or len(kinds) < _MAX_KINDS:
                kinds[name] = kind
            kind.failures += 1
            kind.lost_records += lost_records
            if time.monotonic() < kind.quiet_until:
                return
            failures, lost = kind.failures, kind.lost_records
            kind.failures, kind.lost_records = 0, 0
            kind.quiet_until = time.monotonic() + _INTERVAL
        parts = [_reason(error, url, has_key, deadline)]
        if lost:
            parts.append(f"Records lost: {lost}.")
        if failures > 1:
            parts.append(f"This happened {failures} times since the last warning.")
        parts.append("Requests continue, without a session if finding it failed. To handle this, set on_error.")
        log.warning("%s", _SESSION_ID.sub("<session id>", " ".join(parts)))

    return warn


def _reason(error: BaseException, url: str, has_key: bool, deadline: float) -> str:
    if not isinstance(error, ProblemError):
        return f"{type(error).__name__}: {error}."
    if error.code == "credential-required":
        state = "not sent" if has_key else "empty"
        return f'{url} asks for a key, and the option key is {state}: make one with "antechamber keys create --role service".'
    if error.code == "invalid-credential":
        return f"{url} does not accept the key: it is wrong, expired or revoked. Check the option key."
    if error.code == "network":
        return f"{url} cannot be reached ({error.__cause__}). Check the option url, and that Antechamber runs."
    if error.code == "timeout":
        return f"{url} did not respond in time (the deadline is {deadline:g} s)."
    if error.code == "unexpected-answer":
        if error.status >= 502:
            return f"A proxy at {url} cannot reach Antechamber (status {error.status})."
        return f"The server at {url} is not Antechamber (status {error.status}). Check the option url."
    return f"{url} refused a request: {error.code}, {error}"
