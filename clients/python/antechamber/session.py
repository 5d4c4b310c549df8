"""The session of a request."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from .session_ids import handle_of

if TYPE_CHECKING:
    from .tracking import DataChange, TrackedRequest


class SessionInfo:
    """The members of a session. They are those of the beginning of the request, until a method changes the session.

    Times are ISO 8601 in UTC. Ids are `None` if they are not known.
    """

    __slots__ = ("_tracked",)

    def __init__(self, tracked: TrackedRequest) -> None:
        self._tracked = tracked

    @property
    def session_id(self) -> str:
        """The id, which opens the session: a secret of the visitor."""
        return str(self._tracked.info["sessionId"])

    @property
    def handle(self) -> str:
        """The first 24 characters of the id. They stay when the session gets a new id, and open nothing."""
        return handle_of(self.session_id)

    @property
    def is_new(self) -> bool:
        """Whether the session was created for this request."""
        return self._tracked.is_new

    @property
    def state(self) -> str:
        """`anonymous`, or `recognized` if it has a customer or agent."""
        return str(self._tracked.info["state"])

    @property
    def agent_id(self) -> Optional[str]:
        return self._get("agentId")

    @property
    def customer_id(self) -> Optional[str]:
        return self._get("customerId")

    @property
    def visit_id(self) -> Optional[str]:
        return self._get("visitId")

    @property
    def global_visit_id(self) -> Optional[str]:
        return self._get("globalVisitId")

    @property
    def created_at(self) -> str:
        return str(self._tracked.info["createdAt"])

    @property
    def last_active_at(self) -> str:
        return str(self._tracked.info["lastActiveAt"])

    @property
    def expires_at(self) -> str:
        return str(self._tracked.info["expiresAt"])

    @property
    def data(self) -> Dict[str, Any]:
        """A copy of the session's data. Needs the option `data`, or a change of the data in this request."""
        return self._tracked.data()

    def _get(self, name: str) -> Optional[str]:
        value = self._tracked.info.get(name)
        return None if value is None else str(value)

    def __repr__(self) -> str:
        return f"<Session {self.handle}>"


class Session(SessionInfo):
    """The session of a request of a WSGI application."""

    __slots__ = ()

    def identify(
        self,
        *,
        customer_id: Optional[str] = None,
        agent_id: Optional[str] = None,
        visit_id: Optional[str] = None,
        global_visit_id: Optional[str] = None,
        profile: Optional[str] = None,
        label: Optional[str] = None,
    ) -> bool:
        """Associates ids with the session, for example at a sign-in. Repeating it is safe.

        The first customer or agent of a session gives it a new id, which the response reports: call it before the
        response begins; later it stores nothing and raises a `RuntimeError`. If the session belongs to another customer
        or agent, the visitor gets a new session with these ids.

        Returns True if the ids are stored, and False if Antechamber is unavailable or does not respond in time. Raises a
        `ProblemError` for every refusal, such as `already-exists` and `invalid-request`.
        """
        ids = {"customerId": customer_id, "agentId": agent_id, "visitId": visit_id, "globalVisitId": global_visit_id}
        return _wait(self._tracked, *self._tracked.start_identify(ids, {"profile": profile, "label": label}))

    def end(self) -> bool:
        """Ends the session, for example at a sign-out. The response removes the browser's cookie.

        This request is recorded before the end, without a status. Returns True if the id opens no session any more, and
        False if Antechamber is unavailable or does not respond in time. Raises a `ProblemError` for a refusal.
        """
        return _wait(self._tracked, *self._tracked.start_end())

    def update(self, patch: DataChange) -> bool:
        """Merges members into the session's data (RFC 7396): `None` removes one, dictionaries are merged.

        Requests at the same time that change different members do not undo each other. A function gets the present data
        and returns the patch. It is called again, on another thread, if the data change before its result is stored.
        Returns False if Antechamber is unavailable or does not respond in time: the data may have been changed all the
        same. Raises a `ProblemError` for a refusal.
        """
        return _wait(self._tracked, *self._tracked.start_change_data(patch, True))

    def replace(self, data: Mapping[str, Any]) -> bool:
        """Replaces the session's data. Otherwise does the same as `update`."""
        return _wait(self._tracked, *self._tracked.start_change_data(data, False))


class AsyncSession(SessionInfo):
    """The session of a request of an ASGI application."""

    __slots__ = ()

    async def identify(
        self,
        *,
        customer_id: Optional[str] = None,
        agent_id: Optional[str] = None,
        visit_id: Optional[str] = None,
        global_visit_id: Optional[str] = None,
        profile: Optional[str] = None,
        label: Optional[str] = None,
    ) -> bool:
        """Associates ids with the session, for example at a sign-in. Does the same as `Session.identify`."""
        ids = {"customerId": customer_id, "agentId": agent_id, "visitId": visit_id, "globalVisitId": global_visit_id}
        return await _await(self._tracked, *self._tracked.start_identify(ids, {"profile": profile, "label": label}))

    async def end(self) -> bool:
        """Ends the session, for example at a sign-out. Does the same as `Session.end`."""
        return await _await(self._tracked, *self._tracked.start_end())

    async def update(self, patch: DataChange) -> bool:
        """Merges members into the session's data. Does the same as `Session.update`."""
        return await _await(self._tracked, *self._tracked.start_change_data(patch, True))

    async def replace(self, data: Mapping[str, Any]) -> bool:
        """Replaces the session's data. Does the same as `Session.replace`."""
        return await _await(self._tracked, *self._tracked.start_change_data(data, False))


Work = Optional["concurrent.futures.Future[Any]"]


def _wait(tracked: TrackedRequest, work: Work, timeout: float) -> bool:
    try:
        if work is None:
            raise concurrent.futures.TimeoutError
        work.result(timeout)
        return True
    except Exception as error:  # noqa: BLE001
        return tracked.outcome_of(error)


async def _await(tracked: TrackedRequest, work: Work, timeout: float) -> bool:
    try:
        if work is None:
            raise asyncio.TimeoutError
        # Not cancelled at the end of the time: what has been sent to the service may succeed.
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(work)), timeout)
        return True
    except Exception as error:  # noqa: BLE001
        return tracked.outcome_of(error)


