"""Writes records into the log, and says when Kafka has them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ectopy.cluster.brokers import Brokers, describe
from ectopy.cluster.topic_records import LARGEST_BYTES
from ectopy.errors import DataError, EctopyError, StorageError

_POLL_S = 0.05
_PATIENCE_S = 5.0
_CLOSING_S = 5.0
_REFUSED_S = 60.0
"""How long Kafka counts as taking nothing after it has refused a record, unless it takes another."""
_KIB = 1024
_MOST_KIB = 2**21 - 1

_log = logging.getLogger(__name__)

Place = tuple[int, int]
"""Partition and offset of a record."""

OnDelivery = Callable[[Place | EctopyError], None]
"""Receives the place of a record once Kafka has it, or the error, in the thread of the writer."""


class LogWriter:
    """Writes records, each once and those of a key in order; keeps them while no broker answers.

    Parameters
    ----------
    brokers : Brokers
    room_bytes : int
        Limit of what waits for Kafka.
    keeps_s : float
        How long a record may wait; 0 = for ever.
    """

    def __init__(self, brokers: Brokers, room_bytes: int, keeps_s: float = 0.0) -> None:
        self._producer = Producer(
            brokers.client_settings()
            | {
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": round(1000 * keeps_s),
                "message.max.bytes": LARGEST_BYTES + 2**16,
                "queue.buffering.max.kbytes": min(max(room_bytes // _KIB, 1), _MOST_KIB),
                "queue.buffering.max.messages": 0,
                "linger.ms": 5,
                "reconnect.backoff.max.ms": 1000,
                "error_cb": self._note_error,
            }
        )
        self._lock = threading.Lock()
        self._waiting: dict[int, float] = {}
        self._written = 0
        self._error, self._refused_until = "", -math.inf
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer")
        self._thread.start()

    def write(self, topic: str, patient: str, value: bytes, on_delivery: OnDelivery) -> None:
        """Write a record.

        Raises
        ------
        DataError
            If it is too large.
        StorageError
            If too much waits already.
        """
        with self._lock:
            self._written += 1
            number = self._written
            self._waiting[number] = time.monotonic()

        def delivered(error: KafkaError | None, message: Message) -> None:
            with self._lock:
                self._waiting.pop(number, None)
            if error is None:
                self._error, self._refused_until = "", -math.inf
                on_delivery((message.partition() or 0, message.offset() or 0))
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                on_delivery(_too_large(value))
            else:
                self._note_refusal(error)
                on_delivery(_refused(error))

        try:
            self._producer.produce(topic, value, patient.encode(), on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            with self._lock:
                del self._waiting[number]
            if isinstance(error, BufferError):
                raise StorageError("more inputs wait than can be kept; send again later.") from error
            reason = error.args[0]
            if reason.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise _too_large(value) from error
            self._note_refusal(reason)
            raise _refused(reason) from error

    def away(self) -> str:
        """Return why Kafka takes nothing; empty while it does."""
        with self._lock:
            oldest = next(iter(self._waiting.values()), None)
        waited_s = 0.0 if oldest is None else time.monotonic() - oldest
        if waited_s > _PATIENCE_S:
            return self._error or f"no answer for {waited_s:.0f} s"
        return self._error if time.monotonic() < self._refused_until else ""

    def close(self) -> None:
        """Write what waits, as far as Kafka takes it within a few seconds."""
        self._producer.flush(_CLOSING_S)
        self._producer.purge()
        self._closing.set()
        self._thread.join()
        self._producer.flush(_CLOSING_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(_POLL_S)
            except Exception:
                _log.exception("a listener has failed")

    def _note_refusal(self, error: KafkaError) -> None:
        if error.code() != KafkaError._MSG_TIMED_OUT:
            self._note_error(error)
            self._refused_until = time.monotonic() + _REFUSED_S

    def _note_error(self, error: KafkaError) -> None:
        if not self._error:
            _log.warning("Kafka: %s", describe(error))
        self._error = describe(error)


def _refused(error: KafkaError) -> StorageError:
    return StorageError(f"Kafka did not take this: {describe(error)}; send it again.")


def _too_large(value: bytes) -> DataError:
    return DataError(f"Kafka takes no record of {len(value)} bytes; send less at a time.")
