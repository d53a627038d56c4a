"""A heart that stands still is announced from the first sample on, after a gap and after the stream begins anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.beats import BEAT_SAMPLES
from ectopy.datasets.simulated import simulate_recording
from ectopy.formats import read
from ectopy.monitor import AlarmChanged, Chunk, Command, CommandKind, Event, Monitor, MonitorState, Tick
from ectopy.monitor.alarms import active
from ectopy.monitor.beat_height import BeatHeights, height_step, qrs_heights_mv
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.conditions import Priority
from ectopy.signal.beat_segments import BEFORE, MARGIN, no_beats
from ectopy.signal.pacing_spikes import SpikeState, spikes_end, spikes_step
from support.data_sets import folder_of
from support.examples import examples

RATE_HZ = 250
LEADS = ("I", "II")
NOW = 1_700_000_000.0

Signal = NDArray[np.float64]


class Bed:
    """A patient whose samples come second by second."""

    monitor = Monitor.of(load_ambulatory(), learning_s=30)

    def __init__(self) -> None:
        self.state, self.now, self.events = MonitorState(), NOW, list[Event]()

    def send(
        self,
        signal: Signal,
        stream: str = "",
        leads: tuple[str, ...] = LEADS,
        rate_hz: int = RATE_HZ,
        counted_on: bool = False,
    ) -> float:
        """Send the next samples, or those that come now from a device that counted on through a pause.

        Returns the monitor's second at which they began.
        """
        begins, position = self.now, 0
        segment = None if self.state.signal is None else self.state.signal.segment
        if segment is not None and (segment.stream, segment.leads, segment.rate_hz) == (stream, leads, rate_hz):
            position = segment.next_position
            if counted_on:
                position = round((self.now - self.state.epoch - segment.origin_s) * rate_hz)
        for start in range(0, len(signal), rate_hz):
            part = signal[start : start + rate_hz].astype(np.float32)
            self.now += len(part) / rate_hz
            self._step(Chunk(position + start, part, float(rate_hz), leads, received=self.now, stream=stream))
            self._step(Tick(self.now))
        return begins - NOW

    def wait(self, seconds: int) -> None:
        """Nothing comes."""
        for _ in range(seconds):
            self.now += 1.0
            self._step(Tick(self.now))

    def changes(self, condition: str, after_s: float = 0.0) -> list[tuple[float, str]]:
        """When an alarm changed, and how, in seconds after a moment."""
        transitions = (event.transition for event in self.events if isinstance(event, AlarmChanged))
        return [
            (round(each.at_s - after_s, 1), each.change)
            for each in transitions
            if each.alarm.condition == condition and each.at_s >= after_s
        ]

    def assert_asystole(self, after_s: float) -> None:
        """Check that the first alarm of high priority after a moment is an asystole, within ten seconds."""
        transitions = [event.transition for event in self.events if isinstance(event, AlarmChanged)]
        high = [each for each in transitions if each.alarm.priority is Priority.HIGH and each.at_s >= after_s]
        first = next(each for each in high if each.change in ("raised", "returned"))
        assert first.alarm.condition == "asystole"
        assert first.at_s - after_s <= 10.0

    def _step(self, given) -> None:
        self.state, events = self.monitor.step(self.state, given)
        self.events += events


@pytest.fixture(scope="module")
def settled() -> Bed:
    bed = Bed()
    bed.send(rhythm(40))
    return bed


@pytest.fixture
def bed(settled: Bed) -> Bed:
    """Of a patient whose heart has beaten for 40 s."""
    bed = Bed()
    bed.state, bed.now, bed.events = settled.state, settled.now, list(settled.events)
    return bed


def rhythm(seconds: float, rate_hz: int = RATE_HZ, seed: int = 3) -> Signal:
    """Normal rhythm of 70 a minute."""
    return simulate_recording(
        seconds, sampling_rate_hz=float(rate_hz), rate_bpm=70, noise_mv=0.02, random_state=seed
    ).signal.astype(float)


def noise(seconds: float, white_mv: float, wander_mv: float = 0.0, hum_mv: float = 0.0, seed: int = 5) -> Signal:
    """What two electrodes give while the heart stands still."""
    n = round(seconds * RATE_HZ)
    t = np.arange(n)[:, None] / RATE_HZ
    slow = wander_mv * (np.sin(np.pi * t / 2) + 0.5 * np.sin(1.8 * np.pi * t))
    return white_mv * np.random.default_rng(seed).standard_normal((n, 2)) + slow + hum_mv * np.sin(2 * np.pi * 50 * t)


def repeated(seconds: float, per_minute: float, mv: float, width_s: float) -> Signal:
    """The same wave again and again, upside down and lower in the second lead."""
    n = round(seconds * RATE_HZ)
    since = np.arange(n) / RATE_HZ % (60 / per_minute) - 0.3
    wave = mv * (np.abs(since) < 0.5 / RATE_HZ if width_s == 0 else np.exp(-0.5 * (since / width_s) ** 2))
    return np.stack([wave, -0.7 * wave], axis=1)


@pytest.mark.parametrize(
    "still",
    [
        pytest.param(noise(20, 0.01), id="10 uV"),
        pytest.param(noise(20, 0.03), id="30 uV"),
        pytest.param(noise(20, 0.2), id="200 uV"),
        pytest.param(noise(20, 0.01, wander_mv=1.0), id="wander"),
        pytest.param(noise(20, 0.02, wander_mv=0.3, hum_mv=0.2), id="hum and wander"),
        pytest.param(repeated(20, 80, 3.0, 0.0) + noise(20, 0.008), id="pacing without capture"),
    ],
)
@pytest.mark.parametrize("begun", [False, True], ids=["first sample", "middle of a stream"])
def test_asystole_is_announced_within_ten_seconds(bed: Bed, still: Signal, begun: bool):
    bed = bed if begun else Bed()
    bed.assert_asystole(bed.send(still))


@pytest.mark.parametrize("white_mv", [0.015, 0.03, 0.2])
def test_asystole_is_announced_within_ten_seconds_after_a_gap(bed: Bed, white_mv: float):
    bed.wait(90)
    bed.assert_asystole(bed.send(noise(20, white_mv, wander_mv=0.1), counted_on=True))
    assert not bed.changes("ventricular tachycardia")


@pytest.mark.parametrize("again", [{"stream": "2"}, {"leads": ("I", "V1")}, {"rate_hz": 500}])
@pytest.mark.parametrize("white_mv", [0.01, 0.03, 0.2])
def test_an_asystole_goes_on_when_the_stream_begins_anew(bed: Bed, again, white_mv: float):
    bed.send(noise(15, white_mv))
    number = next(alarm.number for alarm in active(bed.state.alarms) if alarm.condition == "asystole")
    bed._step(Command(CommandKind.ACKNOWLEDGE, bed.now, "Ada", "", number))
    seen_s = bed.send(noise(150, white_mv, seed=77), **again)
    assert [change for _, change in bed.changes("asystole", seen_s) if change in ("ended", "latched", "raised")] == []
    assert bed.changes("extreme tachycardia") == bed.changes("ventricular tachycardia") == []


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(repeated(90, 90, 0.15, 0.025), id="P waves"),
        pytest.param(repeated(90, 110, 0.25, 0.025), id="high P waves"),
        pytest.param(repeated(90, 80, 1.0, 0.0), id="pacing spikes"),
        pytest.param(repeated(90, 80, 3.0, 0.0), id="high pacing spikes"),
    ],
)
def test_p_waves_and_pacing_spikes_do_not_end_an_asystole(bed: Bed, rest: Signal):
    begins_s = bed.send(rest + noise(90, 0.008, wander_mv=0.1))
    (raised_s, change), *later = bed.changes("asystole", begins_s)
    assert (change, raised_s <= 10.0) == ("raised", True)
    assert {change for _, change in later} <= {"escalated", "reminded"}


def test_an_asystole_ends_with_the_beats_that_come_back(bed: Bed):
    bed.send(noise(15, 0.03))
    begins_s = bed.send(rhythm(90, seed=4))
    ended = [at_s for at_s, change in bed.changes("asystole", begins_s) if change in ("ended", "latched")]
    assert ended
    assert ended[0] <= 75.0  # a minute after its condition


def test_low_beats_become_usual_when_the_normal_is_learned_again(bed: Bed):
    bed.send(0.2 * rhythm(20, seed=4))
    assert bed.changes("asystole")
    bed._step(Command(CommandKind.RELEARN, bed.now, "Ada"))
    begins_s = bed.send(0.2 * rhythm(90, seed=5))
    assert [change for _, change in bed.changes("asystole", begins_s)][-1:] == ["latched"]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_rhythm_at_another_amplitude_is_no_asystole_after_a_new_start(bed: Bed, factor: float):
    bed.send(factor * rhythm(30, seed=4), stream="2")
    bed.send(rhythm(30, seed=5), stream="3", leads=("II", "V5"))
    assert bed.changes("asystole") == []


def test_what_is_known_of_the_leads_is_stored_with_the_state():
    whole, stored = Bed(), Bed()
    for bed in (whole, stored):
        bed.send(rhythm(40))
        bed.send(noise(4, 0.03), stream="2", leads=("V1", "V2"))
    stored.state = decode(MonitorState, encode(stored.state))
    for bed in (whole, stored):
        bed.send(noise(12, 0.03), stream="3")
    assert list(whole.state.leads) == ["I", "II", "V1", "V2"]
    assert list(map(encode, whole.events)) == list(map(encode, stored.events))


@pytest.mark.parametrize(("record", "from_s", "to_s"), [("424", 1371, 1384), ("430", 527, 538), ("430", 776, 785)])
def test_real_flat_lines_are_announced_from_their_first_sample(record: str, from_s: int, to_s: int):
    signal = read(folder_of("vfdb", [record]) / record).signal[from_s * RATE_HZ : to_s * RATE_HZ]
    bed = Bed()
    bed.assert_asystole(bed.send(signal))


def cleaned(signal: Signal, rate_hz: float, cuts: Iterable[int]) -> Signal:
    """Leads without spikes, in chunks that end at the cuts."""
    state, parts = SpikeState.fresh(len(signal)), []
    edges = [0, *sorted(cuts), signal.shape[1]]
    for start, end in pairwise(edges):
        state, part = spikes_step(rate_hz, state, signal[:, start:end])
        parts.append(part)
    return np.concatenate([*parts, spikes_end(rate_hz, state)], axis=1)


@given(st.sampled_from([125.0, 200.0, 250.0, 360.0, 1000.0]), st.lists(st.integers(0, 900), max_size=8))
@settings(max_examples=examples(30))
def test_spikes_are_taken_out_whatever_the_chunks(rate_hz: float, cuts: list[int]):
    signal = np.random.default_rng(1).normal(0, 0.05, (2, 900))
    signal[0, 200:800:199] += 4.0
    signal[1, 300:302] -= 9.0
    result = cleaned(signal, rate_hz, cuts)
    np.testing.assert_array_equal(result, cleaned(signal, rate_hz, []))
    assert result.shape == signal.shape
    assert (np.abs(result).max() < 1.0) == (rate_hz >= 200)


@given(st.floats(0.2, 5.0), st.floats(0.0085, 0.04), st.booleans(), st.sampled_from([200.0, 250.0, 360.0, 1000.0]))
@settings(max_examples=examples(50))
def test_narrow_qrs_complexes_and_hum_stay_as_they_are(mv: float, width_s: float, inverted: bool, rate_hz: float):
    t = np.arange(round(4 * rate_hz)) / rate_hz
    wave = (-mv if inverted else mv) * np.exp(-0.5 * ((t % 0.5 - 0.25) / width_s) ** 2)
    beyond = np.abs(cleaned(wave[None], rate_hz, []) - wave)
    assert beyond.max() <= 0.25 * mv
    hum = mv * np.sin(2 * np.pi * 50 * t)[None]
    late = round(0.1 * rate_hz)
    np.testing.assert_array_equal(cleaned(hum, rate_hz, [])[:, late:], hum[:, late:])


def at_ease(beats: int) -> tuple[np.ndarray, np.ndarray]:
    """RR intervals of 0.8 s, and no noise."""
    return np.full(beats, 0.8), np.zeros(beats, bool)


def test_a_beat_is_low_in_all_readable_leads_or_not_at_all():
    state = BeatHeights.fresh(2)
    state, credible = height_step(state, np.full((10, 2), 1.2), *at_ease(10))
    assert credible.all()
    beats = np.array([[0.2, 0.2], [0.2, 0.6], [0.2, np.nan], [np.nan, np.nan], [0.47, 0.47], [0.36, 0.36]])
    state, credible = height_step(state, beats, *at_ease(6))
    assert credible.tolist() == [False, True, False, True, True, True]


def test_low_beats_never_become_usual_by_themselves():
    state, _ = height_step(BeatHeights.fresh(1), np.full((10, 1), 1.2), *at_ease(10))
    state, credible = height_step(state, np.full((500, 1), 0.2), *at_ease(500))
    assert not credible.any()
    assert np.nanmax(state.recent_mv) == 1.2


def test_a_beat_of_the_usual_height_is_not_noise_and_noise_never_becomes_usual():
    rr_s, noise_s = np.full(100, 0.8), np.ones(100, bool)
    state, credible = height_step(BeatHeights.fresh(2), np.full((100, 2), 0.5), rr_s, noise_s)
    assert not credible.any()
    state, _ = height_step(state, np.full((10, 2), 1.2), *at_ease(10))
    heights_mv = np.tile([[1.0, 0.5], [0.7, 0.7], [np.nan, 1.0], [np.nan, np.nan]], (25, 1))
    state, credible = height_step(state, heights_mv, rr_s, noise_s)
    assert credible.tolist() == [True, False, True, False] * 25


@pytest.mark.parametrize(
    ("rr_s", "heights_mv", "expected"),
    [
        ([0.33], [0.5], [False]),  # a T wave
        ([0.33], [0.8], [True]),  # an early beat
        ([0.4], [0.5], [True]),  # too late for a T wave
        ([np.nan], [0.5], [True]),
        ([0.33] * 4, [0.5] * 4, [False, True, False, True]),  # a fast rhythm that has become lower is not silence
        ([0.33, 0.33], [np.nan, 0.5], [True, True]),  # nothing is known of the beat before
    ],
)
def test_a_t_wave_is_not_a_beat(rr_s: list[float], heights_mv: list[float], expected: list[bool]):
    state, _ = height_step(BeatHeights.fresh(1), np.full((10, 1), 1.0), *at_ease(10))
    count = len(rr_s)
    whole, credible = height_step(state, np.array(heights_mv)[:, None], np.array(rr_s), np.zeros(count, bool))
    assert credible.tolist() == expected
    said = []
    for beat in range(count):
        state, one = height_step(state, np.array([[heights_mv[beat]]]), np.array([rr_s[beat]]), np.zeros(1, bool))
        said += one.tolist()
    assert said == expected
    assert state.may_have_t_wave == whole.may_have_t_wave


def test_a_p_wave_has_its_own_height_and_not_that_of_the_beat_it_precedes():
    samples = np.zeros((1, 1, BEAT_SAMPLES + 2 * MARGIN), np.float32)
    samples[0, 0, MARGIN + BEFORE] = 0.1
    samples[0, 0, MARGIN + BEFORE + 50] = 1.0  # 0.28 s later
    none = no_beats(1)
    beats = replace(none, samples=samples, readable=np.ones((1, 1), bool), times_s=np.ones(1), rr_s=np.ones(1))
    assert qrs_heights_mv(beats) == pytest.approx(0.1)
