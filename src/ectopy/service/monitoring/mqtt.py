"""Samples that come through an MQTT broker: ``ectopy/PATIENT/ecg`` in, ``ectopy/PATIENT/receipt`` out.

A payload is a chunk message, or a list of them, as JSON or msgpack (`ectopy.client.protocol`), published with QoS 1. It
is acknowledged to the broker when there is an answer to each chunk; until then the broker keeps it, and delivers it
again to the next connection. The broker decides who may publish to a topic.

The answer to each chunk is JSON, published with QoS 0: its ``sequence``, and either ``next_position``, that of the
sample that comes next, whether it is ``stored``, and ``late``, how many samples were left out; or ``rejected``, the
reason, and whether to ``retry``. Where it takes more than a second to store a chunk there are two answers, the first
with ``stored`` false, the second without ``late``: the device keeps the chunk until the second.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from ectopy.client.protocol import ChunkError, ChunkMessage, Form, read
from ectopy.errors import DataError, EctopyError, SettingError, StorageError
from ectopy.monitor import Chunk
from ectopy.service.monitoring.write_buffer import GapError, Receipt, sentence

IDENTIFIER = "ectopy"
"""The name by which the broker knows the session, and keeps messages that were not acknowledged."""

MOST_AT_ONCE = 64
"""Limit of unanswered messages of one patient."""

LARGEST_BYTES = 4 * 2**20

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_AGAIN_S = 1.0
_RECONNECT_S = 2.0
_AT_LEAST_ONCE = 1
_NO_ROOM = (
    f"more than {MOST_AT_ONCE} messages of this patient wait for an answer; wait for it, and send this one again."
)

_log = logging.getLogger(__name__)

Send = Callable[[str, Chunk], Awaitable[Receipt]]


class Bridge:
    """Passes messages of a broker on to a service.

    The `url` is ``mqtt://USER:PASSWORD@HOST:PORT``, or begins with ``mqtts://`` for TLS; a `SettingError` if it is
    invalid.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise SettingError("the broker is named as mqtt://HOST or mqtts://USER:PASSWORD@HOST:PORT.") from error
        if not parts.hostname:
            raise SettingError("the address of the broker names no host, as in mqtt://HOST.")
        self._host, self._port = parts.hostname, port
        self._user, self._password = (
            None if part is None else unquote(part) for part in (parts.username, parts.password)
        )
        self._tls = ssl.create_default_context() if parts.scheme == "mqtts" else None

    async def run(self, send: Send, clock: Callable[[], float]) -> None:
        """Pass messages on until cancelled; where the connection is lost, connect again.

        `send` takes a patient and a chunk, as `ectopy.service.monitoring.ward.Ward.send`; `clock` gives seconds since
        1970.
        """
        while True:
            try:
                await self._connected(send, clock)
            except* ConnectionError as errors:
                _log.warning("the MQTT broker is lost, and called again: %s", errors.exceptions[0])
            await asyncio.sleep(_RECONNECT_S)

    async def _connected(self, send: Send, clock: Callable[[], float]) -> None:
        """Pass messages on until the connection is lost, or cannot be made."""
        loop = asyncio.get_running_loop()
        connection: asyncio.Future[None] = loop.create_future()
        client, unanswered = self._client(), Counter[str]()

        # These are called in paho's thread; everything else happens in the loop.
        def on_failure(reason: object) -> None:
            loop.call_soon_threadsafe(_fail, connection, ConnectionError(str(reason)))

        def on_connect(_client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
            if reason.is_failure:
                on_failure(reason)
            else:
                client.subscribe("ectopy/+/ecg", _AT_LEAST_ONCE)

        def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(handle, message)

        client.on_connect, client.on_message = on_connect, on_message
        client.on_connect_fail = lambda _client, _data: on_failure("it cannot be reached")
        client.on_disconnect = lambda _client, _data, _flags, reason, _properties: on_failure(reason)
        async with asyncio.TaskGroup() as tasks:

            def handle(message: mqtt.MQTTMessage) -> None:
                if connection.done():
                    return
                patient = message.topic.split("/")[1]
                unanswered[patient] += 1
                device = _Device(client, patient, send, clock)
                task = tasks.create_task(device.handle(message, unanswered[patient] <= MOST_AT_ONCE))
                task.add_done_callback(lambda _: unanswered.subtract([patient]))

            client.connect_async(self._host, self._port)
            client.loop_start()
            try:
                await connection
            finally:
                client.disconnect()
                await asyncio.to_thread(client.loop_stop)

    def _client(self) -> mqtt.Client:
        # Unless acknowledged by hand, a message is acknowledged as soon as it is read.
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, IDENTIFIER, clean_session=False, manual_ack=True, reconnect_on_failure=False
        )
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class _Device:
    """Hands in the chunks of a patient's messages, and answers them."""

    def __init__(self, client: mqtt.Client, patient: str, send: Send, clock: Callable[[], float]) -> None:
        self._client, self._patient, self._send, self._clock = client, patient, send, clock

    async def handle(self, message: mqtt.MQTTMessage, has_room: bool) -> None:
        """Hand in a message where there is room for it, answer it, and acknowledge it to the broker."""
        try:
            if has_room:
                await self._submit_all(message.payload)
            else:
                self._reject(None, StorageError(_NO_ROOM))
            self._client.ack(message.mid, message.qos)
        except Exception:
            _log.exception("a message for patient '%s' could not be taken", self._patient)

    async def _submit_all(self, payload: object) -> None:
        try:
            messages = self._read(payload)
        except ChunkError as error:
            self._reject(error.sequence, error)
            return
        await asyncio.gather(*map(self._submit, messages))

    def _read(self, payload: object) -> list[ChunkMessage]:
        if not isinstance(payload, bytes) or len(payload) > LARGEST_BYTES:
            raise ChunkError(f"a chunk has at most {LARGEST_BYTES} bytes.", None)
        form: Form = "json" if payload[:1] in (b"{", b"[") else "msgpack"
        return read(payload, form, self._clock())

    async def _submit(self, message: ChunkMessage) -> None:
        sequence = message.sequence
        while True:
            try:
                receipt = await self._send(self._patient, message.chunk)
            except GapError as error:
                # The device sends this again too, after the missing samples.
                self._reject(sequence, error)
                return
            except (StorageError, TimeoutError):
                # The broker delivers it again only to another connection.
                await asyncio.sleep(_AGAIN_S)
            except EctopyError as error:
                self._reject(sequence, error)
                return
            else:
                break
        if receipt.rejected:
            self._reject(sequence, DataError(" ".join(receipt.rejected)))
            return
        answer = {"sequence": sequence, "next_position": receipt.next_position}
        self._answer({**answer, "stored": receipt.stored, "late": receipt.late})
        if receipt.unstored is not None:
            receipt.unstored.then(partial(self._answer_resolved, answer))

    def _answer_resolved(self, answer: dict[str, Any], error: EctopyError | None) -> None:
        """Answer that an acknowledged chunk is stored now, or has to be sent again."""
        if error is None:
            self._answer({**answer, "stored": True})
        else:
            self._reject(answer["sequence"], error)

    def _reject(self, sequence: int | None, error: EctopyError) -> None:
        retry = isinstance(error, StorageError)
        reason = sentence(error) if isinstance(error, StorageError) else str(error)
        self._answer({"sequence": sequence, "rejected": reason, "retry": retry})

    def _answer(self, answer: dict[str, Any]) -> None:
        """Publish an answer, from any thread; without effect where the connection is lost."""
        self._client.publish(f"ectopy/{self._patient}/receipt", msgspec.json.encode(answer))
