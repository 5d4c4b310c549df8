"""Delivery of request records in the background."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

from .errors import ProblemError
from .transport import Transport, random_key
from .workers import Workers

# Seconds.
_SEND_INTERVAL = 0.2
_RETRY_INTERVAL = 1.0
_CLOSE_TIMEOUT = 5.0
_RECORD_TIMEOUT = 5.0

_MAX_BATCH_RECORDS = 100
_MAX_QUEUED_RECORDS = 10_000
_MAX_CONNECTIONS = 8
_SESSIONS_PER_CONNECTION = 64

Record = Dict[str, Any]


@dataclass
class _Batch:
    records: List[Record]
    # Whether Antechamber stores the record only if the session is used again.
    provisional: bool = False
    idempotency_key: str = field(default_factory=random_key)


@dataclass
class _Queue:
    # Each waiting record, with whether the session was created for its request.
    waiting: List[Tuple[Record, bool]] = field(default_factory=list)
    # Batches that are being sent, or that will be sent again with the same Idempotency-Key.
    batches: List[_Batch] = field(default_factory=list)
    # Held while the session's records are sent, so that they arrive in order.
    sending: threading.Lock = field(default_factory=threading.Lock)


class Recorder:
    """Sends records on a thread of its own. Those of one session are sent in order, and a batch has one session's.

    A batch is sent with the same Idempotency-Key until there is a response, so that no record is stored twice. Refused
    records are dropped. If too many records wait, new ones are dropped.
    """

    def __init__(self, transport: Transport, workers: Workers, report: Callable[[BaseException, int], None]) -> None:
        self._transport = transport
        self._workers = workers
        self._report = report
        self._dropped = 0
        self._last_error: BaseException = ProblemError("unavailable")
        self.reset()

    def reset(self) -> None:
        """Starts anew in a forked process. The parent process delivers its own records."""
        self._lock = threading.Condition()
        self._queues: Dict[str, _Queue] = {}
        self._queued = 0
        self._thread: Optional[threading.Thread] = None

    def add(self, session_id: str, record: Record, is_first: bool) -> None:
        """Queues a record. `is_first`: whether the session was created for the recorded request."""
        with self._lock:
            is_full = self._queued >= _MAX_QUEUED_RECORDS
            if not is_full:
                self._queued += 1
                self._queues.setdefault(session_id, _Queue()).waiting.append((record, is_first))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="antechamber-records", daemon=True)
                    self._thread.start()
                self._lock.notify()
        if is_full:
            self._drop(1, self._last_error)

    def flush(self, timeout: float = _RECORD_TIMEOUT) -> None:
        """Sends the waiting records of all sessions. Returns after the attempt, whether or not it succeeded."""
        self._send_all(time.monotonic() + timeout)

    def flush_session(self, session_id: str, timeout: float) -> None:
        """Sends the waiting records of one session. Returns after the attempt, or after `timeout` seconds."""
        self._send(session_id, time.monotonic() + timeout)

    def close(self) -> None:
        """Sends the waiting records. Drops those that are not delivered within five seconds."""
        self._send_all(time.monotonic() + _CLOSE_TIMEOUT)
        with self._lock:
            lost, self._queued = self._queued, 0
            self._queues.clear()
        if lost:
            self._drop(lost, self._last_error)

    def dropped(self) -> int:
        """Returns the number of records that were dropped since the start."""
        return self._dropped

    def _drop(self, count: int, error: BaseException) -> None:
        with self._lock:
            self._dropped += count
        self._report(error, count)

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._queues:
                    self._lock.wait()
            time.sleep(_SEND_INTERVAL)
            while not self._send_all(time.monotonic() + _RECORD_TIMEOUT):
                time.sleep(_RETRY_INTERVAL)

    def _send_all(self, until: float) -> bool:
        """Sends the records of all sessions, several sessions at a time. Stops at the first failure."""
        with self._lock:
            session_ids = list(self._queues)
        turns = iter(session_ids)
        turn_lock = threading.Lock()
        failed = threading.Event()

        def take() -> Optional[str]:
            with turn_lock:
                return next(turns, None)

        def send_in_turn() -> None:
            while (session_id := take()) is not None and not failed.is_set():
                if not self._send(session_id, until):
                    failed.set()

        connections = min(_MAX_CONNECTIONS, 1 + len(session_ids) // _SESSIONS_PER_CONNECTION)
        others = [self._workers.submit(send_in_turn) for _ in range(connections - 1)]
        send_in_turn()
        for other in others:
            if other is not None and not other.cancel():
                other.result()
        return not failed.is_set()

    def _send(self, session_id: str, until: float) -> bool:
        """Sends the waiting records of a session. Returns False if Antechamber was unavailable."""
        with self._lock:
            queue = self._queues.get(session_id)
        if queue is None:
            return True
        if not queue.sending.acquire(timeout=max(0.0, until - time.monotonic())):
            return False
        try:
            return self._deliver(session_id, queue, until)
        finally:
            queue.sending.release()

    def _deliver(self, session_id: str, queue: _Queue, until: float) -> bool:
        while True:
            batch = self._next_batch(session_id, queue)
            if batch is None:
                return True
            timeout = min(_RECORD_TIMEOUT, until - time.monotonic())
            try:
                if timeout <= 0:
                    raise ProblemError("timeout")
                self._transport.record(session_id, batch.records, batch.provisional, batch.idempotency_key, timeout)
                self._remove(session_id, queue, batch)
            except ProblemError as error:
                self._last_error = error
                if not _is_refusal(error):
                    self._report(error, 0)
                    return False
                self._split_refused(session_id, queue, batch, error)

    def _next_batch(self, session_id: str, queue: _Queue) -> Optional[_Batch]:
        with self._lock:
            if self._queues.get(session_id) is not queue:
                return None
            if not queue.batches:
                taken, queue.waiting = queue.waiting[:_MAX_BATCH_RECORDS], queue.waiting[_MAX_BATCH_RECORDS:]
                if not taken:
                    del self._queues[session_id]
                    return None
                # Several records prove that the visitor has come back.
                is_provisional = len(taken) == 1 and taken[0][1]
                queue.batches.append(_Batch([record for record, _ in taken], is_provisional))
            return queue.batches[0]

    def _remove(self, session_id: str, queue: _Queue, batch: _Batch) -> bool:
        """Removes a batch. Returns False if `close` has counted its records as dropped in the meantime."""
        with self._lock:
            if self._queues.get(session_id) is not queue:
                return False
            queue.batches.remove(batch)
            self._queued -= len(batch.records)
            return True

    def _split_refused(self, session_id: str, queue: _Queue, batch: _Batch, error: ProblemError) -> None:
        """Splits a refused batch into halves, which are sent next: a single record may have caused the refusal."""
        records = batch.records
        if _is_fault_of_records(error) and len(records) > 1:
            middle = (len(records) + 1) // 2
            with self._lock:
                queue.batches[0:1] = [_Batch(records[:middle]), _Batch(records[middle:])]
        elif self._remove(session_id, queue, batch):
            self._drop(len(records), error)


def _is_refusal(error: ProblemError) -> bool:
    """Returns whether Antechamber would refuse the same request again."""
    return _is_fault_of_records(error) or (400 <= error.status < 500 and error.status not in (409, 429))


def _is_fault_of_records(error: ProblemError) -> bool:
    """Returns whether single records may have caused the refusal. Those that are not JSON have not been sent."""
    return error.status in (400, 413) or error.code == "invalid-request"
