from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.errors import SettingError
from support.examples import examples

ECTOPIC = {"V": 0.1, "r": 0.05, "A": 0.1, "F": 0.05}


def beats_of(recording, codes="NVrAF"):
    marks = recording.annotations
    return marks.positions[np.isin(marks.symbols, list(codes))] / recording.sampling_rate_hz


def clean(duration_s=120.0, **settings):
    return simulate_recording(duration_s, noise_mv=0, **settings)


def intervals_after_and_before(recording, code):
    seconds, symbols = beats_of(recording), recording.annotations.symbols
    here = np.flatnonzero(symbols[1:-1] == code) + 1
    interval = np.diff(seconds)
    return interval[here], interval[here - 1]


def mean_beat(recording, code, reach_s=0.15):
    reach = round(reach_s * recording.sampling_rate_hz)
    marks = recording.annotations
    here = marks.positions[1:-1][marks.symbols[1:-1] == code]
    return recording.signal[here[:, None] + np.arange(-reach, reach + 1), 0].mean(axis=0)


def half_width_s(recording, code):
    shape = mean_beat(recording, code)
    return np.sum(shape > shape.max() / 2) / recording.sampling_rate_hz


def test_same_random_state_same_recording_another_another():
    first, repeated, other = (simulate_recording(30, ectopic=ECTOPIC, random_state=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.signal, repeated.signal)
    np.testing.assert_array_equal(first.annotations.positions, repeated.annotations.positions)
    np.testing.assert_array_equal(first.annotations.symbols, repeated.annotations.symbols)
    assert not np.array_equal(first.signal, other.signal)


@pytest.mark.parametrize(
    ("settings", "beats", "total_mv", "samples_mv"),
    [
        ({"duration_s": 60}, 70, 3112.59, [-0.02249, 0.0499, -0.01747, 0.67611, 0.09313]),
        (
            {"duration_s": 90, "ectopic": ECTOPIC, "random_state": 7, "sampling_rate_hz": 360},
            106,
            8647.93,
            [-0.09359, 0.15957, -0.37204, 0.07019, 0.06377],
        ),
        (
            {
                "duration_s": 120,
                "rate_bpm": 80,
                "pauses_per_hour": 60,
                "noise_mv": 0.03,
                "random_state": 11,
                "episodes": [
                    Episode("asystole", 20, 6),
                    Episode("tachycardia", 40, 10),
                    Episode("bradycardia", 60, 10),
                    Episode("ventricular_tachycardia", 80, 8),
                    Episode("lead_off", 100, 5),
                    Episode("noise", 50, 5),
                ],
            },
            169,
            9252.2,
            [0.1568, 0.08143, 0.42329, 0.10244, 0.11727],
        ),
    ],
)
def test_a_random_state_gives_the_same_recording_in_every_version(settings, beats, total_mv, samples_mv):
    recording = simulate_recording(**settings)
    assert len(recording.annotations) == beats
    assert np.abs(recording.signal).sum(dtype=float) == pytest.approx(total_mv, abs=0.05)
    step = (len(recording.signal) - 1000) // 5
    np.testing.assert_allclose(recording.signal[1000::step, 0][:5], samples_mv, atol=2e-5)


def test_signal_is_float32_millivolt_of_the_asked_shape():
    recording = simulate_recording(10, sampling_rate_hz=360)
    assert recording.signal.dtype == np.float32
    assert recording.signal.shape == (3600, 2)
    assert recording.leads == ("MLII", "V1")
    assert recording.duration_s == 10
    assert np.isfinite(recording.signal).all()


def test_one_lead_is_the_first_of_two():
    one_lead, two_leads = clean(30, leads=1), clean(30, leads=2)
    np.testing.assert_array_equal(one_lead.signal[:, 0], two_leads.signal[:, 0])
    assert not np.allclose(two_leads.signal[:, 0], two_leads.signal[:, 1], atol=0.1)


def test_normal_beat_has_the_amplitudes_of_an_ecg():
    recording = clean(300)
    shape = mean_beat(recording, "N", reach_s=0.45)
    seconds = np.linspace(-0.45, 0.45, len(shape))
    assert 0.9 < shape[np.abs(seconds) < 0.02].max() < 1.3
    assert 0.1 < shape[(seconds > -0.25) & (seconds < -0.1)].max() < 0.2
    assert 0.2 < shape[(seconds > 0.2) & (seconds < 0.4)].max() < 0.4
    assert abs(shape[np.abs(seconds + 0.09) < 0.01]).max() < 0.05  # PR segment


@given(seed=st.integers(0, 10_000), rate=st.sampled_from([128.0, 250.0, 500.0]))
@settings(max_examples=examples(15))
def test_annotations_mark_the_peaks(seed, rate):
    recording = clean(30, sampling_rate_hz=rate, ectopic=ECTOPIC, random_state=seed)
    lead, positions = recording.signal[:, 0], recording.annotations.positions
    reach = round(0.03 * rate)
    inside = positions[(positions >= reach) & (positions < len(lead) - reach)]
    windows = lead[inside[:, None] + np.arange(-reach, reach + 1)]
    assert np.all(np.abs(windows.argmax(axis=1) - reach) <= np.ceil(0.008 * rate))
    assert windows.max(axis=1).min() > 0.4


@pytest.mark.parametrize("rate_bpm", [45, 70, 120])
def test_mean_rate_is_the_asked_rate(rate_bpm):
    intervals = np.diff(beats_of(clean(600, rate_bpm=rate_bpm)))
    assert 60 / intervals.mean() == pytest.approx(rate_bpm, rel=0.01)


def test_variability_has_the_asked_deviation():
    for asked_ms in (20, 60):
        intervals = np.diff(beats_of(clean(1200, hrv_sd_ms=asked_ms, sampling_rate_hz=500)))
        assert 1000 * intervals.std() == pytest.approx(asked_ms, rel=0.15)
    assert np.diff(beats_of(clean(60, hrv_sd_ms=0))).std() < 0.003


def test_rr_spectrum_has_two_peaks():
    seconds = beats_of(clean(1200, sampling_rate_hz=500))
    grid = np.arange(seconds[1], seconds[-1], 0.25)
    series = np.interp(grid, seconds[1:], np.diff(seconds))
    power = np.abs(np.fft.rfft(series - series.mean())) ** 2
    frequency = np.fft.rfftfreq(len(series), 0.25)

    def share(low_hz, high_hz):
        return power[(frequency > low_hz) & (frequency < high_hz)].sum() / power.sum()

    low, high = share(0.07, 0.13), share(0.22, 0.28)
    assert low + high > 0.85
    assert 0.3 < low / high < 1.0


def test_ectopic_fractions_are_realised():
    symbols = clean(3600, ectopic=ECTOPIC).annotations.symbols
    for code, fraction in ECTOPIC.items():
        assert np.mean(symbols == code) == pytest.approx(fraction, abs=0.02)


@pytest.mark.parametrize("ectopic", [{"V": 0.5}, {"V": 0.2, "A": 0.15, "F": 0.05, "r": 0.1}])
def test_at_most_every_other_beat_is_ectopic(ectopic):
    symbols = clean(600, ectopic=ectopic).annotations.symbols
    places = np.flatnonzero(symbols != "N")
    assert np.mean(symbols != "N") == pytest.approx(0.5, abs=0.01)
    assert np.all(symbols[places - 1] == "N")


def test_ventricular_beat_is_early_and_fully_compensated():
    after, before = intervals_after_and_before(clean(600, hrv_sd_ms=0, ectopic={"V": 0.1}), "V")
    assert np.all(before < 0.8 * 60 / 70)
    np.testing.assert_allclose(before + after, 2 * 60 / 70, atol=0.01)


def test_supraventricular_beat_is_early_and_resets_the_sinus_node():
    after, before = intervals_after_and_before(clean(600, hrv_sd_ms=0, ectopic={"A": 0.1}), "A")
    assert np.all(before < 0.8 * 60 / 70)
    assert np.all(before + after < 1.9 * 60 / 70)
    assert np.all(after > 0.99 * 60 / 70)


def test_r_on_t_beat_starts_on_the_t_wave():
    _, before = intervals_after_and_before(clean(600, ectopic={"r": 0.1}), "r")
    assert np.all((before > 0.28) & (before < 0.45))


def test_ventricular_beats_are_wide_and_the_others_are_not():
    recording = clean(600, ectopic=ECTOPIC)
    normal, fusion, ventricular = (half_width_s(recording, code) for code in "NFV")
    assert normal < fusion < ventricular
    assert ventricular > 2 * normal
    assert half_width_s(recording, "A") == pytest.approx(normal, abs=0.008)


def test_t_wave_opposes_a_ventricular_beat_and_no_p_wave_precedes_it():
    recording = clean(600, ectopic={"V": 0.1})
    normal, ventricular = (mean_beat(recording, code, reach_s=0.4) for code in "NV")
    seconds = np.linspace(-0.4, 0.4, len(normal))
    t_wave, p_wave = (seconds > 0.22), (seconds > -0.17) & (seconds < -0.14)
    assert normal[t_wave].max() > 0.2
    assert ventricular[t_wave].min() < -0.2
    assert ventricular[t_wave].max() < 0.05
    assert normal[p_wave].max() > 0.1
    assert ventricular[p_wave].max() < 0.06


def test_pauses_lengthen_some_intervals():
    seldom, often = (np.diff(beats_of(clean(3600, pauses_per_hour=n))) for n in (30, 360))
    assert 15 <= np.sum(seldom > 1.6) <= 45
    assert np.sum(often > 1.6) == pytest.approx(360, abs=2)
    assert often.max() < 4


@given(seed=st.integers(0, 10_000), start=st.floats(0, 50), duration=st.floats(2, 10))
@settings(max_examples=examples(20))
def test_no_beat_in_an_asystole(seed, start, duration):
    episode = Episode("asystole", start, duration)
    recording = clean(70, ectopic=ECTOPIC, episodes=[episode], random_state=seed)
    seconds = beats_of(recording)
    assert not np.any((seconds > start + 0.005) & (seconds < start + duration - 0.005))
    assert np.all(np.diff(seconds) > 0.25)
    assert np.any(seconds > episode.end_s)


@pytest.mark.parametrize(("kind", "rate_bpm"), [("bradycardia", 35), ("tachycardia", 150)])
def test_sinus_episodes_keep_their_rate(kind, rate_bpm):
    seconds = beats_of(clean(120, episodes=[Episode(kind, 30, 40)]))
    inside = np.diff(seconds[(seconds > 30) & (seconds < 70)])
    outside = np.diff(seconds[seconds > 70])
    assert 60 / inside.mean() == pytest.approx(rate_bpm, rel=0.03)
    assert 60 / outside.mean() == pytest.approx(70, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "rate_bpm"),
    [
        *(("ventricular_tachycardia", rate_bpm) for rate_bpm in (None, 120.0, 200.0)),
        *(("supraventricular_tachycardia", rate_bpm) for rate_bpm in (130.0, 320.0)),
        *(("polymorphic_tachycardia", rate_bpm) for rate_bpm in (130.0, 320.0)),
    ],
)
def test_a_run_has_the_asked_rate_and_stands_alone(kind, rate_bpm):
    recording = clean(60, episodes=[Episode(kind, 20, 10, rate_bpm)])
    run_s, normal_s = beats_of(recording, "SV"), beats_of(recording, "N")
    assert run_s[0] == 20
    assert 60 * (len(run_s) - 1) / (run_s[-1] - run_s[0]) == pytest.approx(rate_bpm or 160, rel=0.02)
    assert not np.any((normal_s > 19.6) & (normal_s < 30))
    if kind == "ventricular_tachycardia":
        assert len(run_s) == int((rate_bpm or 160) / 6)
        np.testing.assert_allclose(np.diff(run_s), 60 / (rate_bpm or 160), atol=0.005)


