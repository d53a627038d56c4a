"""Simulated patients with something wrong at known times, watched by the monitor.

A patient is watched from the first second on. An episode may begin at any second: the monitor's state at that moment is
taken, and the patient's signal goes on into the episode and, for the other episodes, without it. So twenty minutes of a
patient serve for many episodes, and many patients are watched together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.benchmarks.alarm_benchmark import AlarmEpisode, alarm_episodes
from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.monitor import AlarmChanged, Chunk, Limits, Monitor, MonitorState, chunks, replay
from ectopy.monitor.conditions import CONDITIONS, AlarmType, Priority
from ectopy.recording import Recording

RATE_HZ = 250
LEADS = ("MLII", "V1")
EARLIEST_S, LATEST_S = 15.0, 1200.0
_VF_S = 4.0
_LEAD_IN_S, _AFTER_S, _LONGEST_S = 5.0, 10.0, 20.0
_TOGETHER = 32

Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that must be announced.

    Attributes
    ----------
    condition : tuple of str
        Of which alarms one must be raised.
    episodes : mapping of str to tuple of str
        Kinds of episodes that are this, each with what is in the signal besides.
    adult_bpm, infant_bpm : (float, float)
        Between which rates it lies; not used where the episodes have none.
    beats : int
        After how many beats of the episode it is defined; 0 where it is defined by time.
    """

    condition: tuple[str, ...]
    episodes: Mapping[str, tuple[str, ...]]
    adult_bpm: tuple[float, float] = (0.0, 0.0)
    infant_bpm: tuple[float, float] = (0.0, 0.0)
    beats: int = 0


_VT = ("ventricular tachycardia",)
_VF = ("ventricular fibrillation",)

KINDS = {
    "asystole": Kind(
        ("asystole",), {"asystole": ("", "mains_hum", "pacing", "lead_off"), "ventricular_standstill": ("",)}
    ),
    "extreme bradycardia": Kind(
        ("extreme bradycardia", "asystole"),
        {"bradycardia": ("",), "complete_block": ("",)},
        (25.0, 36.0),
        (30.0, 50.0),
        beats=5,
    ),
    "tachycardia": Kind(
        ("extreme tachycardia", *_VT, *_VF),
        {"supraventricular_tachycardia": ("",), "tachycardia": ("",)},
        (180.0, 320.0),
        (230.0, 320.0),
        beats=17,
    ),
    "monomorphic VT": Kind(_VT + _VF, {"ventricular_tachycardia": ("",)}, (120.0, 220.0), (150.0, 250.0), beats=5),
    "polymorphic VT": Kind(_VT + _VF, {"polymorphic_tachycardia": ("",)}, (160.0, 240.0), (200.0, 260.0), beats=5),
    "slow VT": Kind(_VT, {"ventricular_tachycardia": ("",)}, (102.0, 120.0), (122.0, 140.0), beats=5),
    "sine-like VT": Kind(_VT + _VF, {"ventricular_flutter": ("",)}, (150.0, 220.0), (180.0, 240.0)),
    "flutter": Kind(_VF + _VT, {"ventricular_flutter": ("",)}, (240.0, 300.0), (250.0, 320.0)),
    "coarse VF": Kind(_VF + _VT, {"coarse_fibrillation": ("",)}),
    "fine VF": Kind((*_VF, *_VT, "asystole"), {"fine_fibrillation": ("",)}),
}
"""What must be announced, by its name for people."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A simulated patient.

    Attributes
    ----------
    seed : int
    group : str
        ``adult`` or ``infant``.
    """

    seed: int
    group: str

    @property
    def limits(self) -> Limits:
        """By which the patient is watched."""
        return Limits.of("infant" if self.group == "infant" else "ward")

    def recording(
        self, duration_s: float, seed: int, episodes: Sequence[Episode] = (), noise: bool = False
    ) -> Recording:
        """Of this patient: the heart without noise, with ectopic beats while nothing is wrong, or the noise alone."""
        rng = np.random.default_rng(self.seed)
        rates_bpm = (110, 160) if self.group == "infant" else (60, 100)
        rate_bpm, hrv_sd_ms, noise_mv = rng.uniform(*rates_bpm), rng.uniform(10, 60), rng.uniform(0.005, 0.025)
        ectopic = {"V": rng.uniform(0, 0.03), "A": rng.uniform(0, 0.03)}
        return simulate_recording(
            duration_s,
            rate_bpm=rate_bpm,
            hrv_sd_ms=hrv_sd_ms * (0.4 if self.group == "infant" else 1),
            ectopic={} if episodes or noise else ectopic,
            noise_mv=noise_mv if noise else 0.0,
            episodes=[Episode("asystole", 0, duration_s)] if noise else episodes,
            patient=self.group,
            random_state=seed,
        )


