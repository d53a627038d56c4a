"""Samples through a real MQTT broker on this machine."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiomqtt
import numpy as np
import pytest
from amqtt.broker import Broker
from amqtt.session import OutgoingApplicationMessage, Session

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.client.protocol import ChunkMessage, write
from ectopy.datasets import simulate_recording
from ectopy.errors import SettingError, StorageError
from ectopy.monitor import Chunk, Monitor, chunks
from ectopy.recording import Recording
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.mqtt import IDENTIFIER, Bridge, Send
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.storage import StepRecord, Store
from ectopy.service.storage.stored_offsets import NO_OFFSETS, Offsets
from support.pulses import has_pulses, with_pulses
from support.server import running
from support.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("unhurried")

RECORDING = with_pulses(simulate_recording(5))
JUDGED = simulate_recording(40)
"""Long enough for the patient's normal to be learned."""

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    return Monitor.of(load_ambulatory(), learning_s=30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'ectopy.db'}") as store:
        yield store


@pytest.fixture
def engine(store: Store, monitor: Monitor) -> Iterator[MonitoringEngine]:
    """An engine that stores what it gets as soon as it is told to begin."""
    engine = MonitoringEngine(store, monitor, clock=lambda: NOW)
    engine.admit("anna")
    engine.worker = threading.Thread(target=engine.run, args=(0.01,))
    yield engine
    engine.stop()
    if engine.worker.ident:
        engine.worker.join()


