"""Samples that come through an MQTT broker: ``ectopy/PATIENT/ecg`` in, ``ectopy/PATIENT/receipt`` out.

A payload is a chunk message, or a list of them, as JSON or msgpack (`ectopy.wire`), published with QoS 1. It is
acknowledged to the broker when there is an answer to each chunk; until then the broker keeps it, and gives it again to
the next connection. Whoever may publish to a topic is the broker's business.

The answer to each chunk is JSON, published with QoS 0: its ``sequence``, and either ``next_position``, that of the
sample that comes next, whether it is ``stored``, and ``late``, how many samples were left out; or ``rejected``, why it
was not taken, and whether to ``retry``. Where it takes more than a second to store a chunk there are two
answers, the first with ``stored`` false, the second without ``late``: the device keeps the chunk until the second.
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

import aiomqtt
import msgspec

from ectopy.errors import DataError, EctopyError, SettingError, StorageError
from ectopy.monitor import Chunk
from ectopy.service.keeping import GapError, Receipt, sentence
from ectopy.wire import Form, Sent, read

IDENTIFIER = "ectopy"
"""The name by which the broker knows the session, and keeps what was not acknowledged."""

MOST_AT_ONCE = 64
"""Messages of one patient to which there is no answer yet."""

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
    """Passes on what a broker has to a service.

    Parameters
    ----------
    url : str
        ``mqtt://USER:PASSWORD@HOST:PORT``, or ``mqtts://`` for TLS.

    Raises
    ------
    SettingError
        If the URL is invalid.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise SettingError("the broker is named as mqtt://HOST or mqtts://USER:PASSWORD@HOST:PORT.") from error
        if not parts.hostname:
            raise SettingError("the address of the broker names no host, as in mqtt://HOST.")
        self._connection: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": port,
            "username": None if parts.username is None else unquote(parts.username),
            "password": None if parts.password is None else unquote(parts.password),
            "tls_context": ssl.create_default_context() if parts.scheme == "mqtts" else None,
        }

    async def run(self, send: Send, clock: Callable[[], float]) -> None:
        """Pass on until cancelled; a broker that is lost is called again.

        Parameters
        ----------
        send : callable
            Takes a patient and a chunk, gives the receipt; see `ectopy.service.ward.Ward.send`.
        clock : callable
            Gives seconds since 1970.
        """
        while True:
            try:
                await self._connected(_Taker(send, clock))
            except* aiomqtt.MqttError as errors:
                _log.warning("the MQTT broker is lost, and called again: %s", errors.exceptions[0])
            await asyncio.sleep(_RECONNECT_S)

    async def _connected(self, taker: _Taker) -> None:
        client = aiomqtt.Client(**self._connection, identifier=IDENTIFIER, clean_session=False)
        # Else a message is acknowledged as soon as it is read. aiomqtt has no setting for it.
        client._client.manual_ack_set(True)
        async with client, asyncio.TaskGroup() as tasks:
            # A broker may want what it kept acknowledged before it answers.
            tasks.create_task(client.subscribe("ectopy/+/ecg", qos=_AT_LEAST_ONCE))
            postbox = _Postbox(client)
            tasks.create_task(postbox.run())
            under_way: Counter[str] = Counter()
            async for message in client.messages:
                patient = message.topic.value.split("/")[1]
                under_way[patient] += 1
                room = under_way[patient] <= MOST_AT_ONCE
                task = tasks.create_task(self._take(client, message, patient, taker if room else None, postbox))
                task.add_done_callback(lambda _, patient=patient: under_way.subtract([patient]))  # type: ignore[misc]

    async def _take(
        self, client: aiomqtt.Client, message: aiomqtt.Message, patient: str, taker: _Taker | None, postbox: _Postbox
    ) -> None:
        """Take a message and answer it; without a taker there is no room for it."""
        try:
            if taker is None:
                postbox.put(patient, _rejection(None, StorageError(_NO_ROOM)))
            else:
                await taker.take(patient, message.payload, postbox)
            client._client.ack(message.mid, message.qos)
        except Exception:
            _log.exception("a message for patient '%s' could not be taken", patient)


class _Postbox:
    """Answers on their way to the broker, in their order; those to what was stored later too."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._open = True

    async def run(self) -> None:
        """Publish until the connection is lost."""
        try:
            while True:
                patient, answer = await self._answers.get()
                await self._client.publish(f"ectopy/{patient}/receipt", msgspec.json.encode(answer))
        finally:
            self._open = False

    def put(self, patient: str, answer: dict[str, Any]) -> None:
        """Publish an answer; in the loop."""
        if self._open:
            self._answers.put_nowait((patient, answer))

    def put_later(self, patient: str, answer: dict[str, Any]) -> None:
        """Publish an answer; by any thread."""
        if self._open and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.put, patient, answer)


class _Taker:
    """Hands in what came, and says what became of it."""

    def __init__(self, send: Send, clock: Callable[[], float]) -> None:
        self._send, self._clock = send, clock

    async def take(self, patient: str, payload: object, postbox: _Postbox) -> None:
        """Hand in all chunks of a message, and answer each."""
        try:
            found = self._read(payload)
        except DataError as error:
            postbox.put(patient, _rejection(None, error))
            return
        await asyncio.gather(*(self._answer(patient, sent, postbox) for sent in found))

    def _read(self, payload: object) -> list[Sent]:
        if not isinstance(payload, bytes) or len(payload) > LARGEST_BYTES:
            raise DataError(f"a chunk has at most {LARGEST_BYTES} bytes.")
        form: Form = "json" if payload[:1] in (b"{", b"[") else "msgpack"
        return read(payload, form, self._clock())

    async def _answer(self, patient: str, sent: Sent, postbox: _Postbox) -> None:
        while True:
            try:
                receipt = await self._send(patient, sent.chunk)
            except GapError as error:
                # The device sends this again too, after what is missing.
                postbox.put(patient, _rejection(sent.sequence, error))
                return
            except (StorageError, TimeoutError):
                # The broker gives it again only to another connection.
                await asyncio.sleep(_AGAIN_S)
            except EctopyError as error:
                postbox.put(patient, _rejection(sent.sequence, error))
                return
            else:
                break
        if receipt.rejected:
            postbox.put(patient, _rejection(sent.sequence, DataError(" ".join(receipt.rejected))))
            return
        taken = {"sequence": sent.sequence, "next_position": receipt.next_position}
        postbox.put(patient, {**taken, "stored": receipt.stored, "late": receipt.late})
        if receipt.unstored is not None:
            receipt.unstored.then(partial(_settled, patient, taken, postbox))


def _settled(patient: str, taken: dict[str, Any], postbox: _Postbox, error: EctopyError | None) -> None:
    """What was acknowledged is stored now, or has to be sent again."""
    answer = {**taken, "stored": True} if error is None else _rejection(taken["sequence"], error)
    postbox.put_later(patient, answer)


def _rejection(sequence: int | None, error: EctopyError) -> dict[str, Any]:
    retry = isinstance(error, StorageError)
    reason = sentence(error) if isinstance(error, StorageError) else str(error)
    return {"sequence": sequence, "rejected": reason, "retry": retry}
