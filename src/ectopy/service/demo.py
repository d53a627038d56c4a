"""Eight simulated patients in a service of their own, two of them with alarms."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.datasets.simulated_pulse import simulate_pulse
from ectopy.errors import StorageError
from ectopy.monitor import chunks
from ectopy.monitor.replay import with_waits
from ectopy.recording import Recording
from ectopy.service.api.app import create_app
from ectopy.service.monitoring.ward import Ward
from ectopy.service.run import run
from ectopy.service.server import Server
from ectopy.service.settings import PORT, load_settings

_CHUNK_S = 0.5
_LENGTH_S = 600.0
_LEARNING_S = 30.0


@dataclass(frozen=True, slots=True)
class _Person:
    """A simulated patient."""

    name: str
    rate_bpm: float
    ectopic: dict[str, float]
    episodes: tuple[Episode, ...] = ()
    noise_mv: float = 0.02


_PEOPLE = {
    "bed 1": _Person("Ada", 64, {}),
    "bed 2": _Person("Bela", 72, {"V": 0.03}, (Episode("ventricular_tachycardia", 65, 20, 170),)),
    "bed 3": _Person("Cem", 58, {}),
    "bed 4": _Person("Dora", 81, {"A": 0.04}),
    "bed 5": _Person("Emil", 69, {}, (Episode("asystole", 95, 9),)),
    "bed 6": _Person("Fatma", 76, {"V": 0.08}),
    "bed 7": _Person("Gerda", 88, {}, (Episode("noise", 150, 30), Episode("lead_off", 240, 25)), 0.04),
    "bed 8": _Person("Hugo", 61, {"V": 0.01, "A": 0.02}),
}


def run_live_demo() -> None:
    """Serve eight simulated patients until interrupted, at any port if the usual one is taken, and open a browser."""
    recordings = {patient: _recording(number, person) for number, (patient, person) in enumerate(_PEOPLE.items())}
    with TemporaryDirectory(prefix="ectopy-demo-") as folder:
        settings = load_settings(home=Path(folder), port=PORT, learning_s=_LEARNING_S)
        app = create_app(settings)
        tasks: set[asyncio.Task[object]] = set()

        def ready(server: Server) -> None:
            tasks.add(asyncio.create_task(stream_for_ever(app.state.ward, recordings)))
            address = f"{server.address}/#key={app.state.first_key}"
            tasks.add(asyncio.create_task(asyncio.to_thread(webbrowser.open, address)))

        run(app, settings, ready, or_any_port=True)


async def stream_for_ever(ward: Ward, recordings: Mapping[str, Recording]) -> None:
    """Send recordings of equal length as if devices did, in real time, over and over."""
    for patient in recordings:
        await asyncio.to_thread(ward.admit, patient, _PEOPLE[patient].name)
    for turn in count():
        streams = zip(*(chunks(recording, _CHUNK_S) for recording in recordings.values()), strict=True)
        waits = with_waits(chain.from_iterable(streams))
        for patient, (wait_s, chunk) in zip(cycle(recordings), waits, strict=False):
            await asyncio.sleep(wait_s)
            # Chunks that the store does not take now are lost, as with a device that keeps nothing.
            with suppress(StorageError):
                ward.submit(patient, replace(chunk, received=ward.clock(), stream=f"turn {turn}"))


def _recording(number: int, person: _Person) -> Recording:
    recording = simulate_recording(
        _LENGTH_S,
        rate_bpm=person.rate_bpm,
        ectopic=person.ectopic,
        noise_mv=person.noise_mv,
        episodes=person.episodes,
        random_state=number,
    )
    if number % 2:
        return recording
    pleth = simulate_pulse(recording, "PLETH", random_state=number)
    pressure = simulate_pulse(recording, "ABP", random_state=number)
    return replace(recording, pulses=(pleth, pressure) if number % 4 else (pleth,))
