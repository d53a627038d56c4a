"""Time: clocks that are set, devices that run slow or fast, samples that come late, and positions that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.monitor import AlarmChanged, Chunk, Event, Input, InputRejected, Monitor, MonitorState, Notice, Tick
from ectopy.monitor.clock_pace import Pace, follow
from ectopy.monitor.codec import decode, encode, to_json
from ectopy.recording import Recording
from support.examples import examples

NOW = 1_700_000_000.0
HOUR_S = 3600.0
RATE_HZ = 250.0


@pytest.fixture(scope="module")
def still() -> Recording:
    """A heart that stands still for eight seconds, twice."""
    episodes = [Episode("asystole", at, 8) for at in (60, 120)]
    return simulate_recording(190, episodes=episodes, random_state=1)


def inputs(
    recording: Recording, offset_s: Callable[[int], float], second_clock: bool, chunk_s: int = 1
) -> Iterator[Input]:
    """Samples and ticks as they come by a clock that is ahead by so much at each second."""
    before_s, length = 0.0, round(chunk_s * RATE_HZ)
    for start in range(0, len(recording.signal), length):
        second = round((start + length) / RATE_HZ)
        now = NOW + second + offset_s(second)
        if second_clock and offset_s(second) != before_s:
            yield Tick(now, set_s=offset_s(second) - before_s)
        before_s = offset_s(second)
        yield Chunk(start, recording.signal[start : start + length], RATE_HZ, recording.leads, now)
        yield Tick(now, set_s=0.0 if second_clock else None)


Said = tuple[float, float, Event]


def said(monitor: Monitor, given: Iterator[Input], restart_every: int = 0) -> Iterator[Said]:
    """Events, with what the clock shows then and the time that is told of each."""
    state = MonitorState()
    for number, each in enumerate(given):
        state, events = monitor.step(state, each)
        now = each.received if isinstance(each, Chunk) else each.now  # type: ignore[union-attr]
        yield from ((now, (state.epoch or 0.0) + event.at_s, event) for event in events)
        if restart_every and number % restart_every == 0:
            state = decode(MonitorState, encode(state))


JUMPS = {
    "forwards for good": lambda second: HOUR_S if second >= 90 else 0.0,
    "back for good": lambda second: -HOUR_S if second >= 90 else 0.0,
    "forwards for half a minute": lambda second: HOUR_S if 100 <= second < 130 else 0.0,
    "back for half a minute": lambda second: -HOUR_S if 100 <= second < 130 else 0.0,
    "by seven seconds": lambda second: 7.0 if second >= 90 else 0.0,
}


@pytest.fixture(scope="module")
def events(monitor: Monitor, still: Recording) -> Callable[[str, bool], list[Said]]:
    """What is said of that heart while the clock is set, once for all tests."""
    return cache(lambda jump, second_clock: list(said(monitor, inputs(still, JUMPS[jump], second_clock))))


@pytest.mark.parametrize(
    ("jump", "second_clock"),
    [
        *((name, True) for name in JUMPS),
        # Without one it takes up to 20 s to be sure that the clock was set forwards; none of these alarms is then.
        ("forwards for good", False),
        ("back for good", False),
        ("forwards for half a minute", False),
    ],
)
def test_times_are_right_and_nothing_is_escalated_early_when_the_clock_is_set(
    events: Callable[[str, bool], list[Said]], jump: str, second_clock: bool
):
    found = events(jump, second_clock)
    changes = [(now, told, event.transition) for now, told, event in found if isinstance(event, AlarmChanged)]
    assert len([1 for _, _, change in changes if change.alarm.condition == "asystole"]) > 3
    assert max(abs(told - now) for now, told, _ in changes) < 2.0
    raised_s = {change.alarm.number: change.at_s for _, _, change in changes if change.change == "raised"}
    escalated = [change for _, _, change in changes if change.change == "escalated"]
    assert escalated
    for change in escalated:
        assert change.at_s - raised_s[change.alarm.number] == pytest.approx(60 * change.alarm.level)
    assert not any(
        isinstance(event, InputRejected) or (isinstance(event, Notice) and event.samples) for _, _, event in found
    )


@pytest.mark.parametrize("jump", ["forwards for good", "forwards for half a minute"])
def test_a_restart_at_any_moment_changes_nothing(
    events: Callable[[str, bool], list[Said]], monitor: Monitor, still: Recording, jump: str
):
    expected = [to_json(event) for _, _, event in events(jump, True)]
    assert [to_json(e) for _, _, e in said(monitor, inputs(still, JUMPS[jump], True), restart_every=7)] == expected


def test_any_chunking_gives_the_same_events_while_the_clock_is_set(
    events: Callable[[str, bool], list[Said]], monitor: Monitor, still: Recording
):
    jump = "forwards for half a minute"
    coarse = said(monitor, inputs(still, JUMPS[jump], second_clock=True, chunk_s=2))
    fine_beats, coarse_beats = (
        [line for line in (to_json(event) for _, _, event in each) if '"beat"' in line]
        for each in (events(jump, True), coarse)
    )
    assert fine_beats == coarse_beats


def test_an_alarm_keeps_the_time_at_which_it_was_raised(events: Callable[[str, bool], list[Said]]):
    changes = [
        (told, event)
        for _, told, event in events("forwards for good", True)
        if isinstance(event, AlarmChanged) and event.transition.alarm.condition == "asystole"
    ]
    raised, last = changes[0], changes[-1]
    assert raised[1].transition.change == "raised"
    assert last[1].transition.alarm.number == raised[1].transition.alarm.number
    assert last[1].origins[0] + last[1].transition.alarm.raised_s == pytest.approx(raised[0], abs=0.01)


@settings(max_examples=examples(30), deadline=None)
@given(rate=st.floats(0.97, 1.03), chunk_s=st.sampled_from([0.5, 1.0, 5.0, 60.0]), jitter_s=st.floats(0.0, 0.3))
def test_a_device_that_runs_slow_or_fast_is_followed(rate: float, chunk_s: float, jitter_s: float):
    if rate > 1.018:  # slewed by at most 2 %
        rate = 1.018
    rng = np.random.default_rng(0)
    pace, epoch = Pace(), NOW
    for number in range(1, int(24 * HOUR_S / chunk_s / 12) + 1):
        end_s = number * chunk_s
        received = NOW + end_s * rate + jitter_s * rng.random()
        pace, epoch = follow(pace, epoch, received, end_s, sets_clock=True, may_be_set=False)
        assert abs(epoch + end_s - received) < 2.0
    assert pace.drift == pytest.approx(1 / rate - 1, abs=3e-4)


def test_a_stream_that_catches_up_after_an_outage_moves_nothing():
    pace, epoch, second = Pace(), NOW, 0
    for second in range(1, 600):
        pace, epoch = follow(pace, epoch, NOW + second, second, sets_clock=True, may_be_set=False)
    for late_s in range(300, 0, -1):  # twice as fast as it was recorded
        second += 2
        pace, epoch = follow(pace, epoch, NOW + second + late_s, second, sets_clock=True, may_be_set=False)
        assert abs(epoch - NOW) < 0.5


def test_what_comes_late_is_escalated_a_minute_after_it_came(monitor: Monitor, still: Recording):
    """Five minutes without a line; then everything at once."""
    given: list[Input] = []
    for start in range(0, len(still.signal), 250):
        late_s = 300.0 if start >= 50 * 250 else 0.0
        received = NOW + max((start + 250) / RATE_HZ, 50.0 + late_s if late_s else 0.0)
        given.append(Chunk(start, still.signal[start : start + 250], RATE_HZ, still.leads, received))
    given += [Tick(NOW + 350.0 + second, set_s=0.0) for second in range(200)]
    given[50:50] = [Tick(NOW + 50.0 + second, set_s=0.0) for second in range(300)]
    raised, escalated = {}, {}
    for now, _, event in said(monitor, iter(given)):
        if isinstance(event, AlarmChanged) and event.transition.alarm.condition == "asystole":
            kept = raised if event.transition.change == "raised" else escalated
            if event.transition.change in ("raised", "escalated"):
                kept.setdefault(event.transition.alarm.number, now)
    assert raised
    assert escalated
    assert all(59.0 <= escalated[number] - at <= 62.0 for number, at in raised.items() if number in escalated)


def test_a_machine_that_was_stopped_takes_what_comes_afterwards(monitor: Monitor, still: Recording):
    """Its own clocks stood still, and then the time was set: an hour has passed for the device too."""
    state, _ = monitor.step(MonitorState(), Chunk(0, still.signal[:2500], RATE_HZ, still.leads, NOW + 10))
    state, _ = monitor.step(state, Tick(NOW + 10 + HOUR_S, set_s=HOUR_S))
    after = round((10 + HOUR_S) * RATE_HZ)
    chunk = Chunk(after, still.signal[2500:2750], RATE_HZ, still.leads, NOW + 11 + HOUR_S)
    state, events = monitor.step(state, chunk)
    assert not any(isinstance(event, InputRejected) for event in events)
    assert (state.epoch or 0.0) + state.signal.segment.second(state.signal.segment.next_position) == pytest.approx(
        NOW + 11 + HOUR_S, abs=0.01
    )


def test_positions_in_milliseconds_are_refused_soon(monitor: Monitor, still: Recording):
    state, refused = MonitorState(), []
    for second in range(60):
        signal = still.signal[second * 250 : second * 250 + 250]
        chunk = Chunk(second * 1000, signal, RATE_HZ, still.leads, NOW + second + 1)
        state, events = monitor.step(state, chunk)
        refused += [event.reason for event in events if isinstance(event, InputRejected)]
    assert len(refused) > 30
    assert all("ahead of the time; count from the stream's start." in reason for reason in refused)


def test_samples_without_a_hole_are_taken_whatever_the_clock_says(monitor: Monitor, still: Recording):
    state, _ = monitor.step(MonitorState(), Chunk(0, still.signal[:2500], RATE_HZ, still.leads, NOW))
    _, events = monitor.step(state, Chunk(2500, still.signal[2500:5000], RATE_HZ, still.leads, NOW - HOUR_S))
    assert not any(isinstance(event, InputRejected) for event in events)


def test_what_is_left_out_is_counted(monitor: Monitor, still: Recording):
    chunk = Chunk(0, still.signal[:2500], RATE_HZ, still.leads, NOW)
    state, _ = monitor.step(MonitorState(), chunk)
    _, twice = monitor.step(state, replace(chunk, received=NOW + 1))
    assert [event.samples for event in twice if isinstance(event, Notice)] == [2500]
    partly = Chunk(2000, still.signal[2000:3000], RATE_HZ, still.leads, NOW + 4)
    _, events = monitor.step(state, partly)
    assert [event.samples for event in events if isinstance(event, Notice)] == [500]
