"""Session ids: their form, and their sources in a request."""

from __future__ import annotations

import base64
import re
from typing import Any, Callable, Iterable, List, Optional, Sequence
from urllib.parse import parse_qsl

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{40}")
# A request with a hundred cookies must not cause a hundred calls. The limit is per source, so that many ids in one
# source do not exclude those in another.
_MAX_CANDIDATES = 4


def is_session_id(text: Any) -> bool:
    """Returns whether a value is a text with the form of a session id."""
    return isinstance(text, str) and _SESSION_ID.fullmatch(text) is not None


def handle_of(session_id: str) -> str:
    """Returns the handle of a session id, which names the session but does not open it."""
    return session_id[:24]


def _generation(session_id: str) -> int:
    return base64.urlsafe_b64decode(session_id[24:28])[0]


def session_ids(
    sources: Sequence[str], cookie_name: str, query: str, header: Callable[[str], Optional[str]]
) -> List[str]:
    """Returns the session ids of a request, in the order in which to try them: query, header, cookie.

    An id that was retired by another one among them comes last: it still opens the anonymous session for a moment.
    """
    found: List[str] = []
    if "query" in sources and "sessionId=" in query:
        found += _candidates(value for name, value in parse_qsl(query) if name == "sessionId")
    if "header" in sources:
        values = (header("gkc-sessionid") or "", header("gkc_sessionid") or "")
        found += _candidates(part.strip() for value in values for part in value.split(","))
    if "cookie" in sources:
        found += _candidates(_cookie_values(header("cookie") or "", cookie_name))
    ids = list(dict.fromkeys(found))

    def is_retired(session_id: str) -> bool:
        return any(
            handle_of(other) == handle_of(session_id) and _generation(session_id) < _generation(other) for other in ids
        )

    return sorted(ids, key=is_retired)


def _candidates(values: Iterable[str]) -> List[str]:
    return [value for value in values if is_session_id(value)][:_MAX_CANDIDATES]


def _cookie_values(header: str, name: str) -> Iterable[str]:
    """Yields the values of all cookies with this name. Only a semicolon separates cookies (RFC 6265, section 4.2.1).

    Strips only spaces and tabs: otherwise the cookie of a sister domain could pass for one with the prefix `__Host-`.
    """
    for pair in header.split(";"):
        key, _, value = pair.strip(" \t").partition("=")
        if key == name:
            yield value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
