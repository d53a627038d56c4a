"""Simulated patients with something wrong at known times, watched by the monitor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ectopy.ambulatory import load_ambulatory
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.evaluation.alarms import Call, calls_of
from ectopy.monitor import Monitor, replay
from ectopy.monitor.conditions import Priority
from ectopy.recording import Recording

CONDITION = {
    "asystole": "asystole",
    "bradycardia": "extreme bradycardia",
    "tachycardia": "extreme tachycardia",
    "ventricular_tachycardia": "ventricular tachycardia",
}
_RATES_BPM = {"bradycardia": (20.0, 36.0), "tachycardia": (150.0, 220.0), "ventricular_tachycardia": (110.0, 220.0)}
_BEATS = {"bradycardia": 5, "tachycardia": 17, "ventricular_tachycardia": 5}
_ASYSTOLE_S = 4.0
_LEARNING_S = 45.0
_LEAD_IN_S, _APART_S = 50.0, 25.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """Of one episode: when its definition is met, and when the first alarm calls; None = missed."""

    kind: str
    seed: int
    episode: Episode
    defined_s: float
    called_s: float | None

    @property
    def delay_s(self) -> float:
        """From the definition to the alarm; infinite = missed."""
        return float("inf") if self.called_s is None else self.called_s - self.defined_s


def announcements(kind: str, seed: int, episodes: int) -> list[Announcement]:
    """Watch a patient with so many episodes of a kind."""
    planned = list(_plan(kind, np.random.default_rng(seed), episodes))
    recording = _patient(seed, planned)
    calls = [call for call in watch(recording) if call.condition == CONDITION[kind]]
    return [_announced(recording, calls, kind, seed, episode) for episode in planned]


def watch(recording: Recording) -> list[Call]:
    """The alarms of a recording."""
    monitor = Monitor.of(load_ambulatory(), learning_s=_LEARNING_S)
    return calls_of(replay(monitor, recording))


def urgent(calls: Sequence[Call]) -> list[Call]:
    """Physiological alarms of high priority."""
    return [call for call in calls if call.priority is Priority.HIGH and call.physiological]


def calm(seed: int, duration_s: float) -> list[Call]:
    """Urgent alarms of a patient in sinus rhythm, every other one with a few ectopic beats."""
    rng = np.random.default_rng(seed)
    ectopic = {"V": rng.uniform(0.005, 0.02), "A": rng.uniform(0.005, 0.02)} if seed % 2 else {}
    return urgent(
        watch(
            simulate_recording(
                duration_s,
                rate_bpm=rng.uniform(60, 100),
                hrv_sd_ms=rng.uniform(10, 60),
                noise_mv=rng.uniform(0.01, 0.05),
                ectopic=ectopic,
                random_state=seed,
            )
        )
    )


def disturbed(seed: int, duration_s: float) -> list[Call]:
    """Urgent alarms of a patient in sinus rhythm whose electrodes come off and whose muscles make noise."""
    rng = np.random.default_rng(seed)
    planned, at_s = [], rng.uniform(5, 60)
    while at_s < duration_s - 1:
        length_s = float(np.exp(rng.uniform(np.log(2), np.log(90))))
        planned.append(Episode(str(rng.choice(["noise", "lead_off"])), at_s, length_s))
        at_s += length_s + rng.choice([rng.uniform(2, 5), rng.uniform(5, 60)])
    return urgent(
        watch(
            simulate_recording(
                duration_s,
                rate_bpm=rng.uniform(60, 100),
                hrv_sd_ms=rng.uniform(10, 60),
                noise_mv=rng.uniform(0.01, 0.05),
                episodes=planned,
                random_state=seed,
            )
        )
    )


def _plan(kind: str, rng: np.random.Generator, episodes: int) -> Iterator[Episode]:
    at_s = _LEAD_IN_S + rng.uniform(0, 1)
    for _ in range(episodes):
        if kind == "asystole":
            rate_bpm, length_s = None, rng.uniform(2 * _ASYSTOLE_S, 30)
        else:
            rate_bpm = rng.uniform(*_RATES_BPM[kind])
            length_s = (_BEATS[kind] + 1) * 60 / rate_bpm + rng.uniform(0, 15)
        yield Episode(kind, at_s, length_s, rate_bpm)
        at_s += length_s + _APART_S + rng.uniform(0, 1)


def _patient(seed: int, planned: Sequence[Episode]) -> Recording:
    rng = np.random.default_rng([seed, 1])
    return simulate_recording(
        planned[-1].end_s + _APART_S,
        rate_bpm=rng.uniform(60, 100),
        hrv_sd_ms=rng.uniform(10, 60),
        noise_mv=rng.uniform(0.01, 0.05),
        ectopic={"V": rng.uniform(0, 0.03), "A": rng.uniform(0, 0.03)},
        episodes=planned,
        random_state=seed,
    )


def _announced(recording: Recording, calls: Sequence[Call], kind: str, seed: int, episode: Episode) -> Announcement:
    assert recording.annotations is not None
    beats_s = recording.annotations.positions / recording.sampling_rate_hz
    if kind == "asystole":
        defined_s = float(beats_s[beats_s < episode.start_s][-1]) + _ASYSTOLE_S
    else:
        inside = beats_s >= episode.start_s - 1e-3
        if kind == "ventricular_tachycardia":
            inside &= recording.annotations.symbols == "V"
        defined_s = float(beats_s[inside][_BEATS[kind] - 1])
    since_s, until_s = episode.start_s, episode.end_s + _APART_S / 2
    called_s = min((call.start_s for call in calls if since_s <= call.start_s <= until_s), default=None)
    return Announcement(kind, seed, episode, defined_s, called_s)
