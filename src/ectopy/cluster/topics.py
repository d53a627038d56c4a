"""The topics of a stream: their names, how they are created, and the ticks that carry the time through the log."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from ectopy.cluster.brokers import Brokers, connect, describe
from ectopy.cluster.topic_records import LARGEST_BYTES, TICK
from ectopy.errors import ServiceError, SettingError

_TIMEOUT_S = 10.0
_TICK_S = 1.0
_PATIENCE_S = 10.0
_LATEST_TICK_MS = 5000
_COUNTED_AFTER_TICKS = 60
# The time of a record is that at which the broker got it: devices' clocks are not trusted.
_INPUT = {"message.timestamp.type": "LogAppendTime"}
_SAMPLES = {**_INPUT, "max.message.bytes": str(LARGEST_BYTES + 2**16)}
_STATUS = {"cleanup.policy": "compact"}
_BROKERS_DEFAULT = -1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics of a stream; `samples` and `output` are chosen, the others follow from them."""

    samples: str
    output: str

    @property
    def commands(self) -> str:
        """Orders of operators, and readings about the service."""
        return f"{self.samples}-commands"

    @property
    def rejected(self) -> str:
        """Dead letters: records that are no input, with the reason in a header."""
        return f"{self.samples}-rejected"

    @property
    def status(self) -> str:
        """The newest state of each patient, as far as viewers need it; compacted."""
        return f"{self.output}-status"

    def create(self, brokers: Brokers, partitions: int) -> tuple[str, ...]:
        """Create those that do not exist, and return their names.

        Raises
        ------
        SettingError
            If an existing topic of inputs has the time of its senders.
        ServiceError
            If no broker answers, one refuses this client, or there is no permission for a topic.
        """
        settings = {
            self.samples: _SAMPLES,
            self.commands: _INPUT,
            self.output: {},
            self.status: _STATUS,
            self.rejected: {},
        }
        admin = connect(brokers)
        existing = admin.list_topics(timeout=_TIMEOUT_S).topics
        missing = [
            NewTopic(name, partitions, _BROKERS_DEFAULT, config=config)
            for name, config in settings.items()
            if name not in existing
        ]
        new = []
        for name, creation in admin.create_topics(missing).items() if missing else ():
            try:
                creation.result()
                new.append(name)
            except KafkaException as error:
                reason = error.args[0]
                # Another process has just created it, or this broker did not list it yet.
                if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise _no_permission(name, reason) from error
        for name in settings:
            reason = admin.list_topics(name, timeout=_TIMEOUT_S).topics[name].error
            if reason is not None and reason.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise _no_permission(name, reason)
        for name in (self.samples, self.commands):
            _check_time(admin, name)
        return tuple(new)


def _check_time(admin: AdminClient, topic: str) -> None:
    """Raise a `SettingError` if the time of records is not the broker's; it passes where that may not be read."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        settings = admin.describe_configs([resource])[resource].result()
    except KafkaException as error:
        _log.warning("the settings of topic %r cannot be read: %s", topic, error.args[0].str())
        return
    for name, value in _INPUT.items():
        if settings[name].value != value:
            raise SettingError(
                f"topic {topic!r} has {name}={settings[name].value}; set it to {value}, for the time of a record has "
                "to be that of the broker."
            )


def _no_permission(topic: str, reason: KafkaError) -> ServiceError:
    return ServiceError(
        f"topic {topic!r} cannot be used: {reason.str()}; create it if it is missing, and allow this user to use it."
    )


class TickWriter:
    """Writes a tick into every partition of the samples once a second, until it is closed.

    So the time lies in the log, in order with the samples: a patient is silent when the log says so, not when a reader
    is late. While no broker answers there are no ticks, and the patients' time stands still as their samples do.
    Samples that come without ticks are another matter, for then nobody is called silent: `failure` says so.
    """

    def __init__(self, brokers: Brokers, topic: str) -> None:
        settings = brokers.client_settings() | {"message.timeout.ms": _LATEST_TICK_MS, "error_cb": self._note}
        self._producer, self._topic = Producer(settings), topic
        self._taken_at, self._error = time.monotonic(), ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str:
        """Why no tick has come into the log for some seconds; empty while they come."""
        is_late = time.monotonic() - self._taken_at > _PATIENCE_S
        return (self._error or "no broker answers") if is_late else ""

    def close(self) -> None:
        """Write no more ticks."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        partitions, ticks = 0, 0
        while not self._closing.wait(_TICK_S):
            if ticks % _COUNTED_AFTER_TICKS == 0:
                partitions = self._count_partitions() or partitions
            ticks += bool(partitions)
            try:
                for partition in range(partitions):
                    self._producer.produce(self._topic, TICK, partition=partition, on_delivery=self._note_delivery)
            except KafkaException as error:
                self._note(error.args[0])
            self._producer.poll(0)

    def _count_partitions(self) -> int:
        try:
            topic = self._producer.list_topics(self._topic, timeout=_TICK_S).topics[self._topic]
        except KafkaException as error:
            self._note(error.args[0])
            return 0
        if topic.error is not None:
            self._note(topic.error)
        return len(topic.partitions)

    def _note_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._taken_at, self._error = time.monotonic(), ""
        else:
            self._note(error)

    def _note(self, error: KafkaError) -> None:
        self._error = describe(error)
