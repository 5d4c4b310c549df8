"""The headers of requests and responses that concern sessions."""

from __future__ import annotations

import re
from typing import List, Optional, Protocol, Tuple

Header = Tuple[str, str]

# Headers that some caches obey instead of `Cache-Control`: `*-Cache-Control` (RFC 9213) and older names.
_FOR_CACHES = re.compile(r".*-cache-control|expires|surrogate-control|x-accel-expires|edge-control|cache-control")
_IDENTITY = {"gkc-agentid", "gkc-customerid", "gkc-visitid", "gkc-globalvisitid"}


class Tracked(Protocol):
    """The part of a tracked request that completes a response."""

    def session_headers(self) -> List[Header]: ...

    def report(self, error: BaseException) -> None: ...


def asserts_identity(name: str) -> bool:
    """Returns whether a header asserts an identity, in any spelling. Anybody can send one: the application must not
    get it."""
    return name.lower().replace("_", "-").replace(".", "-") in _IDENTITY


def complete_headers(status: int, headers: List[Header], tracked: Tracked) -> List[Header]:
    """Returns the headers of a response with those of a new or ended session.

    If the application itself sets or clears the session's cookie, only that cookie is sent; setting it is also reported
    as a failure. Caching headers are replaced: a cache would otherwise give this session to the next visitor.
    """
    # Caches would add other headers of a 304, and so the session, to the stored response.
    added = [(name, value) for name, value in tracked.session_headers() if status != 304 or name == "set-cookie"]
    if not added:
        return headers
    own = next((value for name, value in added if name == "set-cookie"), None)
    if own is not None:
        for name, value in headers:
            if name.lower() == "set-cookie" and value != own and _cookie_identity(value) == _cookie_identity(own):
                if not re.match(r"[^=]*=(?:;|$)", value):
                    tracked.report(_conflict(value))
                return headers
    names = {name.lower() for name, _ in added if name != "set-cookie"}
    kept = [
        (name, value)
        for name, value in headers
        if not _FOR_CACHES.fullmatch(name.lower()) and name.lower() not in names and value != own
    ]
    return [*kept, ("cache-control", "no-store"), *added]


def _cookie_identity(cookie: str) -> Tuple[str, str, str]:
    """Returns the name, path and domain, which browsers compare (RFC 6265, section 5.3, step 11)."""
    pair, *attributes = cookie.split(";")

    def attribute(name: str) -> str:
        found: Optional[str] = None
        for each in attributes:
            key, _, value = each.partition("=")
            if key.strip().lower() == name:
                found = value.strip()
        return found or ""

    domain = attribute("domain").lower()
    return pair.split("=", 1)[0].strip(), attribute("path"), domain[1:] if domain.startswith(".") else domain


def _conflict(cookie: str) -> RuntimeError:
    name = cookie.split("=", 1)[0]
    return RuntimeError(
        f"A handler sets the cookie {name} itself, so its visitors lose their session of Antechamber: "
        "give Sessions another name in the option cookie"
    )
