"""The options of the middleware, checked."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Pattern, Sequence, Tuple, Union
from urllib.parse import urlsplit

from .warnings import create_warnings

Record = Dict[str, Any]
RecordFilter = Callable[[Record], Union[bool, Record]]
ErrorListener = Callable[[BaseException, int], None]

_SOURCES = ("query", "header", "cookie")
_SAME_SITES = ("Strict", "Lax", "None")
_MAX_DEADLINE = 60.0
_MAX_COOKIE_AGE = 34_560_000
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_DELIMITER = re.compile(r"[;\x00-\x1f\x7f-\x9f]")
_KEY = re.compile(r"[\x21-\x7e]*")
# Browsers reject cookies with these names without `Secure` (RFC 6265bis, section 4.1.3).
_SECURE_NAME = re.compile(r"__(?:Secure|Host|Http|Host-Http)-", re.IGNORECASE)
_HOST_NAME = re.compile(r"__Host(?:-Http)?-", re.IGNORECASE)


@dataclass(frozen=True)
class Cookie:
    """The cookie that gives a browser the id of its session (RFC 6265bis).

    `max_age` is in seconds, at most 34,560,000 (400 days); by default the browser keeps the cookie until it is closed.
    `secure` is by default true if the request came over https, here or to a proxy that sends `X-Forwarded-Proto`, and if
    browsers would reject the cookie otherwise.
    """

    name: str = "sessionId"
    path: str = "/"
    domain: Optional[str] = None
    max_age: Optional[int] = None
    same_site: str = "Lax"
    http_only: bool = True
    secure: Optional[bool] = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _COOKIE_NAME.fullmatch(self.name):
            raise ValueError(f"Cookie: name cannot be {self.name!r}")
        for name, text in (("path", self.path), ("domain", self.domain or "")):
            if not isinstance(text, str) or _COOKIE_DELIMITER.search(text):
                raise ValueError(f"Cookie: {name} cannot be {text!r}")
        if not self.path.startswith("/"):
            raise ValueError(f"Cookie: path begins with /, unlike {self.path!r}")
        if self.max_age is not None and not (_is_int(self.max_age) and 1 <= self.max_age <= _MAX_COOKIE_AGE):
            raise ValueError(f"Cookie: max_age is in whole seconds, from 1 to {_MAX_COOKIE_AGE} (400 days)")
        if self.same_site not in _SAME_SITES:
            raise ValueError(f"Cookie: same_site is one of {', '.join(_SAME_SITES)}")
        needs_secure = self.same_site == "None" or _SECURE_NAME.match(self.name)
        if needs_secure and self.secure is False:
            raise ValueError("Cookie: browsers refuse this same_site or name without secure")
        if _HOST_NAME.match(self.name) and (self.path != "/" or self.domain):
            raise ValueError(f"Cookie: the name {self.name} allows no domain, and no path but /")

    def format(self, session_id: str, is_secure: bool) -> str:
        """Returns the value of a `Set-Cookie` header. A session id needs no escaping."""
        return self._format(session_id, is_secure, self.max_age)

    def format_clear(self, is_secure: bool) -> str:
        """Returns the value of a `Set-Cookie` header that makes the browser forget the cookie."""
        return self._format("", is_secure, None) + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

    def _format(self, value: str, is_secure: bool, max_age: Optional[int]) -> str:
        needs_secure = self.same_site == "None" or _SECURE_NAME.match(self.name) is not None
        secure = (is_secure or needs_secure) if self.secure is None else self.secure
        parts = [f"{self.name}={value}"]
        if self.domain:
            parts.append(f"Domain={self.domain}")
        parts.append(f"Path={self.path}")
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        parts.append(f"SameSite={self.same_site}")
        if self.http_only:
            parts.append("HttpOnly")
        if secure:
            parts.append("Secure")
        return "; ".join(parts)


@dataclass(frozen=True)
class Settings:
    """The checked options. Times are in seconds."""

    url: str
    key: str = ""
    service: Optional[str] = None
    deadline: float = 0.25
    create: bool = True
    rotate: bool = True
    data: bool = False
    sources: Sequence[str] = ("header", "cookie")
    cookie: Optional[Cookie] = field(default_factory=Cookie)
    record: Union[bool, RecordFilter] = True
    ignore: Sequence[Union[str, Pattern[str]]] = ()
    on_error: Optional[ErrorListener] = None

    @property
    def cookie_name(self) -> str:
        return self.cookie.name if self.cookie else "sessionId"

    def is_ignored(self, path: str) -> bool:
        for pattern in self.ignore:
            if isinstance(pattern, str):
                if path == pattern or path.startswith(pattern.rstrip("/") + "/"):
                    return True
            elif pattern.search(path):
                return True
        return False

    def report(self, error: BaseException, lost_records: int = 0) -> None:
        """Reports a failure to `on_error`. What that function raises does not affect the request."""
        try:
            if self.on_error is not None:
                self.on_error(error, lost_records)
        except Exception:  # noqa: BLE001
            pass


def check_options(options: Mapping[str, Any]) -> Settings:
    """Returns the settings. Raises `TypeError` for an unknown option, and `ValueError` for an invalid value."""
    known = tuple(Settings.__dataclass_fields__)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise TypeError(f"Sessions has no option {name}: " + (f"did you mean {near[0]}?" if near else ", ".join(known)))
    if "url" not in options:
        raise TypeError("Sessions needs the option url, the address of Antechamber")
    given = {name: value for name, value in options.items() if not (value is None and name != "cookie")}
    given["url"] = _checked_url(options["url"])
    given["key"] = _checked_key(given.get("key", ""))
    settings = Settings(**given)
    _check_types(settings)
    if settings.on_error is None:
        warn = create_warnings(settings.url, bool(settings.key), settings.deadline)
        return replace(settings, on_error=warn)
    return settings


def _checked_url(url: Any) -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    try:
        is_valid = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        is_valid = is_valid and parts is not None and (parts.port is None or parts.port >= 0)
    except ValueError:
        is_valid = False
    if not is_valid or parts is None or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"url is the address of Antechamber, such as http://127.0.0.1:8080, not {url!r:.100}")
    return str(url).rstrip("/")


def _checked_key(key: Any) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key.strip()):
        raise ValueError("key is an API key as printed by antechamber keys create, a text without spaces")
    return key.strip()


def _check_types(settings: Settings) -> None:
    service, deadline = settings.service, settings.deadline
    if service is not None and not (isinstance(service, str) and 1 <= len(service) <= 256 and service.isprintable()):
        raise ValueError("service is a name of 1 to 256 characters")
    if isinstance(deadline, bool) or not isinstance(deadline, (int, float)) or not 0 < deadline <= _MAX_DEADLINE:
        raise ValueError(f"deadline is a time in seconds, more than 0 and up to {_MAX_DEADLINE:.0f}, not {deadline!r:.100}")
    for name in ("create", "rotate", "data"):
        if not isinstance(getattr(settings, name), bool):
            raise ValueError(f"{name} is True or False")
    if not isinstance(settings.record, bool) and not callable(settings.record):
        raise ValueError("record is True, False or a function")
    if settings.on_error is not None and not callable(settings.on_error):
        raise ValueError("on_error is a function of an error and the number of lost records")
    if settings.cookie is not None and not isinstance(settings.cookie, Cookie):
        raise ValueError("cookie is a Cookie, or None for no cookie")
    if isinstance(settings.sources, str) or any(each not in _SOURCES for each in _listed("sources", settings.sources)):
        raise ValueError(f"sources is a list with some of {', '.join(_SOURCES)}")
    for pattern in _listed("ignore", settings.ignore):
        if isinstance(pattern, re.Pattern):
            continue
        if not isinstance(pattern, str) or not pattern.startswith("/") or "*" in pattern:
            raise ValueError(f"ignore has paths that begin with /, without *, and compiled patterns, not {pattern!r:.100}")


def _listed(name: str, value: Any) -> Tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} is a list, not {value!r:.100}")
    return tuple(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