@dataclass(frozen=True, slots=True)
class Happening:
    """One episode of one patient, and what came of it; times are seconds since admission.

    Attributes
    ----------
    patient : Patient
    kind : str
    episode : Episode
        As it lies in the stream.
    besides : str
        What else is in the signal.
    defined_s : float
        When its definition is met.
    calls : tuple of (float, str)
        Physiological alarms raised from its start on: when and which.
    """

    patient: Patient
    kind: str
    episode: Episode
    besides: str
    defined_s: float
    calls: tuple[tuple[float, str], ...] = ()

    @property
    def called_s(self) -> float:
        """The first alarm that says it; infinite = missed."""
        return min((at_s for at_s, code in self.calls if code in KINDS[self.kind].condition), default=np.inf)

    @property
    def delay_s(self) -> float:
        """From the definition to the alarm; infinite = missed."""
        return self.called_s - self.defined_s

    def __str__(self) -> str:
        rate = f" at {self.episode.rate_bpm:.0f}/min" if self.episode.rate_bpm else ""
        besides = f" with {self.besides}" if self.besides else ""
        calls = ", ".join(f"{code} after {at_s - self.episode.start_s:.1f} s" for at_s, code in self.calls) or "nothing"
        lasts = f"defined after {self.defined_s - self.episode.start_s:.1f} s, {self.episode.duration_s:.0f} s long"
        person = f"{self.patient.group} {self.patient.seed}"
        return f"{person}: {self.episode.kind}{rate}{besides} at {self.episode.start_s:.1f} s, {lasts}: {calls}"