def test_supraventricular_beats_are_as_narrow_as_normal_ones_and_have_no_p_wave():
    recording = clean(120, episodes=[Episode("supraventricular_tachycardia", 60, 40, 100)])
    assert half_width_s(recording, "S") == pytest.approx(half_width_s(recording, "N"), abs=0.005)
    p_wave = slice(*(np.array([0.2, 0.24]) * 250).astype(int))  # 0.16 to 0.20 s before R
    assert mean_beat(recording, "N", 0.4)[p_wave].max() > 0.1
    assert mean_beat(recording, "S", 0.4)[p_wave].max() < 0.03


def test_a_polymorphic_tachycardia_twists_around_the_baseline_in_each_lead_at_another_time():
    recording = clean(60, episodes=[Episode("polymorphic_tachycardia", 20, 20)])
    marks = recording.annotations
    heights = recording.signal[marks.positions[marks.symbols == "V"]]
    assert np.all(heights.max(axis=0) > 0.7)
    assert np.all(heights.min(axis=0) < -0.7)
    assert 2 <= np.sum(np.diff(np.sign(heights[:, 0])) != 0) <= 12


def spectrum(signal_mv, rate_hz=250.0):
    power = np.abs(np.fft.rfft(signal_mv - signal_mv.mean())) ** 2
    return np.fft.rfftfreq(len(signal_mv), 1 / rate_hz), power / power.sum()


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["coarse_fibrillation", "fine_fibrillation"]))
@settings(max_examples=examples(20))
def test_fibrillation_has_the_published_frequency_and_amplitude(seed, kind):
    recording = clean(30, episodes=[Episode(kind, 8, 20)], random_state=seed)
    inside = recording.signal[9 * 250 : 27 * 250]
    frequency_hz, power = spectrum(inside[:, 0])
    assert power[(frequency_hz > 2) & (frequency_hz < 10)].sum() > 0.7
    height_mv = np.percentile(inside, 99, axis=0) - np.percentile(inside, 1, axis=0)
    low, high = (0.6, 3.5) if kind == "coarse_fibrillation" else (0.08, 0.45)
    assert np.all((height_mv > low) & (height_mv < high))
    assert not np.any((beats_of(recording) > 8) & (beats_of(recording) < 28))
    np.testing.assert_array_equal(beats_of(recording, "[]"), [8, 28])


