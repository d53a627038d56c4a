"""Plays a recording to a server, as a device would."""

from __future__ import annotations

from ectopy.arguments import Progress
from ectopy.client.client import Client
from ectopy.monitor import chunks
from ectopy.monitor.replay import paced
from ectopy.recording import PulseWave, Recording

_CHUNK_S, _LONGEST_CHUNK_S = 0.5, 10.0
_UNHURRIED = 10.0


def play(client: Client, recording: Recording, patient: str, speed: float, progress: Progress) -> int:
    """Send a recording, each half second when it would be there, more at a time where it is played fast.

    Parameters
    ----------
    client : Client
        Its key allows to send.
    recording : Recording
    patient : str
        Is admitted where the server does not know the patient yet.
    speed : float
        Times real time, above 0.
    progress : callable
        Called with the seconds that are stored, those in all, and what goes on.

    Returns
    -------
    int
        How many samples the server has stored.

    Raises
    ------
    SettingError
        If the speed is invalid.
    ServiceError
        If the server cannot be reached, or does not take something.
    """
    rate_hz = recording.sampling_rate_hz
    chunk_s = min(_CHUNK_S * max(speed / _UNHURRIED, 1.0), _LONGEST_CHUNK_S)
    paced_chunks = paced(chunks(recording, chunk_s), speed)
    client.admit(patient)
    with client.stream(patient, rate_hz, recording.leads) as stream:
        for chunk in paced_chunks:
            pulses = [PulseWave(wave.name, wave.unit, wave.sampling_rate_hz, wave.samples) for wave in chunk.pulses]
            stream.send(chunk.signal, pulses=pulses)
            progress(round(stream.acknowledged / rate_hz), round(recording.duration_s), f"to {patient}")
        stream.flush()
        return stream.acknowledged
