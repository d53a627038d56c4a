"""Samples that come through an MQTT broker: ``ectopy/PATIENT/ecg`` in, ``ectopy/PATIENT/receipt`` out.

A payload is a chunk message, or a list of them, as JSON or msgpack (`ectopy.wire`), published with QoS 1. It is
acknowledged to the broker when it is stored, or refused for good; until then the broker keeps it, and gives it again to
the next connection. Whoever may publish to a topic is the broker's business.

The answer to each chunk is JSON: its ``sequence``, and either ``wanted``, the position of the sample that comes next,
with ``late``, how many samples were left out, or ``refused``, why it was not taken. It is published with QoS 0.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec

from ectopy.errors import DataError, EctopyError, SettingError, StorageError
from ectopy.monitor import Chunk
from ectopy.service.keeping import Receipt
from ectopy.wire import Form, Sent, read

IDENTIFIER = "ectopy"
"""The name by which the broker knows the session, and keeps what was not acknowledged."""

MOST_AT_ONCE = 256
LARGEST_BYTES = 4 * 2**20

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_AGAIN_S = 1.0
_RECONNECT_S = 2.0
_AT_LEAST_ONCE = 1

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
        If the URL is none.
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
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

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
            async for message in client.messages:
                await self._room.acquire()
                tasks.create_task(self._take(client, message, taker))

    async def _take(self, client: aiomqtt.Client, message: aiomqtt.Message, taker: _Taker) -> None:
        patient = message.topic.value.split("/")[1]
        try:
            answers = await taker.answers(patient, message.payload)
            client._client.ack(message.mid, message.qos)
            for answer in answers:
                await client.publish(f"ectopy/{patient}/receipt", msgspec.json.encode(answer))
        except aiomqtt.MqttError:
            pass  # what was not acknowledged comes again
        except Exception:
            _log.exception("a message for patient '%s' could not be taken", patient)
        finally:
            self._room.release()


class _Taker:
    """Hands in what came, and says what became of it."""

    def __init__(self, send: Send, clock: Callable[[], float]) -> None:
        self._send, self._clock = send, clock

    async def answers(self, patient: str, payload: object) -> list[dict[str, Any]]:
        """One answer for each chunk."""
        try:
            found = self._read(payload)
        except DataError as error:
            return [{"sequence": None, "refused": str(error)}]
        return list(await asyncio.gather(*(self._answer(patient, sent) for sent in found)))

    def _read(self, payload: object) -> list[Sent]:
        if not isinstance(payload, bytes) or len(payload) > LARGEST_BYTES:
            raise DataError(f"a chunk has at most {LARGEST_BYTES} bytes.")
        form: Form = "json" if payload[:1] in (b"{", b"[") else "msgpack"
        return read(payload, form, self._clock())

    async def _answer(self, patient: str, sent: Sent) -> dict[str, Any]:
        while True:
            try:
                receipt = await self._send(patient, sent.chunk)
            except (StorageError, TimeoutError):
                # The broker gives it again only to another connection.
                await asyncio.sleep(_AGAIN_S)
            except EctopyError as error:
                return {"sequence": sent.sequence, "refused": str(error)}
            else:
                refused = {"refused": " ".join(receipt.refused)} if receipt.refused else {}
                return {"sequence": sent.sequence, "wanted": receipt.wanted, "late": receipt.late, **refused}