@dataclass(slots=True)
class _Branch:
    """A patient's stream from where an episode is to come."""

    happening: Happening
    second: int
    samples: Signal
    state: MonitorState | None = None
    calls: list[tuple[float, str]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        happening = self.happening
        is_called = any(code in KINDS[happening.kind].condition for _, code in self.calls)
        return is_called or len(self.samples) < RATE_HZ

    def chunk(self) -> Chunk:
        part, self.samples = self.samples[:RATE_HZ], self.samples[RATE_HZ:]
        self.second += 1
        return Chunk((self.second - 1) * RATE_HZ, part, float(RATE_HZ), LEADS, received=float(self.second))


def watch_episodes(
    patients: Sequence[Patient], kinds: Sequence[str], each: int, latest_s: float = LATEST_S
) -> list[Happening]:
    """Watch patients, with so many episodes of each kind, at times between second 15 and the latest."""
    monitor = Monitor.of(load_ambulatory())
    hearts = {patient: patient.recording(_duration_s(latest_s), patient.seed) for patient in patients}
    noises = {
        patient: patient.recording(_duration_s(latest_s), patient.seed, noise=True).signal for patient in patients
    }
    branches = [
        _branch(patient, kind, number, hearts[patient], noises[patient], latest_s)
        for patient in patients
        for kind in kinds
        for number in range(each)
    ]
    waiting: dict[tuple[Patient, int], list[_Branch]] = defaultdict(list)
    for branch in branches:
        waiting[branch.happening.patient, branch.second].append(branch)
    last = {patient: max(second for other, second in waiting if other == patient) for patient in patients}
    signals = {patient: hearts[patient].signal + noises[patient] for patient in patients}
    states = {patient: MonitorState(limits=patient.limits) for patient in patients}
    ready: list[_Branch] = []
    for second in range(max(last.values()) + 1):
        for patient in patients:
            for branch in waiting.get((patient, second), ()):
                branch.state = states[patient]
                ready.append(branch)
        while len(ready) >= _TOGETHER:
            _finish(monitor, ready[:_TOGETHER])
            del ready[:_TOGETHER]
        going_on = [patient for patient in patients if last[patient] > second]
        batch = [_chunk(signals[patient], second) for patient in going_on]
        outcomes = monitor.step_together([(states[p], chunk) for p, chunk in zip(going_on, batch, strict=True)])
        for patient, outcome in zip(going_on, outcomes, strict=True):
            assert not isinstance(outcome, Exception)
            states[patient] = outcome[0]
    _finish(monitor, ready)
    return [_happening(branch) for branch in branches]


def urgent(calls: Sequence[AlarmEpisode]) -> list[AlarmEpisode]:
    """Physiological alarms of high priority."""
    return [call for call in calls if call.priority is Priority.HIGH and call.physiological]


def watch(recording: Recording) -> list[AlarmEpisode]:
    """The alarms of a recording of an adult, after a short time of learning."""
    return alarm_episodes(replay(Monitor.of(load_ambulatory(), learning_s=45.0), recording))


def calm(patients: Sequence[Patient], duration_s: float) -> dict[Patient, list[AlarmEpisode]]:
    """Urgent alarms of patients in sinus rhythm, every other one with a few ectopic beats."""
    return _urgent_of(
        patients,
        [
            _disturbed_patient(patient, duration_s, ectopic=0.02 if patient.seed % 2 else 0.0, episodes=[])
            for patient in patients
        ],
    )


def disturbed(patients: Sequence[Patient], duration_s: float) -> dict[Patient, list[AlarmEpisode]]:
    """Urgent alarms of patients in sinus rhythm whose electrodes come off and whose muscles make noise."""
    recordings = []
    for patient in patients:
        rng = np.random.default_rng(patient.seed)
        planned, at_s = [], rng.uniform(5, 60)
        while at_s < duration_s - 1:
            length_s = float(np.exp(rng.uniform(np.log(2), np.log(90))))
            planned.append(Episode(str(rng.choice(["noise", "lead_off"])), at_s, length_s))
            at_s += length_s + rng.choice([rng.uniform(2, 5), rng.uniform(5, 60)])
        recordings.append(_disturbed_patient(patient, duration_s, ectopic=0.0, episodes=planned))
    return _urgent_of(patients, recordings)


def _disturbed_patient(patient: Patient, duration_s: float, ectopic: float, episodes: Sequence[Episode]) -> Recording:
    rng = np.random.default_rng([patient.seed, 2])
    infant = patient.group == "infant"
    return simulate_recording(
        duration_s,
        rate_bpm=rng.uniform(110, 160) if infant else rng.uniform(60, 100),
        hrv_sd_ms=rng.uniform(10, 25) if infant else rng.uniform(10, 60),
        noise_mv=rng.uniform(0.01, 0.05),
        ectopic={"V": rng.uniform(0.25, 1) * ectopic, "A": rng.uniform(0.25, 1) * ectopic} if ectopic else {},
        episodes=episodes,
        patient=patient.group,
        random_state=patient.seed,
    )


def _urgent_of(patients: Sequence[Patient], recordings: Sequence[Recording]) -> dict[Patient, list[AlarmEpisode]]:
    """Watch many recordings of the same length together."""
    monitor = Monitor.of(load_ambulatory())
    states = [MonitorState(limits=patient.limits) for patient in patients]
    events = [list[AlarmChanged]() for _ in patients]
    for batch in zip(*(chunks(recording) for recording in recordings), strict=True):
        outcomes = monitor.step_together(list(zip(states, batch, strict=True)))
        for number, outcome in enumerate(outcomes):
            assert not isinstance(outcome, Exception)
            states[number] = outcome[0]
            events[number] += [event for event in outcome[1] if isinstance(event, AlarmChanged)]
    return {patient: urgent(alarm_episodes(iter(raised))) for patient, raised in zip(patients, events, strict=True)}


def _duration_s(latest_s: float) -> float:
    return latest_s + _LONGEST_S + _AFTER_S


def _chunk(signal: Signal, second: int) -> Chunk:
    part = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
    return Chunk(part.start, signal[part], float(RATE_HZ), LEADS, received=second + 1.0)


def _branch(patient: Patient, kind: str, number: int, heart: Recording, noise: Signal, latest_s: float) -> _Branch:
    """Lead a patient's signal into an episode, in the middle between two beats."""
    rng = np.random.default_rng([patient.seed, list(KINDS).index(kind), number, patient.group == "infant"])
    arrest = KINDS[kind]
    rates_bpm = arrest.infant_bpm if patient.group == "infant" else arrest.adult_bpm
    name = str(rng.choice(list(arrest.episodes)))
    besides = str(rng.choice(arrest.episodes[name]))
    rate_bpm = rng.uniform(*rates_bpm) if rates_bpm[0] else None
    definition_s = arrest.beats * 60 / rate_bpm if arrest.beats and rate_bpm else patient.limits.asystole_s
    length_s = max(definition_s + 6.0, 12.0) + rng.uniform(0, 4)
    begins = _LEAD_IN_S + (12.0 if besides == "lead_off" else 0.0)
    episodes = [Episode(name, begins, length_s, rate_bpm)]
    if besides == "lead_off":  # an electrode comes off, then the heart stops, and then the electrode is back
        episodes.append(Episode("lead_off", begins - 6.0, 8.0))
    elif besides:
        episodes.append(Episode(besides, begins, length_s + _AFTER_S))
    wrong = patient.recording(begins + length_s + _AFTER_S, int(rng.integers(2**31)), episodes)

    # From half way after a beat of the one to half way after a beat of the other.
    at_s = rng.uniform(EARLIEST_S, latest_s) - begins
    before, after = _between_beats(heart, at_s), _between_beats(wrong, 0.6)
    second = before // RATE_HZ
    samples = np.concatenate([heart.signal[second * RATE_HZ : before], wrong.signal[after:]])
    shift_s = (before - after) / RATE_HZ
    times_s = np.arange(len(samples)) / RATE_HZ + second - shift_s
    loose = [(off.start_s <= times_s) & (times_s < off.end_s) for off in episodes if off.kind == "lead_off"]
    has_noise = ~np.any(loose, axis=0, keepdims=True).T if loose else True  # a loose lead has no noise
    samples = samples + noise[second * RATE_HZ : second * RATE_HZ + len(samples)] * has_noise
    defined_s = _defined_s(wrong, episodes[0], arrest, patient.limits, besides) + shift_s
    lies = Episode(name, begins + shift_s, length_s, rate_bpm)
    return _Branch(Happening(patient, kind, lies, besides, defined_s), second, samples)


def _between_beats(recording: Recording, after_s: float) -> int:
    """Sample about half way between the first two normal beats in a row after a time."""
    marks = recording.annotations
    normal = marks.symbols == "N"
    here = (marks.positions[:-1] >= after_s * RATE_HZ) & normal[:-1] & normal[1:]
    beat = int(np.flatnonzero(here)[0])
    before, after = marks.positions[beat : beat + 2].tolist()
    return (before + after) // 2 + RATE_HZ // 20


def _defined_s(recording: Recording, episode: Episode, arrest: Kind, limits: Limits, besides: str) -> float:
    """When the definition is met in the recording."""
    marks = recording.annotations
    beats = np.isin(marks.symbols, list("NVSE"))
    beats_s = marks.positions[beats] / RATE_HZ
    if arrest.beats:
        return float(beats_s[beats_s >= episode.start_s - 1e-3][arrest.beats - 1])
    if episode.kind in ("asystole", "ventricular_standstill"):
        # Where electrodes were off, the heart may have stood still or not until they were back.
        since_s = episode.start_s + 2.0 if besides == "lead_off" else float(beats_s[beats_s < episode.start_s][-1])
        return since_s + limits.asystole_s
    return episode.start_s + _VF_S


def _finish(monitor: Monitor, branches: Sequence[_Branch]) -> None:
    """Watch the rest of patients together."""
    going_on = [branch for branch in branches if not branch.over]
    while going_on:
        states = [branch.state for branch in going_on]
        batch = [branch.chunk() for branch in going_on]
        for branch, outcome in zip(going_on, monitor.step_together(list(zip(states, batch, strict=True))), strict=True):
            assert not isinstance(outcome, Exception)
            branch.state, events = outcome
            for event in events:
                if isinstance(event, AlarmChanged) and event.transition.change in ("raised", "returned"):
                    code, at_s = event.transition.alarm.condition, event.transition.at_s
                    if at_s >= branch.happening.episode.start_s:
                        branch.calls.append((at_s, code))
        going_on = [branch for branch in going_on if not branch.over]


def _happening(branch: _Branch) -> Happening:
    calls = [(at_s, code) for at_s, code in branch.calls if CONDITIONS[code].kind is AlarmType.PHYSIOLOGICAL]
    return replace(branch.happening, calls=tuple(calls))
