"""Answers to commands: which events a command has caused, and when the patient's status shows them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from ectopy.cluster.log_writer import Place
from ectopy.cluster.shard import PatientEvent
from ectopy.errors import StorageError
from ectopy.monitor import InputRejected
from ectopy.service.monitoring.write_buffer import Receipt

ANSWER_S = 25.0
"""Longest wait for the events of a command."""

_NO_ANSWER = "the cluster has not answered in time; look whether the order was carried out before you give it again."


@dataclass(slots=True)
class _Answer:
    """What is known of a command; `number` is that of its last event, and `future` waits for the receipt."""

    began: float = field(default_factory=time.monotonic)
    patient: str = ""
    future: Future[Receipt] | None = None
    number: int | None = None
    rejected: tuple[str, ...] = ()


class CommandAnswers:
    """Commands that wait for their events; events may be read before Kafka has said where their command lies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Place, _Answer] = {}

    def expect(self, patient: str, place: Place, future: Future[Receipt]) -> None:
        """Answer a command that lies in this place of the log."""
        with self._lock:
            answer = self._answers.setdefault(place, _Answer())
            answer.patient, answer.future = patient, future

    def note(self, event: PatientEvent) -> None:
        """Note an event that answers a command."""
        if event.command is None:
            return
        with self._lock:
            answer = self._answers.setdefault(event.command, _Answer())
            answer.number = event.event.number
            if isinstance(event.event, InputRejected):
                answer.rejected = (event.event.reason,)

    def resolve(self, count_events: Callable[[str], int]) -> None:
        """Give out receipts of commands whose events the status of their patients has, and give up the oldest.

        `count_events` returns how many events there are in the status of a patient.
        """
        now = time.monotonic()
        with self._lock:
            ready = {
                place: answer
                for place, answer in self._answers.items()
                if now - answer.began > ANSWER_S
                or (answer.future and answer.number and count_events(answer.patient) >= answer.number)
            }
            for place in ready:
                del self._answers[place]
        for answer in ready.values():
            if answer.future is None:
                continue
            if answer.number is None:
                answer.future.set_exception(StorageError(_NO_ANSWER))
            else:
                answer.future.set_result(Receipt(answer.patient, answer.rejected, None))

    def close(self) -> None:
        """Give up all."""
        with self._lock:
            answers, self._answers = tuple(self._answers.values()), {}
        for answer in answers:
            if answer.future is not None:
                answer.future.set_exception(StorageError(_NO_ANSWER))
