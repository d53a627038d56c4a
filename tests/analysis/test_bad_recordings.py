"""Whatever comes as a recording: nothing crashes, nothing is normal by default, nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ectopy.analysis import Analysis, analyse
from ectopy.analysis.baseline import learn_baseline
from ectopy.analysis.interval_model import predicting
from ectopy.analysis.verdicts import Hint, JudgingRules, PreviousBeat, judge
from ectopy.datasets import simulate_recording
from ectopy.detector import Detector, Verdict
from ectopy.errors import DataError
from ectopy.recording import Recording
from support.command_line import assert_refused
from support.drawn_beats import RATE_HZ, draw_beats, narrow, wide
from support.examples import examples
from support.wfdb_records import write_record

RATES = st.one_of(st.sampled_from([100.0, 360.0, 1000.0]), st.floats(100, 1000))
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=examples(12))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_recording(400, ectopic={"V": 0.05}, random_state=3)


@pytest.fixture(scope="module")
def analysis(recording: Recording, ambulatory: Detector) -> Analysis:
    return analyse(recording, ambulatory)


NO_ECG = {
    "flat": lambda rng, samples: np.full(samples, rng.normal()),
    "missing": lambda rng, samples: np.full(samples, np.nan),
    "noise": lambda rng, samples: rng.normal(size=samples),
    "saturated": lambda rng, samples: np.clip(rng.normal(scale=20, size=samples), -5, 5),
}


def ventricular(recording: Recording, found: Analysis) -> NDArray[np.bool_]:
    """Which of the found beats are ventricular ones of the simulation."""
    marks = recording.annotations.positions[recording.annotations.symbols == "V"] / recording.sampling_rate_hz
    return np.abs(found.beats.times_s[:, None] - marks).min(axis=1) < 0.1


@given(
    st.sampled_from(sorted(NO_ECG)),
    RATES,
    st.sampled_from([0.0, 0.5, 3.0, 20.0, 90.0]),
    st.sampled_from([1e-4, 0.1, 1.0, 1e4]),
    st.integers(1, 3),
    SEEDS,
)
@settings(max_examples=examples(60))
def test_no_beat_of_what_is_no_ecg_is_normal(ambulatory: Detector, kind, rate_hz, duration_s, amplitude, leads, seed):
    rng = np.random.default_rng(seed)
    signal = amplitude * np.stack([NO_ECG[kind](rng, round(duration_s * rate_hz)) for _ in range(leads)], axis=1)
    result = analyse(Recording(signal.astype(np.float32), rate_hz, tuple("abc"[:leads])), ambulatory)
    assert not (result.verdict == Verdict.NORMAL).any()
    assert result.normal is None
    assert "could not be learned" in result.baseline
    if kind in ("flat", "missing"):
        assert len(result) == 0


@given(RATES)
@few
def test_beats_are_told_apart_at_any_sampling_rate(ambulatory: Detector, rate_hz: float):
    recording = simulate_recording(360, sampling_rate_hz=rate_hz, ectopic={"V": 0.08}, random_state=4)
    detected = analyse(recording, ambulatory)
    ectopic = ventricular(recording, detected)
    assert detected.abnormal[ectopic].mean() > 0.95
    assert detected.abnormal[~ectopic].mean() < 0.05


@given(st.lists(st.tuples(st.floats(0.5, 2.5), st.booleans()), min_size=2, max_size=2))
@few
def test_gain_and_polarity_of_each_lead_change_no_verdict(
    recording: Recording, analysis: Analysis, ambulatory: Detector, wired: list[tuple[float, bool]]
):
    gains = np.array([-gain if inverted else gain for gain, inverted in wired], np.float32)
    actual = analyse(replace(recording, signal=gains * recording.signal), ambulatory)
    assert len(actual) == len(analysis)
    assert np.abs(actual.score - analysis.score).max() < 0.6
    assert (actual.verdict == analysis.verdict).all()


@given(st.floats(0, 60), st.booleans())
@few
def test_when_a_recording_began_changes_no_verdict(
    recording: Recording, analysis: Analysis, ambulatory: Detector, seconds: float, flat_before: bool
):
    samples = round(seconds * recording.sampling_rate_hz)
    before = np.full((samples, 2), 0.0 if flat_before else np.nan, np.float32)
    actual = analyse(replace(recording, signal=np.concatenate([before, recording.signal])), ambulatory)
    place = np.abs(actual.positions[:, None] - samples - analysis.positions).argmin(axis=0)
    later = analysis.beats.times_s > 3
    assert np.abs(actual.positions[place] - samples - analysis.positions)[later].max() < 0.05 * RATE_HZ
    assert (actual.verdict[place] == analysis.verdict)[later].all()
    assert len(actual) == pytest.approx(len(analysis), abs=3)


def test_the_names_of_leads_change_nothing(recording: Recording, analysis: Analysis, ambulatory: Detector):
    actual = analyse(replace(recording, leads=("ch 1", "?")), ambulatory)
    np.testing.assert_array_equal(actual.score, analysis.score)
    np.testing.assert_array_equal(actual.verdict, analysis.verdict)


def irregular(count: int) -> NDArray[np.float64]:
    """Intervals of atrial fibrillation."""
    return np.asarray(0.75 * np.exp(np.random.default_rng(0).normal(0.0, 0.2, count)))


def drawn(intervals_s: NDArray[np.float64], are_wide: NDArray[np.bool_], spikes: bool = False) -> Recording:
    """Narrow and wide beats in two leads, those that a pacemaker begins with its spike."""
    times_s = np.cumsum(intervals_s)
    length_s = float(times_s[-1]) + 1
    signal = np.stack(
        [
            draw_beats(times_s[~are_wide], narrow(0.8)[first:], length_s) * mv
            + draw_beats(times_s[are_wide], wide(0.8)[first:], length_s) * other_mv
            for first, mv, other_mv in ((0, 1.0, 1.0), (1, -0.6, 0.8))
        ],
        axis=1,
    )
    if spikes:
        signal[((times_s - 0.06) * RATE_HZ).astype(int)] += 3.0
    signal += 0.01 * np.random.default_rng(1).standard_normal(signal.shape)
    return Recording(signal.astype(np.float32), RATE_HZ, ("I", "II"))


def with_first(recording: Recording, first: NDArray[np.floating]) -> Recording:
    return replace(recording, signal=np.concatenate([first.astype(np.float32), recording.signal]), annotations=None)


def one_lead(recording: Recording) -> Recording:
    return replace(recording, signal=recording.signal[:, :1], leads=("I",))


def twelve_leads(recording: Recording) -> Recording:
    views = np.random.default_rng(2).normal(size=(2, 12)).astype(np.float32)
    return replace(recording, signal=recording.signal @ views, leads=tuple(f"V{lead}" for lead in range(12)))


def swapped(recording: Recording) -> Recording:
    half = len(recording.signal) // 2
    return replace(recording, signal=np.concatenate([recording.signal[:half], recording.signal[half:, ::-1]]))


def regular(count: int) -> NDArray[np.float64]:
    return np.asarray(0.8 * (1 + np.random.default_rng(3).normal(0.0, 0.02, count)))


NO = np.zeros(400, np.bool_)
KINDS: dict[str, Callable[[Recording], Recording]] = {
    "one lead": one_lead,
    "twelve leads": twelve_leads,
    "electrodes swapped half-way": swapped,
    "pacemaker": lambda _: drawn(regular(400), ~NO, spikes=True),
    "intermittent bundle branch block": lambda _: drawn(regular(400), np.arange(400) % 200 >= 150),
    "30 s in total": lambda recording: replace(recording, signal=recording.signal[: round(30 * RATE_HZ)]),
    "ectopy first": lambda _: drawn(regular(400), np.arange(400) < 150),
    "atrial fibrillation first": lambda _: drawn(np.concatenate([irregular(200), regular(200)]), NO),
    "noise first": lambda recording: with_first(recording, np.random.default_rng(4).normal(size=(30_000, 2))),
}
BASELINE = r"(Learned from |Learned anew|The patient's normal (could not be learned|was given))"
REASON = (
    r"Not readable: .*\.|"
    r"Score -?\d+\.\d\d against a threshold of \d\.\d\d "
    r"\(shape -?\d+\.\d, timing -?\d+\.\d(, P wave -?\d+\.\d)?"
    r"(, less \d\.\d because this patient's usual beats vary)?\): .+\."
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_verdict_says_what_it_rests_on(recording: Recording, ambulatory: Detector, kind: str):
    result = analyse(KINDS[kind](recording), ambulatory, learning_s=60.0)
    assert len(result) > 20
    assert re.match(BASELINE, result.baseline), result.baseline
    for beat in range(len(result)):
        assert re.fullmatch(REASON, result.reason(beat)), result.reason(beat)
    # A normal beat was measured, and found below the threshold.
    normal = result.verdict == Verdict.NORMAL
    assert (result.score[normal] <= result.threshold).all()
    assert np.isfinite(result.shape[normal]).all()
    assert (result.beats.readable.any(axis=1) & np.isfinite(result.p_value))[normal].all()


def test_swapped_electrodes_are_learned_anew(recording: Recording, ambulatory: Detector):
    result = analyse(swapped(recording), ambulatory, learning_s=60.0)
    ectopic, times_s = ventricular(recording, result), result.beats.times_s
    away = (times_s < 200) | (times_s > 245)
    assert result.abnormal[ectopic & away].mean() > 0.9
    assert result.abnormal[~ectopic & away].mean() < 0.05


def test_beats_of_an_intermittent_block_are_not_normal(recording: Recording, ambulatory: Detector):
    result = analyse(KINDS["intermittent bundle branch block"](recording), ambulatory, learning_s=60.0)
    blocked = np.arange(400) % 200 >= 150
    assert len(result) == 400
    assert result.abnormal[blocked].mean() > 0.95
    assert result.abnormal[~blocked].mean() < 0.02


def test_a_start_in_atrial_fibrillation_is_not_a_start_of_ectopic_beats(recording: Recording, ambulatory: Detector):
    result = analyse(KINDS["atrial fibrillation first"](recording), ambulatory, learning_s=60.0)
    assert result.abnormal.mean() < 0.05


def test_noise_first_spoils_nothing_that_follows(recording: Recording, ambulatory: Detector):
    result = analyse(KINDS["noise first"](recording), ambulatory, learning_s=60.0)
    marks_s = recording.annotations.positions[recording.annotations.symbols == "V"] / RATE_HZ + 120
    ectopic = np.abs(result.beats.times_s[:, None] - marks_s).min(axis=1) < 0.1
    later = result.beats.times_s > 125
    assert not (result.verdict == Verdict.NORMAL)[result.beats.times_s < 119].any()
    assert result.abnormal[ectopic & later].mean() > 0.9
    assert result.abnormal[~ectopic & later].mean() < 0.05


@pytest.mark.parametrize("amplitude", [1e-4, 1e4])
def test_amplitudes_that_no_ecg_has_are_not_normal(recording: Recording, ambulatory: Detector, amplitude: float):
    with pytest.raises(DataError, match="is the unit really mV"):
        analyse(replace(recording, signal=np.float32(amplitude) * recording.signal), ambulatory)


@given(st.floats(0, 395), st.floats(0.1, 120), st.sets(st.integers(0, 1), min_size=1))
@few
def test_no_beat_lies_in_a_gap_and_a_lead_alone_carries_on(
    recording: Recording, ambulatory: Detector, start_s: float, length_s: float, gone: set[int]
):
    signal = recording.signal.copy()
    rate_hz = recording.sampling_rate_hz
    signal[round(start_s * rate_hz) : round((start_s + length_s) * rate_hz), sorted(gone)] = np.nan
    result = analyse(replace(recording, signal=signal), ambulatory)
    inside = (result.beats.times_s > start_s + 0.3) & (result.beats.times_s < start_s + length_s - 0.3)
    if len(gone) == 2:
        assert not inside.any()
        assert not (result.intervals_s > 2).any()
    else:
        assert not (result.verdict == Verdict.UNREADABLE)[inside].any()
        assert not result.beats.readable[inside][:, sorted(gone)].any()


@given(st.floats(0.3, 0.7), st.sampled_from([np.nan, 0.0, 5.0]), st.integers(0, 1))
@few
def test_beats_are_told_apart_when_a_lead_dies_half_way(
    recording: Recording, ambulatory: Detector, share: float, dead: float, lead: int
):
    signal = recording.signal.copy()
    signal[round(share * len(signal)) :, lead] = dead
    result = analyse(replace(recording, signal=signal), ambulatory)
    away = np.abs(result.beats.times_s - share * recording.duration_s) > 2
    ectopic = ventricular(recording, result)
    assert result.abnormal[ectopic & away].mean() > 0.9
    assert result.abnormal[~ectopic & away].mean() < 0.1
    assert not (result.verdict == Verdict.UNREADABLE)[away & (result.beats.times_s < 399)].any()


@given(st.floats(0.1, 6), SEEDS)
@few
def test_seconds_of_an_ecg_are_judged_by_other_people(ambulatory: Detector, duration_s: float, seed: int):
    result = analyse(simulate_recording(duration_s, random_state=seed % 100), ambulatory)
    assert len(result) < 10
    assert result.normal is None
    assert "could not be learned" in result.baseline
    assert np.isnan(result.score[result.verdict == Verdict.UNREADABLE]).all()


@given(st.lists(st.floats(0, 1), max_size=6))
@few
def test_beats_are_judged_the_same_in_any_stretches(
    recording: Recording, analysis: Analysis, ambulatory: Detector, cuts: list[float]
):
    baseline = learn_baseline(analysis.beats, recording.leads, ambulatory, 300.0)
    rules = JudgingRules.of(ambulatory)
    edges = [0, *sorted(round(share * len(analysis)) for share in cuts), len(analysis)]
    before, verdicts, hints, scores = PreviousBeat(), [], [], []
    for start, stop in pairwise(edges):
        judging = judge(analysis.beats[start:stop], baseline, rules, before)
        before, judgement = predicting(rules.intervals, judging)
        verdicts.append(judgement.verdict)
        hints.append(judgement.hint)
        scores.append(judgement.score)
    np.testing.assert_array_equal(np.concatenate(verdicts), analysis.verdict)
    np.testing.assert_array_equal(np.concatenate(hints), analysis.hint)
    np.testing.assert_allclose(np.concatenate(scores), analysis.score, rtol=1e-9)


@pytest.fixture
def record(recording: Recording, tmp_path: Path) -> Path:
    """A WFDB record whose annotations are those of another, longer one."""
    pytest.importorskip("wfdb", reason="the extra 'formats' is not installed")
    write_record(tmp_path, "rec", replace(recording, annotations=simulate_recording(800, random_state=8).annotations))
    return tmp_path / "rec.hea"


def test_annotations_of_another_record_change_no_verdict(ectopy, record: Path, tmp_path: Path):
    with_them, without = tmp_path / "with.csv", tmp_path / "without.csv"
    assert ectopy("detect", "ambulatory", record, "-o", with_them).status == 0
    record.with_suffix(".atr").unlink()
    assert ectopy("detect", "ambulatory", record, "-o", without).status == 0
    assert with_them.read_text() == without.read_text()


def test_a_data_file_that_is_missing_or_cut_short_is_one_sentence(ectopy, record: Path):
    commands = (("detect", "ambulatory", record), ("inspect", record))
    data = record.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-3000])
    for command in commands:
        assert_refused(ectopy(*command), "promises")
    data.unlink()
    for command in commands:
        assert_refused(ectopy(*command), "rec.dat")


@pytest.mark.parametrize(("beats", "is_learned"), [(8, False), (13, True), (25, True)])
def test_a_short_recording_has_a_template_from_ten_beats_on(ambulatory: Detector, beats: int, is_learned: bool):
    are_wide = np.arange(beats) == 5
    result = analyse(drawn(regular(beats), are_wide), ambulatory)
    assert len(result) == beats
    assert (result.normal is not None) == is_learned
    assert ("could not be learned" in result.baseline) != is_learned
    if is_learned:
        assert result.abnormal[5]
        assert not result.abnormal[~are_wide].any()


def test_a_short_recording_of_a_tachycardia_with_wide_beats_has_no_template(ambulatory: Detector):
    result = analyse(drawn(regular(25) / 2, np.ones(25, np.bool_)), ambulatory)
    assert result.normal is None
    assert "as in ventricular tachycardia" in result.baseline
    assert (result.hint[1:] == Hint.VENTRICULAR).all()