@pytest.mark.parametrize("rate_bpm", [150.0, 300.0])
def test_flutter_is_a_sine_wave_at_its_rate(rate_bpm):
    recording = clean(40, episodes=[Episode("ventricular_flutter", 10, 20, rate_bpm)])
    frequency_hz, power = spectrum(recording.signal[11 * 250 : 29 * 250, 0])
    near = np.abs(frequency_hz - rate_bpm / 60) < 0.25
    assert power[near].sum() > 0.85


def test_fibrillation_does_not_depend_on_the_sampling_rate_nor_on_leads():
    episodes = [Episode("coarse_fibrillation", 5, 8)]
    slow, fast = clean(20, episodes=episodes), clean(20, episodes=episodes, sampling_rate_hz=500)
    np.testing.assert_allclose(slow.signal, fast.signal[::2], atol=2e-3)
    np.testing.assert_array_equal(slow.signal[:, :1], clean(20, episodes=episodes, leads=1).signal)


def test_p_waves_go_on_in_complete_block_and_in_standstill():
    block = clean(90, episodes=[Episode("complete_block", 20, 40, 30)])
    p_waves, escape = beats_of(block, "p"), beats_of(block, "E")
    assert np.diff(p_waves).mean() == pytest.approx(60 / 90, rel=0.01)
    np.testing.assert_allclose(np.diff(escape), 2, atol=0.005)
    assert half_width_s(block, "E") > 2 * half_width_s(block, "N")
    still = clean(60, episodes=[Episode("ventricular_standstill", 20, 20)])
    inside = still.signal[round(20.9 * 250) : 40 * 250, 0]
    assert 0.1 < inside.max() < 0.25
    assert not len(beats_of(still, "E"))


