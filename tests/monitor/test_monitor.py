"""The monitor of one patient: the same events whatever way the samples came."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from ectopy.analysis import analyse
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.formats import read
from ectopy.monitor import (
    AlarmChanged,
    BeatJudged,
    Chunk,
    Command,
    CommandKind,
    End,
    Event,
    InputRejected,
    Limits,
    Monitor,
    MonitorState,
    Notice,
    QualityChanged,
    ServiceReport,
    Tick,
    chunks,
    patient_step,
    replay,
)
from ectopy.monitor.codec import decode, encode, to_json
from ectopy.monitor.replay import whole
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.recording import Recording
from support.data_sets import folder_of
from support.monitor_steps import feed

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def trouble() -> Recording:
    """Ninety seconds with ectopic beats, a standstill, a loose electrode and a run."""
    episodes = [
        Episode("asystole", 42, 7),
        Episode("lead_off", 55, 6),
        Episode("ventricular_tachycardia", 70, 8),
    ]
    return simulate_recording(90, ectopic={"V": 0.05}, episodes=episodes, random_state=4)


@pytest.fixture(scope="module")
def told(monitor: Monitor, trouble: Recording) -> list[Event]:
    """What is said of the trouble."""
    return list(replay(monitor, trouble, chunk_s=0.5))


def lines(events: list[Event]) -> list[str]:
    return [to_json(event) for event in events]


def alarms(events: list[Event], *changes: str) -> list[tuple[str, str]]:
    found = [event.transition for event in events if isinstance(event, AlarmChanged)]
    return [(t.change, t.alarm.condition) for t in found if not changes or t.change in changes]


def chunk(recording: Recording, start: int, stop: int, **other) -> Chunk:
    rate_hz = recording.sampling_rate_hz
    given = Chunk(start, recording.signal[start:stop], rate_hz, recording.leads, NOW + stop / rate_hz)
    return replace(given, **other)


# The same whatever way the samples came


@pytest.mark.parametrize("seed", range(6))
def test_any_chunking_and_any_restart_give_the_same_events(
    monitor: Monitor, trouble: Recording, told: list[Event], seed: int
):
    assert ("raised", "asystole") in alarms(told)
    assert [event.number for event in told] == list(range(1, len(told) + 1))
    rng = np.random.default_rng(seed)
    state, events, start = MonitorState(), [], 0
    while start < len(trouble.signal):
        stop = start + int(rng.choice([1, 3, 60, 900, 15_000]))
        state, said = monitor.step(state, replace(chunk(trouble, start, stop), received=stop / 250))
        events += said
        start = stop
        if rng.random() < 0.1:
            state = decode(MonitorState, encode(state))
    _, said = monitor.step(state, decode(End, encode(End(90.0))))
    assert lines(events + list(said)) == lines(told)


def test_chunks_out_of_order_doubled_and_overlapping_give_the_same_beats(
    monitor: Monitor, trouble: Recording, told: list[Event]
):
    expected = [e for e in told if isinstance(e, BeatJudged)]
    rng = np.random.default_rng(0)
    cuts = list(range(0, len(trouble.signal), 100))
    order = np.argsort(np.array(cuts) + rng.uniform(0, 350, len(cuts)))
    inputs = [chunk(trouble, 0, 50)]
    for place in order.tolist():
        first = max(cuts[place] - int(rng.integers(60)), 0)
        inputs.append(chunk(trouble, first, cuts[place] + 100))
        if rng.random() < 0.2:
            inputs.append(inputs[-1])
    _, events = feed(monitor, MonitorState(), *inputs, End(NOW + 90))
    beats = [e for e in events if isinstance(e, BeatJudged)]
    assert [(b.position, b.verdict, b.score) for b in beats] == [(b.position, b.verdict, b.score) for b in expected]
    assert any(isinstance(e, Notice) and e.subject == "late" for e in events)
    assert not any(isinstance(e, Notice) and e.subject == "gap" for e in events)


# The same as the whole recording


@pytest.mark.parametrize("source", ["simulated", "119", "208"])
def test_beats_quality_and_scores_are_those_of_the_whole_recording(source: str):
    if source == "simulated":
        episodes = [Episode("noise", 75, 6), Episode("lead_off", 90, 5), Episode("asystole", 105, 6)]
        recording = simulate_recording(120, ectopic={"V": 0.05, "A": 0.05}, episodes=episodes, random_state=1)
    else:
        record = read(folder_of("mitdb", [source]) / source)
        recording = replace(record, signal=record.signal[: 120 * 360], annotations=None)
    detector, learning_s = load_ambulatory(), 60.0
    analysis = analyse(recording, detector, learning_s=learning_s)
    events = list(replay(Monitor.of(detector, learning_s), recording))
    beats = [event for event in events if isinstance(event, BeatJudged)]
    positions = np.array([beat.position for beat in beats])
    np.testing.assert_array_equal(positions, analysis.positions)
    after = slice(int(np.searchsorted(positions, (learning_s + 2) * recording.sampling_rate_hz)), len(beats))
    for name in ("verdict", "hint", "score", "p_value"):
        streamed = np.array([getattr(beat, name) for beat in beats][after])
        expected = getattr(analysis, name)[after]
        np.testing.assert_array_equal(streamed.astype(expected.dtype), expected)
    words = dict.fromkeys(recording.leads, "")
    for event in events:
        if isinstance(event, QualityChanged):
            words[event.lead] = event.word
    assert [words[lead] for lead in recording.leads] == analysis.quality.word[:, -1].tolist()


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 333.33, 1000.0])
@pytest.mark.parametrize("duration_s", [0.7, 3.2, 17.45, 41.01])
def test_the_last_beats_of_a_recording_are_judged(monitor: Monitor, rate_hz: float, duration_s: float):
    recording = simulate_recording(duration_s, sampling_rate_hz=rate_hz, ectopic={"V": 0.2}, random_state=2)
    analysis = analyse(recording, load_ambulatory(), learning_s=30)
    beats = [event for event in replay(monitor, recording, chunk_s=0.3) if isinstance(event, BeatJudged)]
    assert [beat.position for beat in beats] == analysis.positions.tolist()
    assert [beat.verdict == "UNREADABLE" for beat in beats] == (analysis.verdict == "UNREADABLE").tolist()


def test_the_last_beats_before_a_long_gap_are_judged(monitor: Monitor):
    recording = simulate_recording(60)
    _, events = feed(monitor, MonitorState(), *whole(recording))
    expected = [event.beat_s for event in events if isinstance(event, BeatJudged)]
    state, before = feed(monitor, MonitorState(), *chunks(recording, 1))
    for second in range(61, 180):
        state, events = feed(monitor, state, Tick(second))
        before += events
    later = [
        replace(one, position=one.position + 180 * 250, received=180 + one.received) for one in chunks(recording, 1)
    ]
    _, after = feed(monitor, state, *later)
    judged = [event.beat_s for event in before + after if isinstance(event, BeatJudged) and event.beat_s < 100]
    assert judged == expected


def test_what_comes_after_the_end_of_a_stream_is_a_new_segment(monitor: Monitor, trouble: Recording):
    state, before = feed(monitor, MonitorState(), *whole(trouble))
    assert monitor.step(state, End(91.0)) == (state, ())
    state, after = feed(monitor, state, *(replace(each, position=each.position + 22_500) for each in chunks(trouble)))
    assert next(e.subject for e in after if isinstance(e, Notice)) == "restarted"
    numbers = [event.number for event in before + after]
    assert numbers == list(range(1, len(numbers) + 1))
    times_s = [event.beat_s for event in before + after if isinstance(event, BeatJudged)]
    assert times_s == sorted(times_s)


def test_an_end_without_samples_says_nothing(monitor: Monitor):
    state, events = monitor.step(MonitorState(), End(5.0))
    assert (encode(state), events) == (encode(MonitorState()), ())


def test_a_verdict_comes_within_three_seconds_of_the_beat(monitor: Monitor):
    recording = simulate_recording(120, rate_bpm=70)
    late = [e.at_s - e.beat_s for e in replay(monitor, recording, chunk_s=0.5) if isinstance(e, BeatJudged)]
    assert np.percentile(late, 95) < 3.0


def test_the_state_stays_small(monitor: Monitor):
    recording = simulate_recording(240, ectopic={"V": 0.1}, episodes=[Episode("lead_off", 120, 60)])
    state, sizes = MonitorState(), []
    for one in chunks(recording, 5):
        state, _ = monitor.step(state, one)
        sizes.append(len(encode(state)))
    assert max(sizes) < 250_000
    assert max(sizes[20:]) < 150_000


# What streams do


def test_a_gap_is_a_gap(monitor: Monitor):
    recording = simulate_recording(60)
    parts = ((0, 7500), (8750, 12_500), (12_500, 15_000))
    _, events = feed(monitor, MonitorState(), *(chunk(recording, *part) for part in parts))
    assert any(isinstance(e, Notice) and e.subject == "gap" and "5.00 s" in e.text for e in events)
    positions = [e.position for e in events if isinstance(e, BeatJudged)]
    assert not any(7600 < p < 8700 for p in positions)
    after = next(e for e in events if isinstance(e, BeatJudged) and e.position > 8700)
    assert after.interval_s is None
    assert alarms(events) == []


def test_a_long_gap_begins_a_new_part_at_its_own_time(monitor: Monitor):
    recording = simulate_recording(200)
    starts = (*range(0, 20_000, 2500), *range(40_000, 50_000, 2500))
    _, events = feed(monitor, MonitorState(), *(chunk(recording, k, k + 2500) for k in starts))
    beats = [e for e in events if isinstance(e, BeatJudged)]
    assert [e.text for e in events if isinstance(e, Notice) and e.subject == "gap"] == ["80 s are missing."]
    assert all(abs(e.beat_s - e.position / 250) < 0.01 for e in beats)
    assert any(e.position > 40_500 for e in beats)


@pytest.mark.parametrize("change", ["rate", "leads", "restarted"])
def test_a_stream_may_change_its_rate_its_leads_and_its_count(monitor: Monitor, change: str):
    first, second = simulate_recording(60), simulate_recording(40, sampling_rate_hz=250 if change != "rate" else 360)
    state, _ = feed(monitor, MonitorState(), *chunks(first, 1))
    assert state.normal is not None
    other = {"leads": second.leads, "stream": "again"}
    if change == "leads":
        second = replace(second, signal=second.signal[:, :1], leads=("MLII",))
        other = {"leads": ("MLII",), "position": 0}
    inputs = []
    for one in chunks(second, 1):
        moved = {} if change == "restarted" else {"stream": ""}
        inputs.append(replace(one, **(other | moved | {"position": one.position}), received=60 + one.received))
    state, events = feed(monitor, state, *inputs)
    assert [e.subject for e in events if isinstance(e, Notice)] == [change]
    beats = [e for e in events if isinstance(e, BeatJudged)]
    assert len(beats) > 35
    assert all(56 <= e.beat_s <= 100 for e in beats)
    # The last beats of the former part are not lost with it.
    assert sum(e.beat_s < 60 for e in beats) >= 2
    assert np.mean([e.verdict == "NORMAL" for e in beats]) > 0.9
    assert state.signal.detection.baseline.normal is not None


@pytest.mark.parametrize("chunk_s", [0.2, 1.0, 5.0, 12.0])
@pytest.mark.parametrize("alike", ["stream", "leads"])
def test_two_devices_that_send_for_one_patient_are_told(monitor: Monitor, chunk_s: float, alike: str):
    one = simulate_recording(30, episodes=[Episode("asystole", 10, 15)], random_state=1)
    other = {"leads": ("V5", "V6")} if alike == "stream" else {"stream": "other"}
    both = [each for given in chunks(one, chunk_s) for each in (given, replace(given, **other))]
    state, events = feed(monitor, MonitorState(), *both)
    assert ("raised", "restarts") in alarms(events)
    rest = [replace(each, stream="alone", received=30 + each.received) for each in chunks(simulate_recording(30), 1)]
    _, events = feed(monitor, state, *rest)
    assert alarms(events, "ended")[0] == ("ended", "restarts")


def test_a_signal_that_begins_anew_now_and_then_is_none_that_keeps_doing_so(monitor: Monitor):
    starts_s = [0, 10, 14, 40, 43, 60]
    inputs = [
        replace(each, stream=str(start_s), received=start_s + each.received)
        for start_s, end_s in pairwise([*starts_s, 90])
        for each in chunks(simulate_recording(end_s - start_s), 1)
    ]
    _, events = feed(monitor, MonitorState(), *inputs)
    assert [event.subject for event in events if isinstance(event, Notice)].count("restarted") == 5
    assert "restarts" not in {condition for _, condition in alarms(events)}


def test_silence_is_told_and_so_is_its_end(monitor: Monitor):
    recording = simulate_recording(40)
    state, _ = feed(monitor, MonitorState(), *(chunk(recording, k, k + 250) for k in range(0, 2500, 250)))
    early, events = feed(monitor, state, Tick(NOW + 15))
    assert early is state
    assert events == []
    state, events = feed(monitor, state, Tick(NOW + 21), Tick(NOW + 22), Tick(NOW + 23))
    assert alarms(events) == [("raised", "no data")]
    resumed = [chunk(recording, k, k + 250, received=NOW + 20 + k / 250) for k in range(2500, 5000, 250)]
    _, events = feed(monitor, state, *resumed)
    assert ("ended", "no data") in alarms(events)


def test_a_patient_who_is_expected_but_never_comes_is_told_too(monitor: Monitor):
    _, events = feed(monitor, MonitorState(), Tick(NOW), Tick(NOW + 9), Tick(NOW + 11))
    assert alarms(events) == [("raised", "no data")]
    _, events = feed(monitor, MonitorState(), Tick(NOW, expected=False), Tick(NOW + 60, expected=False))
    assert events == []


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"sampling_rate_hz": 50.0}, "100 and 1000 Hz"),
        ({"sampling_rate_hz": float("nan")}, "100 and 1000 Hz"),
        ({"unit": "furlong"}, "mV, uV and V"),
        ({"leads": ("I",)}, "shape"),
        ({"leads": ("I", "I")}, "different names"),
        ({"position": -1}, "from 0"),
        ({"position": 10**9}, "ahead of the time"),
        ({"position": round(NOW * 1000)}, "ahead of the time"),
        ({"position": 2500.5}, "counts samples from 0"),
        ({"position": round(NOW), "stream": "another"}, "in seconds since 1970"),
        ({"position": round(NOW * 1e3), "stream": "another"}, "in milliseconds since 1970"),
        ({"position": round((NOW - 3600) * 1e6), "stream": "another"}, "in microseconds since 1970"),
        ({"position": 10**11, "stream": "another"}, "days after the start"),
        ({"sent_at": NOW - 365 * 86_400}, "days"),
        ({"signal": np.zeros((0, 2), np.float32)}, "1 sample to 60 s"),
        ({"signal": np.zeros((1_300_000, 2), np.float32)}, "1 sample to 60 s"),
        ({"signal": np.full((250, 2), 5e3, np.float32)}, "really mV"),
        ({"signal": np.full((250, 2), "x")}, "must be numbers"),
        ({"received": float("inf")}, "number of seconds"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason_and_watching_goes_on(monitor: Monitor, other: dict, word: str):
    recording = simulate_recording(20)
    state, _ = feed(monitor, MonitorState(), chunk(recording, 0, 2500))
    state, events = feed(monitor, state, chunk(recording, 2500, 2750, **other))
    assert [type(event) for event in events] == [InputRejected]
    assert word in events[0].reason
    _, events = feed(monitor, state, chunk(recording, 2500, 5000))
    assert any(isinstance(event, BeatJudged) for event in events)


def test_nan_is_a_missing_sample_and_units_are_converted(monitor: Monitor):
    recording = simulate_recording(20)
    state, _ = feed(monitor, MonitorState(), chunk(recording, 0, 2500))
    broken = np.full_like(recording.signal[2500:5000], np.inf)
    _, events = feed(monitor, state, chunk(recording, 2500, 5000, signal=broken))
    assert {e.word for e in events if isinstance(e, QualityChanged)} == {"missing"}
    for unit, factor in (("uV", 1e3), ("V", 1e-3)):
        in_unit = replace(recording, signal=recording.signal * np.float32(factor))
        _, events = feed(monitor, MonitorState(), chunk(in_unit, 0, 5000, unit=unit))
        assert len([e for e in events if isinstance(e, BeatJudged) and e.verdict == "NORMAL"]) > 10


def test_a_clock_that_jumps_is_told(monitor: Monitor):
    recording = simulate_recording(20)
    _, events = feed(
        monitor,
        MonitorState(),
        *(chunk(recording, k, k + 250, sent_at=NOW + k / 250) for k in range(0, 2500, 250)),
        *(chunk(recording, k, k + 250, sent_at=NOW + k / 250 + 30) for k in range(2500, 5000, 250)),
    )
    assert alarms(events) == [("raised", "clock")]


def test_a_fault_of_the_software_is_told_and_watching_goes_on(monitor: Monitor, monkeypatch: pytest.MonkeyPatch):
    recording = simulate_recording(60)
    whole, calls = patient_step.detect_step, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 20:
            raise IndexError("out of bounds")
        return whole(*arguments)

    monkeypatch.setattr(patient_step, "detect_step", failing)
    events = list(replay(monitor, recording))
    assert alarms(events, "raised") == [("raised", "detector failed")]
    beats = [e for e in events if isinstance(e, BeatJudged)]
    assert all(abs(e.beat_s - e.position / 250) < 0.01 for e in beats)
    assert max(e.beat_s for e in beats) > 55


# What alarms say, and what people order


def test_an_alarm_shows_the_beats_it_rests_on(told: list[Event]):
    changes = [event for event in told if isinstance(event, AlarmChanged)]
    raised = next(e for e in changes if e.transition.alarm.condition == "ventricular tachycardia")
    begin_s, end_s = raised.strip_s
    assert begin_s < 70 < 78 < end_s + 10
    evidence = raised.evidence
    assert len(evidence.beats_s) == 5
    assert evidence.samples.shape == evidence.reconstruction.shape == evidence.error.shape == (5, 2, 140)
    assert np.all(evidence.error.max(axis=(1, 2)) > 0.5)
    np.testing.assert_allclose(evidence.error, np.abs(evidence.samples - evidence.reconstruction))
    assert "ventricular-like beats in a row" in raised.transition.alarm.reading.text


def test_people_acknowledge_alarms_set_limits_and_have_the_normal_learned_anew(monitor: Monitor, trouble: Recording):
    state, events = feed(monitor, MonitorState(), *chunks(trouble, 1))
    number = next(
        e.transition.alarm.number
        for e in events
        if isinstance(e, AlarmChanged) and e.transition.alarm.condition == "asystole"
    )
    state, events = feed(monitor, state, Command(CommandKind.ACKNOWLEDGE, 91.0, "Ada", "seen", number))
    assert {change for change, _ in alarms(events)} <= {"acknowledged", "ended"}
    assert events[0].transition.person == "Ada"
    state, events = feed(monitor, state, Command(CommandKind.ACKNOWLEDGE, 92.0, "Ada", alarm=999))
    assert "no alarm 999" in events[0].reason
    narrow = replace(Limits.of("ward"), high_bpm=60.0, low_bpm=50.0)
    state, events = feed(monitor, state, Command(CommandKind.SET_LIMITS, 93.0, "Ada", limits=narrow))
    assert events[0].subject == "limits"
    normal = state.normal
    state, events = feed(monitor, state, Command(CommandKind.RELEARN, 94.0, "Ada"))
    more = [
        replace(c, position=c.position + 22_500, received=c.received + 90) for c in chunks(simulate_recording(60), 1)
    ]
    state, events = feed(monitor, state, *more)
    assert ("raised", "high rate") in alarms(events)
    assert state.normal is not None
    assert state.normal is not normal
    state, events = feed(monitor, state, Command(CommandKind.SET_NORMAL, 151.0, "Ada", normal=normal))
    assert state.signal.detection.baseline.normal is not None
    np.testing.assert_array_equal(state.signal.detection.baseline.normal.template, normal.template)


@pytest.mark.parametrize("ordered_s", [40.0, 65.0])
def test_a_normal_that_is_to_be_learned_anew_is_so_when_the_signal_begins_anew_meanwhile(
    monitor: Monitor, ordered_s: float
):
    state, _ = feed(monitor, MonitorState(), *chunks(simulate_recording(40), 1))
    former = encode(state.normal)
    if ordered_s > 40:
        state, _ = feed(
            monitor,
            state,
            Command(CommandKind.DISCHARGE, 50.0, "Ada"),
            Command(CommandKind.ADMIT, 60.0, "Ada", "somebody else"),
        )
    state, _ = feed(monitor, state, Command(CommandKind.RELEARN, ordered_s, "Ada"))
    other = simulate_recording(40, random_state=9)
    again = [replace(one, stream="next", received=70 + one.received) for one in chunks(other, 1)]
    state, events = feed(monitor, state, *again)
    assert "baseline" in [event.subject for event in events if isinstance(event, Notice)]
    assert encode(state.normal) not in (encode(None), former)


def test_who_is_discharged_raises_nothing_until_admitted_again(monitor: Monitor):
    still = simulate_recording(60, episodes=[Episode("asystole", 45, 15)], random_state=1)
    state, events = feed(monitor, MonitorState(), *chunks(still, 1), Tick(71.0))
    going = {condition for _, condition in alarms(events, "raised")}
    assert {"asystole", "no data"} <= going
    before = state
    state, events = feed(monitor, state, Command(CommandKind.DISCHARGE, 80.0, "Ada", "went home"))
    assert {change for change, _ in alarms(events)} == {"discharged"}
    assert {"asystole", "no data"} <= {condition for _, condition in alarms(events)}
    assert {(e.transition.person, e.transition.why) for e in events if isinstance(e, AlarmChanged)} == {
        ("Ada", "went home")
    }
    assert (events[-1].subject, events[-1].text) == ("discharged", "Ada discharged the patient.")
    discharged = decode(MonitorState, encode(state))
    assert discharged.discharged
    assert len(encode(discharged)) < 35_000 < 60_000 < len(encode(before))

    failed = ServiceReport(3000.0, ConditionReading("storage failed", True, "The disk is full."))
    assert monitor.step(discharged, Tick(4000.0)) == (discharged, ())
    assert monitor.step(discharged, failed) == (discharged, ())
    late = replace(next(iter(chunks(still, 1))), position=15_000, received=4000.0)
    state, events = feed(monitor, discharged, late, Command(CommandKind.DISCHARGE, 4001.0, "Ada"))
    assert [type(event) for event in events] == [InputRejected, InputRejected]
    assert events[0].reason == "this patient is discharged; admit the patient first."
    assert "discharged already" in events[1].reason

    state, events = feed(monitor, state, Command(CommandKind.ADMIT, 5000.0, "Ben"), Tick(5009.0))
    assert [(event.subject, event.text) for event in events] == [("admitted", "Ben admitted the patient again.")]
    assert state.normal is not None
    assert (encode(state.normal), state.limits) == (encode(before.normal), before.limits)
    silent, events = feed(monitor, state, Tick(5010.0))
    assert alarms(events) == [("raised", "no data")]
    again = [replace(one, received=5000.0 + one.received) for one in chunks(simulate_recording(30), 1)]
    for beginning, ended in ((state, []), (silent, [("ended", "no data")])):
        state, events = feed(monitor, beginning, *again)
        assert alarms(events) == ended
        beats = [e for e in events if isinstance(e, BeatJudged)]
        assert len(beats) > 25
        assert all(5000 - before.epoch <= e.beat_s <= 5030 - before.epoch for e in beats)
        assert state.signal.detection.baseline.normal is not None
    _, events = feed(monitor, state, Command(CommandKind.ADMIT, 5031.0, "Ben"))
    assert "watched already" in events[0].reason


def test_a_state_stored_before_there_was_discharge_is_of_somebody_who_is_watched():
    stored = msgspec.msgpack.decode(encode(MonitorState()))
    del stored["discharged"]
    assert decode(MonitorState, msgspec.msgpack.encode(stored)).discharged is False


def test_an_alarm_is_escalated_whether_the_time_comes_with_samples_or_without(monitor: Monitor):
    recording = simulate_recording(150, episodes=[Episode("asystole", 40, 6)])
    inputs = list(chunks(recording, 1))
    _, by_samples = feed(monitor, MonitorState(), *inputs)
    state, events = feed(monitor, MonitorState(), *inputs[:60])
    state, ticked = feed(monitor, state, *(Tick(60.0 + k / 7) for k in range(65)), *inputs[60:])
    assert alarms(by_samples, "escalated") == alarms(events + ticked, "escalated") == [("escalated", "asystole")]
    times = [
        e.at_s for e in (*by_samples, *ticked) if isinstance(e, AlarmChanged) and e.transition.change == "escalated"
    ]
    assert times[0] == times[1]


def test_time_goes_on_from_where_it_was_when_the_clock_is_set_back(monitor: Monitor):
    recording = simulate_recording(60, episodes=[Episode("asystole", 40, 6)])
    state, events = feed(monitor, MonitorState(), *chunks(recording, 1))
    state, events = feed(monitor, state, *(Tick(float(now)) for now in range(61, 91)))
    (number,) = (event.transition.alarm.number for event in events)
    assert alarms(events) == [("raised", "no data")]
    back = -3600.0
    state, events = feed(monitor, state, *(Tick(back + now) for now in range(91, 200)))
    assert alarms(events) == 2 * [("escalated", "asystole")]
    assert [round(event.at_s, -1) for event in events] == [110, 170]
    state, events = feed(monitor, state, Command(CommandKind.ACKNOWLEDGE, back + 200, "Ada", alarm=number))
    assert alarms(events) == [("acknowledged", "no data")]
    back -= 3600.0
    state, events = feed(monitor, state, *(Tick(back + now) for now in range(201, 1110)))
    assert alarms(events) == [("escalated", "asystole"), ("acknowledgement expired", "no data")]


def test_the_process_around_may_report(monitor: Monitor):
    failed = ConditionReading("storage failed", True, "The disk is full.")
    state, events = feed(monitor, MonitorState(), ServiceReport(NOW, failed))
    assert alarms(events) == [("raised", "storage failed")]
    _, events = feed(
        monitor, state, *(ServiceReport(NOW + k, ConditionReading("storage failed", False)) for k in range(1, 30))
    )
    assert alarms(events) == [("ended", "storage failed")]
