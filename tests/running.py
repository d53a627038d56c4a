"""A real server in a thread, and signals handed to it quicker than real time."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from ectopy.monitor import Chunk
from ectopy.recording import Recording
from ectopy.service.server import Server
from ectopy.service.settings import load_settings
from ectopy.service.web.app import create_app

_CHUNK_S = 0.5
_READY_S = 30.0


class Running:
    """A server that answers, at an address that stays the same when it is stopped and started again."""

    def __init__(self, home: Path, learning_s: float) -> None:
        self._settings = load_settings(home=home, port=0, learning_s=learning_s)
        self.key = ""
        self.start()

    def start(self) -> None:
        ready = threading.Event()
        self.app = create_app(self._settings)
        self._server = Server(self.app, self._settings, lambda _: ready.set())
        self._thread = threading.Thread(target=self._server.run, name="server")
        self._thread.start()
        assert ready.wait(_READY_S)
        self.address = self._server.address
        self._settings = self._settings.model_copy(update={"port": int(self.address.rpartition(":")[2])})
        self.key = self.app.state.first_key or self.key

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def admit(self, patient: str, name: str = "") -> None:
        self.app.state.ward.admit(patient, name)

    def feed(self, patient: str, recording: Recording, begin_s: float = 0.0, end_s: float | None = None) -> None:
        """Hand in a stretch of a recording, and wait until it is stored."""
        rate_hz = recording.sampling_rate_hz
        first = round(begin_s * rate_hz)
        last = len(recording.signal) if end_s is None else round(end_s * rate_hz)
        receipts = []
        for position in range(first, last, round(_CHUNK_S * rate_hz)):
            samples = recording.signal[position : min(position + round(_CHUNK_S * rate_hz), last)]
            chunk = Chunk(position, samples.astype(np.float32), rate_hz, recording.leads, self.app.state.ward.clock())
            receipts.append(self.app.state.ward.submit(patient, chunk))
        for receipt in receipts:
            assert not receipt.result(_READY_S).refused