def test_hum_and_pacing_are_added_to_whatever_the_heart_does():
    still = Episode("asystole", 10, 20)
    plain = clean(40, episodes=[still])
    hum = clean(40, episodes=[still, Episode("mains_hum", 15, 10)]).signal - plain.signal
    frequency_hz, power = spectrum(hum[15 * 250 : 25 * 250, 1])
    assert frequency_hz[power.argmax()] == 50
    paced = clean(40, episodes=[still, Episode("pacing", 12, 10, 60)]).signal - plain.signal
    np.testing.assert_array_equal(np.flatnonzero(paced[:, 0] > 1), 250 * np.arange(12, 22))
    assert np.abs(paced).max() > 2


def test_an_infant_has_narrow_fast_beats_with_a_high_r_wave_in_v1():
    infant, adult = clean(120, patient="infant"), clean(120)
    assert 60 / np.diff(beats_of(infant)).mean() == pytest.approx(140, rel=0.02)
    assert half_width_s(infant, "N") < 0.7 * half_width_s(adult, "N")
    positions = infant.annotations.positions[5:-5]
    assert infant.signal[positions, 1].mean() > 0.8 > 0 > adult.signal[adult.annotations.positions[5:-5], 1].mean()
    wide = clean(120, patient="infant", ectopic={"V": 0.1})
    assert half_width_s(wide, "V") > 2 * half_width_s(wide, "N")


