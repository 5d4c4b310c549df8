"""A request from its arrival to the end of its response: the shared part of the middleware for WSGI and for ASGI."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
import weakref
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from .breaker import CircuitBreaker
from .errors import ProblemError
from .headers import Header
from .options import Settings
from .recent import RecentSessions
from .recorder import Recorder
from .rotations import Rotations
from .session_ids import handle_of, is_session_id, session_ids
from .transport import Ids, Info, Transport, random_key
from .workers import Workers

# `identify` may take this many deadlines: a sign-in matters, and the service writes the ids to its disk.
_IDENTIFY_DEADLINES = 4
# Below it a record stays within its limit of 8 KiB.
_MAX_PATH = 2048

# Attempts to store the result of a function. Each fails only because another one has succeeded.
_MAX_DATA_ATTEMPTS = 10

DataFunction = Callable[[Dict[str, Any]], Mapping[str, Any]]
DataChange = Union[Mapping[str, Any], DataFunction]
Work = Optional["concurrent.futures.Future[Any]"]


class Tracker:
    """The state that the requests of one middleware share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.workers = Workers()
        self.transport = Transport(settings.url, settings.key)
        self.recorder = Recorder(self.transport, self.workers, settings.report)
        self.breaker = CircuitBreaker()
        self.recent = RecentSessions()
        # Without an API key, other processes cannot repeat a rotation of this one.
        self.rotations = Rotations(self.transport, settings.key or random_key())
        # Many servers of WSGI do not report their end.
        weakref.finalize(self, self.recorder.close)
        if hasattr(os, "register_at_fork"):
            _reset_after_fork(weakref.ref(self))

    def track(
        self, method: str, path: str, query: str, is_encrypted: bool, header: Callable[[str], Optional[str]]
    ) -> Optional[TrackedRequest]:
        """Starts tracking a request; `path` is percent-encoded. Returns `None` if the request is to be ignored."""
        is_preflight = method == "OPTIONS" and bool(header("access-control-request-method"))
        if is_preflight or self.settings.is_ignored(path):
            return None
        return TrackedRequest(self, method, path, query, is_encrypted, header)

    def reset(self) -> None:
        """Starts anew in a forked process, which has no threads and must not share connections."""
        self.workers.reset()
        self.transport.reset()
        self.recorder.reset()


def _reset_after_fork(tracker: weakref.ref[Tracker]) -> None:
    def reset() -> None:
        living = tracker()
        if living is not None:
            living.reset()

    os.register_at_fork(after_in_child=reset)


