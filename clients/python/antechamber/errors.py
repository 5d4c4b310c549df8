"""The error of refused and failed calls."""

from __future__ import annotations

from typing import Any, Mapping, Optional

_UNANSWERED = {"network", "timeout", "unavailable", "request-under-way", "request-timeout"}
_MESSAGES = {
    "network": "no response: check the address, and that the service runs",
    "timeout": "no response in time",
    "unexpected-answer": "the response is not from the service: check the address",
}


class ProblemError(Exception):
    """A refused or failed call to Antechamber.

    `code` is a code of the API, or `network` (no response), `timeout` (no response in time) or `unexpected-answer` (the
    response is not from Antechamber). `status` is the HTTP status, 0 if there was no response. `problem` has the members
    of the refusal (RFC 9457); `None` if it is no refusal. `retry_after` is in seconds, or `None`.
    """

    def __init__(
        self,
        code: str,
        status: int = 0,
        problem: Optional[Mapping[str, Any]] = None,
        retry_after: Optional[float] = None,
        detail: Optional[str] = None,
    ) -> None:
        super().__init__((problem or {}).get("detail") or detail or _MESSAGES.get(code, code))
        self.code = code
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @property
    def is_unanswered(self) -> bool:
        """Whether the service did not decide on the request in time. Other failures are refusals or defects."""
        return self.code in _UNANSWERED or (self.code == "unexpected-answer" and self.status >= 502)

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.is_unanswered or self.code == "too-many-requests"