@pytest.fixture(autouse=True)
def no_connection_of_the_broker_is_left() -> Iterator[None]:
    """Collect connections that amqtt leaves open when it is shut down, before another test is warned of them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@asynccontextmanager
async def broker(port: int) -> AsyncIterator[Broker]:
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": plugins})
    await broker.start()
    try:
        yield broker
    finally:
        await broker.shutdown()


def sending(engine: MonitoringEngine) -> Send:
    async def send(patient: str, chunk: Chunk) -> Receipt:
        return await asyncio.wrap_future(engine.submit(patient, chunk))

    return send


@asynccontextmanager
async def bridge(port: int, send: Send) -> AsyncIterator[None]:
    task = asyncio.create_task(Bridge(f"mqtt://127.0.0.1:{port}").run(send, lambda: NOW))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def device(port: int) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("ectopy/+/receipt", qos=1)
        yield client


async def receipts(client: aiomqtt.Client, count: int, of_probes: bool = False) -> list[dict]:
    """The next receipts, without those of probes, which may come late; or of probes alone."""
    found = []
    async for message in client.messages:
        if message.topic.matches("ectopy/probe/receipt") is of_probes:
            found.append(json.loads(message.payload))
        if len(found) == count:
            break
    return found


async def answer_to(sequence: int, client: aiomqtt.Client) -> dict:
    while (answer := (await receipts(client, 1))[0])["sequence"] != sequence:
        pass
    return answer


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.02)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work()

    asyncio.run(limited())


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_chunks_are_stored_and_answered(engine: MonitoringEngine, store: Store, port: int, form: str):
    messages = [write(ChunkMessage(chunk, number), form) for number, chunk in enumerate(chunks(RECORDING, 1.0))]

    async def work() -> None:
        engine.worker.start()
        async with broker(port), bridge(port, sending(engine)), device(port) as client:
            await subscribed(client)
            for message in messages:
                await client.publish("ectopy/anna/ecg", message, qos=1)
            found = await receipts(client, len(messages))
            assert sorted(answer["sequence"] for answer in found) == list(range(len(messages)))
            assert max(answer["next_position"] for answer in found) == len(RECORDING.signal)

    run(work)
    stored = store.waveforms.read("anna", "", 0, len(RECORDING.signal))
    np.testing.assert_array_equal(stored.signal, RECORDING.signal)
    has_pulses(stored, RECORDING)


async def subscribed(client: aiomqtt.Client) -> None:
    """Until the bridge answers."""
    while True:
        await client.publish("ectopy/probe/ecg", b"{}", qos=1)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await receipts(client, 1, of_probes=True)
                return


def test_nothing_is_acknowledged_to_the_broker_before_it_is_answered(engine: MonitoringEngine, port: int):
    message = write(ChunkMessage(next(chunks(RECORDING, 5.0))), "msgpack")

    async def work() -> None:
        async with broker(port) as running, bridge(port, sending(engine)), device(port) as client:
            await subscribed(client)
            session, _ = running._sessions[IDENTIFIER]
            await until(lambda: not session.inflight_out)
            await client.publish("ectopy/anna/ecg", message, qos=1)
            await until(lambda: engine._queue)
            assert len(session.inflight_out) == 1
            engine.worker.start()
            await receipts(client, 1)
            await until(lambda: not session.inflight_out)

    run(work)


# Given again


@contextmanager
def watching(store: Store, monitor: Monitor) -> Iterator[MonitoringEngine]:
    """An engine that goes on from what is stored, and stores what it gets."""
    engine = MonitoringEngine(store, monitor, clock=lambda: NOW)
    worker = threading.Thread(target=engine.run, args=(0.01,))
    worker.start()
    try:
        yield engine
    finally:
        engine.stop()
        worker.join()


def beats(store: Store) -> list[int]:
    """Positions of the beats that are stored."""
    return [stored.beat.position for stored in store.beats.first("anna", 0, 2 * NOW)]


def assert_taken_once(store: Store, recording: Recording) -> None:
    signal = store.waveforms.read("anna", "", 0, len(recording.signal)).signal
    np.testing.assert_array_equal(signal, recording.signal.astype(np.float32))
    assert len(beats(store)) == len(set(beats(store))) > recording.duration_s / 2


class Unacknowledged(OrderedDict[int, OutgoingApplicationMessage]):
    """What a broker gives again to the next connection. amqtt forgets it, against MQTT-4.4.0-1, when one is lost."""

    def pop(self, key: int, default: object = None) -> object:
        return super().pop(key, default) if self[key].puback_packet else default


def keep_unacknowledged(broker: Broker) -> Session:
    """Have a broker keep for the service what it has not acknowledged."""
    session, _ = broker._sessions[IDENTIFIER]
    session.inflight_out = Unacknowledged(session.inflight_out)
    session.is_anonymous = False  # otherwise amqtt looks every second for one without a connection, and forgets it
    return session


class Line:
    """A connection between a service and a broker, which can be cut at any time.

    A new connection reaches the broker as soon as `is_free` says so.
    """

    port: int

    def __init__(self, broker_port: int) -> None:
        self.is_free: Callable[[], bool] = lambda: True
        self._broker_port = broker_port
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Lose at once what is on its way."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await until(self.is_free)
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker_port)
        self._writers |= {writer, to_broker}
        await asyncio.gather(self._pass_on(reader, to_broker), self._pass_on(from_broker, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while content := await reader.read(2**16):
                writer.write(content)
        self.cut()


def test_what_was_not_stored_when_the_service_was_killed_comes_again(
    engine: MonitoringEngine, store: Store, monitor: Monitor, port: int
):
    chunk = next(chunks(JUDGED, 60.0))

    async def work() -> None:
        async with broker(port) as running, Line(port).there() as line, device(port) as client:
            async with bridge(line.port, sending(engine)):
                await subscribed(client)
                session = keep_unacknowledged(running)
                await client.publish("ectopy/anna/ecg", write(ChunkMessage(chunk, 7), "msgpack"), qos=1)
                await until(lambda: engine._queue)
                line.cut()
                await until(lambda: session.transitions.state == "disconnected")
            assert [given for given in store.inputs.all("anna") if isinstance(given, Chunk)] == []
            with watching(store, monitor) as restarted:
                async with bridge(line.port, sending(restarted)):
                    assert await answer_to(7, client) == {
                        "sequence": 7,
                        "next_position": len(chunk.signal),
                        "stored": True,
                        "late": 0,
                    }
                    await until(lambda: not session.inflight_out)

    run(work)
    assert_taken_once(store, JUDGED)


def test_a_lost_acknowledgement_brings_it_again_and_stores_it_once(
    engine: MonitoringEngine, store: Store, port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ectopy.service.monitoring.mqtt._RECONNECT_S", 0.1)
    chunk = next(chunks(JUDGED, 60.0))

    async def work() -> None:
        came = 0
        engine.worker.start()
        async with broker(port) as running, Line(port).there() as line, device(port) as client:

            async def cut_once(patient: str, chunk: Chunk) -> Receipt:
                nonlocal came
                receipt = await sending(engine)(patient, chunk)
                came += patient == "anna"
                if came == 1:
                    assert beats(store)
                    line.cut()
                return receipt

            async with bridge(line.port, cut_once):
                await subscribed(client)
                session = keep_unacknowledged(running)
                # amqtt gives nothing again if it takes a new connection before it has noticed the loss of the old one.
                line.is_free = lambda: session.transitions.state == "disconnected"
                await client.publish("ectopy/anna/ecg", write(ChunkMessage(chunk, 7), "msgpack"), qos=1)
                assert await answer_to(7, client) == {
                    "sequence": 7,
                    "next_position": len(chunk.signal),
                    "stored": True,
                    "late": len(chunk.signal),
                }
                await until(lambda: not session.inflight_out)
        assert came == 2

    run(work)
    assert_taken_once(store, JUDGED)


class Leaky(Store):
    """A store that can be told to fail."""

    failing = False

    def write(self, steps: Sequence[StepRecord], offsets: Offsets = NO_OFFSETS) -> None:
        if self.failing:
            raise StorageError("lost")
        super().write(steps, offsets)


def test_without_the_database_a_device_keeps_what_is_not_stored_and_sends_it_again_after_a_kill(
    tmp_path: Path, monitor: Monitor, port: int
):
    sent = [ChunkMessage(chunk, number) for number, chunk in enumerate(chunks(JUDGED, 1.0))]

    async def work() -> None:

        async def publish(some: Sequence[ChunkMessage]) -> None:
            for one in some:
                await client.publish("ectopy/anna/ecg", write(one, "msgpack"), qos=1)

        async with broker(port), device(port) as client:
            with watching(store, monitor) as engine:
                engine.admit("anna")
                async with bridge(port, sending(engine)):
                    await subscribed(client)
                    await publish(sent[:5])
                    assert {answer["stored"] for answer in await receipts(client, 5)} == {True}
                    store.failing = True
                    await publish(sent[5:30])
                    kept = [answer["sequence"] for answer in await receipts(client, 25) if not answer["stored"]]
                    assert kept == list(range(5, 30))
            store.failing = False
            with watching(store, monitor) as engine:
                async with bridge(port, sending(engine)):
                    await until(lambda: engine.state("anna").signal is not None)
                    await subscribed(client)
                    await publish(sent[30:31])
                    refused = await answer_to(30, client)
                    assert refused["retry"]
                    assert "samples 1250 to 7499" in refused["rejected"]
                    await publish(sent[5:])
                    assert {answer["stored"] for answer in await receipts(client, 35)} == {True}

    with Leaky.open(f"sqlite:///{tmp_path / 'leaky.db'}") as store:
        run(work)
        assert_taken_once(store, JUDGED)


def test_a_patient_who_floods_takes_no_room_from_another(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ectopy.service.monitoring.mqtt.MOST_AT_ONCE", 4)
    hung: asyncio.Event

    async def send(patient: str, chunk: Chunk) -> Receipt:
        if patient == "greedy":
            await hung.wait()
        return Receipt(patient, (), chunk.position)

    async def work() -> None:
        nonlocal hung
        hung = asyncio.Event()
        async with broker(port), bridge(port, send), device(port) as client:
            await subscribed(client)
            for number in range(7):
                await client.publish(
                    "ectopy/greedy/ecg", write(ChunkMessage(next(chunks(RECORDING, 1.0)), number), "json"), qos=1
                )
            refused = await receipts(client, 3)
            assert all(answer["retry"] and "more than" in answer["rejected"] for answer in refused)
            await client.publish("ectopy/anna/ecg", write(ChunkMessage(next(chunks(RECORDING, 1.0)), 7), "json"), qos=1)
            assert (await answer_to(7, client))["stored"]
            hung.set()
            assert {(await receipts(client, 1))[0]["sequence"] for _ in range(4)} == {0, 1, 2, 3}

    run(work)


def test_a_broker_that_comes_back_is_found(engine: MonitoringEngine, port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ectopy.service.monitoring.mqtt._RECONNECT_S", 0.1)

    async def work() -> None:
        engine.worker.start()
        async with bridge(port, sending(engine)):
            for chunk in chunks(RECORDING, 2.5):
                async with broker(port), device(port) as client:
                    await subscribed(client)
                    await client.publish("ectopy/anna/ecg", write(ChunkMessage(chunk), "json"), qos=1)
                    (answer,) = await receipts(client, 1)
                    assert answer["next_position"] == chunk.position + len(chunk.signal)

    run(work)


def test_bad_messages_are_answered_and_do_no_harm(engine: MonitoringEngine, port: int):
    good = write(ChunkMessage(next(chunks(RECORDING, 1.0)), 7), "json")

    async def work() -> None:
        engine.worker.start()
        async with broker(port), bridge(port, sending(engine)), device(port) as client:
            await subscribed(client)
            for topic, payload, words in (
                ("anna", b"", "not a chunk"),
                ("anna", b"nonsense", "not a chunk"),
                ("anna", b"{", "not a chunk"),
                ("anna", bytes(5 * 2**20), "at most"),
                ("nobody", good, "no patient 'nobody'"),
                ("anna", good.replace(b"250.0", b"50.0"), "sampling rate"),
            ):
                await client.publish(f"ectopy/{topic}/ecg", payload, qos=1)
                (answer,) = await receipts(client, 1)
                assert words in answer["rejected"]
            await client.publish("ectopy/anna/ecg", good.replace(b'"leads":[', b'"leads":["V9",'), qos=1)
            (answer,) = await receipts(client, 1)
            assert answer["sequence"] == 7
            assert "every row" in answer["rejected"]
            await client.publish("ectopy/anna/ecg", good, qos=1)
            assert await receipts(client, 1) == [{"sequence": 7, "next_position": 250, "stored": True, "late": 0}]

    run(work)


@pytest.mark.parametrize("url", ["", "127.0.0.1", "http://127.0.0.1", "mqtt://", "mqtt://a:b:c"])
def test_addresses_that_are_none(url: str):
    with pytest.raises(SettingError, match="mqtt://HOST"):
        Bridge(url)


def test_samples_from_a_broker_are_in_the_audit_once_a_day(tmp_path: Path, port: int):
    async def work() -> None:
        async with broker(port), device(port) as client:
            with_service = running(tmp_path, mqtt=f"mqtt://127.0.0.1:{port}")
            service = await asyncio.to_thread(with_service.__enter__)
            try:
                await asyncio.to_thread(service.app.state.ward.admit, "anna")
                await subscribed(client)
                for number, chunk in enumerate(chunks(RECORDING, 1.0)):
                    await client.publish("ectopy/anna/ecg", write(ChunkMessage(chunk, number), "msgpack"), qos=1)
                    assert "rejected" not in await answer_to(number, client)
                found = await asyncio.to_thread(service.app.state.ward.store.audit.newest, "anna")
            finally:
                await asyncio.to_thread(with_service.__exit__, None, None, None)
        assert [(one.entry.actor, one.entry.action) for one in found] == [("the MQTT broker", "sent samples")]

    run(work)