class TrackedRequest:
    """One request. Its middleware calls `start_find` and `found`, `session_headers`, and `finish`."""

    def __init__(
        self,
        tracker: Tracker,
        method: str,
        path: str,
        query: str,
        is_encrypted: bool,
        header: Callable[[str], Optional[str]],
    ) -> None:
        settings = tracker.settings
        self._tracker = tracker
        self._method = method
        self._path = path[:_MAX_PATH]
        self._started_at = int(time.time() * 1000)
        self._started = time.perf_counter()
        self._ids = session_ids(settings.sources, settings.cookie_name, query, header)
        forwarded = (header("x-forwarded-proto") or "").split(",", 1)[0].strip().lower()
        self._is_secure = is_encrypted or forwarded in ("https", "wss")
        sent = header("gkc-sessionid")
        # Proves to a client in the page that the response is not an earlier visitor's from a cache.
        self._replaces = handle_of(sent) if sent is not None and is_session_id(sent) else "none"
        self.info: Info = {}
        self.is_new = False
        self._is_available = True
        self._has_ended = False
        self._change = "none"
        self._is_head_complete = False
        self._is_finished = False

    # --- finding the session

    def start_find(self) -> Tuple[Work, float]:
        """Starts finding the session. Returns the work, or `None` if there is nothing to wait for, and its deadline."""
        settings = self._tracker.settings
        if not self._ids and not settings.create:
            return None, 0.0
        if not self._tracker.breaker.allows_call():
            self._is_available = False
            return None, 0.0
        work = self._tracker.workers.submit(self._find)
        if work is None:
            self._is_available = False
        return work, settings.deadline

    def found(self, result: Tuple[Optional[Info], bool]) -> bool:
        """Takes the result of finding. Returns whether the request has a session."""
        self._tracker.breaker.record_success()
        info, is_new = result
        if info is None:
            return False
        self.info, self.is_new = info, is_new
        if is_new:
            self._change = "new id"
        return True

    def not_found(self, error: BaseException) -> None:
        """Takes the failure of finding: the request continues without a session."""
        self._is_available = False
        self._tracker.breaker.record_failure()
        self._tracker.settings.report(_as_problem(error))

    def _find(self) -> Tuple[Optional[Info], bool]:
        settings, transport = self._tracker.settings, self._tracker.transport
        until = time.monotonic() + settings.deadline
        created: Optional[Info] = None
        for session_id in self._ids:
            info = _with_one_retry(partial(transport.retrieve, session_id, with_data=settings.data), until)
            if info["sessionId"] == session_id:
                return info, False
            # For an unknown id Antechamber returns a new session. It is not stored, so it does no harm if a later id
            # has a live one.
            created = info
        if not settings.create:
            return None, False
        return created or _with_one_retry(partial(transport.create, {}, {}), until), True

    # --- changing it

    def start_identify(self, ids: Ids, options: Mapping[str, Optional[str]]) -> Tuple[Work, float]:
        """Starts associating ids. Returns the work and its deadline in seconds."""
        may_rotate = not self._is_head_complete
        timeout = self._tracker.settings.deadline * _IDENTIFY_DEADLINES
        return self._tracker.workers.submit(self._associate, ids, options, may_rotate, timeout), timeout

    def start_end(self) -> Tuple[Work, float]:
        """Starts ending the session. Returns the work and its deadline in seconds."""
        session_id = self.info["sessionId"]
        self._change = "ended session"
        self._has_ended = True
        self._tracker.recent.add_end(session_id)
        if not self._is_finished:
            # An ended session accepts no records, so the request is recorded before.
            self._is_finished = True
            self._record(None, False)
        timeout = self._tracker.settings.deadline * _IDENTIFY_DEADLINES
        return self._tracker.workers.submit(self._end, session_id, timeout), timeout

    def start_change_data(self, data: DataChange, is_patch: bool) -> Tuple[Work, float]:
        """Starts changing the data of the session. Returns the work and its deadline in seconds."""
        timeout = self._tracker.settings.deadline * _IDENTIFY_DEADLINES
        return self._tracker.workers.submit(self._change_data, data, is_patch, timeout), timeout

    def data(self) -> Dict[str, Any]:
        """Returns the data of the session, as far as this request knows them."""
        if "data" not in self.info and not self._tracker.settings.data:
            raise RuntimeError("the data of a session need the option data=True of Sessions")
        return dict(self.info.get("data") or {})

    def outcome_of(self, error: Exception) -> bool:
        """Returns False if the service did not respond in time. Raises the error if it is a refusal or a defect."""
        problem = _as_problem(error)
        if not (isinstance(problem, ProblemError) and problem.is_unanswered):
            raise error
        self._tracker.settings.report(problem)
        return False

    def _associate(
        self, ids: Ids, options: Mapping[str, Optional[str]], may_rotate: bool, timeout: float
    ) -> None:
        tracker = self._tracker
        until = time.monotonic() + timeout
        session_id = self.info["sessionId"]
        if self._has_ended:
            return self._replace(ids, options, until)
        tracker.recorder.flush_session(session_id, timeout / 2)
        # A request that was in progress at the sign-out must not sign the visitor in again.
        if tracker.recent.has_ended(session_id):
            raise ProblemError("session-not-found", 404)
        is_person = bool(ids.get("customerId") or ids.get("agentId"))
        rotates = tracker.settings.rotate and self._is_first_person(ids)
        if rotates and not may_rotate:
            raise RuntimeError(_TOO_LATE)
        try:
            if rotates:
                info = tracker.rotations.rotate(session_id, ids, options, _remaining(until))
            else:
                info = tracker.transport.update(session_id, ids, options, _remaining(until))
            self._use(session_id, info, until)
        except ProblemError as error:
            if not _needs_new_session(error) or tracker.recent.has_ended(session_id):
                raise
            # Another request has rotated the session. This one gets neither the new id, which it gives no proof of
            # being allowed to have, nor a new session, whose cookie would replace that of the rotated session.
            if not is_person and tracker.transport.retrieve(session_id, _remaining(until))["sessionId"] == session_id:
                raise
            self._replace(ids, options, until)

    def _use(self, before: str, info: Info, until: float) -> None:
        """Takes the result of associating ids, and announces its id if that is a new one."""
        is_rotated = info["sessionId"] != before
        if is_rotated and self._tracker.recent.has_ended(before):
            # The visitor signed out in the meantime.
            self._tracker.transport.end(info["sessionId"], _remaining(until))
            raise ProblemError("session-not-found", 404)
        self.info = {**self.info, **info}
        if not is_rotated:
            return
        self._tracker.recent.add_rotation(before, info["sessionId"])
        if self._is_head_complete:
            self._tracker.settings.report(RuntimeError(_TOO_LATE))
        self._change = "new id"

    def _replace(self, ids: Ids, options: Mapping[str, Optional[str]], until: float) -> None:
        self.info = self._tracker.transport.create(ids, options, _remaining(until), attempts=3)
        self.is_new = True
        self._has_ended = False
        self._change = "new id"

    def _end(self, session_id: str, timeout: float) -> None:
        tracker = self._tracker
        until = time.monotonic() + timeout
        tracker.recorder.flush_session(session_id, timeout / 2)
        try:
            # Requests with an older id of the session may be in progress too.
            if tracker.transport.end(session_id, _remaining(until)):
                tracker.recent.add_end(handle_of(session_id))
        except ProblemError as error:
            if not error.is_unanswered:
                tracker.recent.remove_end(session_id)
            raise

    def _change_data(self, data: DataChange, is_patch: bool, timeout: float) -> None:
        session_id = self.info["sessionId"]
        if self._has_ended:
            raise ProblemError("session-not-found", 404)
        until = time.monotonic() + timeout
        if callable(data):
            changed = self._merge_result(data, session_id, until)
        else:
            changed = self._tracker.transport.change_data(session_id, data, is_patch, _remaining(until))
        self.info = {**self.info, "data": changed}

    def _merge_result(self, function: DataFunction, session_id: str, until: float) -> Dict[str, Any]:
        """Merges the result of a function of the present data, until nobody has changed them in the meantime."""
        transport = self._tracker.transport
        attempt = 1
        while True:
            present, tag = transport.read_data(session_id, _remaining(until))
            try:
                return transport.change_data(session_id, function(present), True, _remaining(until), tag)
            except ProblemError as error:
                if error.code != "precondition-failed" or attempt == _MAX_DATA_ATTEMPTS:
                    raise
                attempt += 1

    def _is_first_person(self, ids: Ids) -> bool:
        """Whether `ids` have the first customer of the session, or its first agent while it has no customer."""
        if self.info.get("customerId"):
            return False
        return bool(ids.get("customerId") or (ids.get("agentId") and not self.info.get("agentId")))

    # --- its response

    def session_headers(self) -> List[Header]:
        """Returns the headers that report a new id or an ended session. Later changes are not reported."""
        self._is_head_complete = True
        settings = self._tracker.settings
        if self._change == "none":
            return []
        session_id = self.info["sessionId"]
        headers: List[Header] = []
        if self._change == "new id":
            # A sign-in that ends later than the sign-out does not set the cookie again.
            if self._tracker.recent.has_ended(session_id):
                return []
            headers = [("gkc-sessionId", session_id), ("gkc-replaces", self._replaces)]
            if settings.cookie:
                headers.append(("set-cookie", settings.cookie.format(session_id, self._is_secure)))
        elif settings.cookie:
            headers.append(("set-cookie", settings.cookie.format_clear(self._is_secure)))
        return headers

    def report(self, error: BaseException) -> None:
        """Reports a failure to `on_error`."""
        self._tracker.settings.report(error)

    def finish(self, status: Optional[int], is_aborted: bool) -> None:
        """Records the request; calls after the first are ignored. `status` is `None` if no response was sent."""
        if self._is_finished:
            return
        self._is_finished = True
        self._record(status, is_aborted)

    def _record(self, status: Optional[int], is_aborted: bool) -> None:
        tracker = self._tracker
        if self.info:
            session_id = self.info["sessionId"]
        elif self._ids and not self._is_available:
            # Antechamber checks the id when the record is delivered.
            session_id = self._ids[0]
        else:
            return
        # An ended session accepts no records. The record of the request that ends it is queued before.
        if tracker.recent.has_ended(session_id) and not self._has_ended:
            return
        record = {
            "method": self._method,
            "path": self._path,
            "status": status if status is not None and 100 <= status <= 599 else None,
            "startedAt": self._started_at,
            "durationMs": round((time.perf_counter() - self._started) * 1000, 3),
            "service": tracker.settings.service,
            "attributes": {"aborted": "true"} if is_aborted else None,
        }
        filtered = self._filtered(record)
        if filtered is not None:
            latest = session_id if self._has_ended else tracker.recent.latest_id_of(session_id)
            tracker.recorder.add(latest, filtered, self.is_new)

    def _filtered(self, record: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Returns the record to send, if any. Nothing is recorded if the application's filter raises an error."""
        choose = self._tracker.settings.record
        if isinstance(choose, bool):
            return record if choose else None
        try:
            choice = choose(record)
        except Exception as error:  # noqa: BLE001
            self._tracker.settings.report(error, 1)
            return None
        if isinstance(choice, dict):
            return choice
        return record if choice else None


_TOO_LATE = (
    "identify() was called or completed after the response had begun, which was to give the visitor the session's new "
    "id: call it before, and wait for it"
)


def _needs_new_session(error: ProblemError) -> bool:
    """Returns whether the session belongs to another person, or the id opens no session any more."""
    if error.code == "session-not-found":
        return True
    return error.code == "already-exists" and (error.problem or {}).get("field") in ("customerId", "agentId")


def _remaining(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise ProblemError("timeout")
    return seconds


def _with_one_retry(call: Callable[..., Info], until: float) -> Info:
    """Repeats a call that failed because of the network: the service may have closed an idle connection just then."""
    try:
        return call(timeout=_remaining(until))
    except ProblemError as error:
        if error.code != "network":
            raise
    return call(timeout=_remaining(until))


def _as_problem(error: BaseException) -> BaseException:
    """Returns the error; for the end of a deadline a `ProblemError`."""
    is_late = isinstance(error, (concurrent.futures.TimeoutError, asyncio.TimeoutError))
    return ProblemError("timeout") if is_late else error