def test_lead_off_is_flat_marked_and_hides_beats_that_go_on():
    plain, loose = clean(60), clean(60, episodes=[Episode("lead_off", 20, 10)])
    assert not loose.signal[5000:7500].any()
    np.testing.assert_array_equal(loose.signal[:5000], plain.signal[:5000])
    np.testing.assert_array_equal(loose.signal[7500:], plain.signal[7500:])
    np.testing.assert_array_equal(beats_of(loose), beats_of(plain))
    np.testing.assert_array_equal(beats_of(loose, "~"), [20, 30])


def test_lead_off_hums_where_the_recording_is_noisy():
    recording = simulate_recording(60, noise_mv=0.02, episodes=[Episode("lead_off", 20, 10)])
    stretch = recording.signal[5000:7500, 0]
    power = np.abs(np.fft.rfft(stretch)) ** 2
    assert np.argmax(power) == 50 * 10
    assert np.abs(stretch).max() < 0.021


def test_noise_episode_is_noisy_marked_and_nothing_else():
    plain, noisy = clean(60), clean(60, episodes=[Episode("noise", 20, 10)])
    difference = noisy.signal - plain.signal
    assert difference[5000:7500].std() == pytest.approx(0.5, rel=0.05)
    assert not difference[:5000].any()
    assert not difference[7500:].any()
    np.testing.assert_array_equal(beats_of(noisy, "~"), [20, 30])


def test_episode_may_outlast_the_recording():
    recording = clean(30, episodes=[Episode("lead_off", 25, 60)])
    assert not recording.signal[25 * 250 :].any()
    np.testing.assert_array_equal(recording.annotations.positions[-1:], [30 * 250 - 1])


def test_noise_is_added_to_the_same_heart():
    quiet, noisy = clean(60, ectopic=ECTOPIC), simulate_recording(60, ectopic=ECTOPIC, noise_mv=0.1)
    np.testing.assert_array_equal(quiet.annotations.positions, noisy.annotations.positions)
    difference = noisy.signal - quiet.signal
    assert difference.std() == pytest.approx(0.1 * np.sqrt(1 + 8 + 1 / 8), rel=0.05)


def test_without_beats_and_noise_there_is_nothing():
    recording = clean(20, episodes=[Episode("asystole", 0, 20)])
    assert len(recording.annotations) == 0
    assert not recording.signal.any()


def test_the_heart_does_not_depend_on_the_sampling_rate():
    slow = clean(60, sampling_rate_hz=250, ectopic=ECTOPIC)
    fast = clean(60, sampling_rate_hz=500, ectopic=ECTOPIC)
    np.testing.assert_array_equal(slow.annotations.symbols, fast.annotations.symbols)
    np.testing.assert_allclose(beats_of(slow), beats_of(fast), atol=0.0031)
    np.testing.assert_allclose(slow.signal, fast.signal[::2], atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"duration_s": 0}, "above 0"),
        ({"duration_s": float("nan")}, "above 0"),
        ({"duration_s": 0.001}, "one sample"),
        ({"sampling_rate_hz": -250}, "above 0"),
        ({"rate_bpm": 0}, "above 0"),
        ({"rate_bpm": 351}, "at most 350"),
        ({"hrv_sd_ms": -1}, "0 or more"),
        ({"pauses_per_hour": -1}, "0 or more"),
        ({"pauses_per_hour": 361}, "at most 360"),
        ({"noise_mv": -0.1}, "0 or more"),
        ({"leads": 3}, "1 or 2"),
        ({"patient": "neonate"}, r"one of adult, infant, not 'neonate'\."),
        ({"ectopic": {"X": 0.1}}, "must be r, V, A, F"),
        ({"ectopic": {"V": -0.1}}, "0 or more"),
        ({"ectopic": {"V": 0.3, "A": 0.3}}, "at most 0.5"),
        ({"episodes": [Episode("noise", 300, 5)]}, "before"),
        (
            {"episodes": [Episode("tachycardia", 12, 9), Episode("asystole", 10, 5)]},
            "tachycardia must start after asystole ends",
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        simulate_recording(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fibrillation", 0, 5), "one of asystole"),
        (("asystole", -1, 5), "0 or more"),
        (("asystole", 1, 0), "above 0"),
        (("asystole", 1, 5, 60), "no rate"),
        (("tachycardia", 1, 5, 0), "above 0"),
    ],
)
def test_impossible_episodes_are_refused(arguments, message):
    with pytest.raises(SettingError, match=message):
        Episode(*arguments)
