"""A tick that is not due changes nothing, so that nobody need send it."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.monitor import AlarmSettings, Chunk, Command, CommandKind, Event, Input, Monitor, MonitorState, Tick
from ectopy.monitor.alarm_settings import PriorityRules
from ectopy.monitor.codec import encode
from ectopy.monitor.inputs import RejectedInput, ServiceReport
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.wake_time import idle_time
from support.examples import examples
from support.monitor_steps import feed

NOW = 1_700_000_000.0
RATE_HZ = 250.0
LEADS = ("I", "II")


@pytest.fixture(scope="module")
def hasty(monitor: Monitor) -> Monitor:
    """A monitor whose timers run out while a test lasts."""
    rules = PriorityRules(latching=True, acknowledged_s=9.0, escalate_after_s=5.0)
    return Monitor(monitor.criterion, AlarmSettings(rules, rules, rules, audio_pause_s=7.0), monitor.learning_s)


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    episodes = [Episode("asystole", 22, 8), Episode("lead_off", 45, 6)]
    return simulate_recording(80, sampling_rate_hz=RATE_HZ, leads=2, episodes=episodes, random_state=3).signal


def chunk(signal: np.ndarray, second: int, received: float) -> Chunk:
    begin = round(second * RATE_HZ)
    return Chunk(begin, signal[begin : begin + round(RATE_HZ)], RATE_HZ, LEADS, received)


def troubled(rng: np.random.Generator, signal: np.ndarray) -> list[Input]:
    """Samples that are lost, late or out of order, silences, orders, and a clock that is set; a tick each second."""
    orders = [kind for kind in CommandKind if kind not in (CommandKind.SET_LIMITS, CommandKind.SET_NORMAL)]
    inputs: list[Input] = []
    waiting: list[int] = []
    clock_s, silent_to = 0.0, 0
    set_s = None if rng.random() < 0.5 else 0.0
    for second in range(80):
        now = NOW + second + clock_s + rng.random()
        if rng.random() < 0.02:
            jump_s = float(rng.choice([-3600.0, -30.0, -4.0, 5.0, 40.0, 3600.0]))
            clock_s, now = clock_s + jump_s, now + jump_s
            inputs.append(Tick(now, set_s=None if set_s is None else jump_s))
        if rng.random() < 0.03:
            silent_to = second + int(rng.integers(3, 30))
        waiting.append(second)
        if second >= silent_to:
            due = [waiting.pop() if rng.random() < 0.1 else waiting.pop(0) for _ in range(len(waiting))]
            inputs += [chunk(signal, each, now) for each in due if rng.random() > 0.05]
        if rng.random() < 0.15:
            inputs.append(Command(rng.choice(orders), now, "nurse", alarm=int(rng.integers(1, 4))))
        if rng.random() < 0.03:
            inputs.append(ServiceReport(now, ConditionReading("storage", bool(rng.random() < 0.7), "full")))
        if rng.random() < 0.02:
            inputs.append(RejectedInput(now, "this is not a chunk."))
        inputs.append(Tick(now, expected=bool(rng.random() > 0.02), set_s=set_s))
    return inputs


def feed_when_due(monitor: Monitor, state: MonitorState, inputs: list[Input]) -> tuple[MonitorState, list[Event], int]:
    """As `feed`, without the ticks that are not due, which are counted."""
    events: list[Event] = []
    skipped = 0
    for item in inputs:
        if isinstance(item, Tick) and idle_time(state).covers(item):
            skipped += 1
            continue
        state, new = monitor.step(state, item)
        events += new
    return state, events, skipped


@settings(max_examples=examples(12))
@given(seed=st.integers(0, 2**32 - 1))
def test_only_ticks_that_are_due_change_anything(hasty: Monitor, signal: np.ndarray, seed: int):
    inputs = troubled(np.random.default_rng(seed), signal)
    whole, events = feed(hasty, MonitorState(), *inputs)
    state, same_events, _ = feed_when_due(hasty, MonitorState(), inputs)
    assert encode(same_events) == encode(events)
    assert encode(state) == encode(whole)


def test_hardly_any_tick_is_due_while_samples_come(monitor: Monitor, signal: np.ndarray):
    inputs: list[Input] = []
    for second in range(20):
        inputs += [chunk(signal, second, NOW + second), Tick(NOW + second + 0.5)]
    *_, skipped = feed_when_due(monitor, MonitorState(), inputs)
    assert skipped == 20


def test_a_monitor_wakes_when_silence_a_gap_or_a_timer_is_due(hasty: Monitor, signal: np.ndarray):
    unborn = idle_time(MonitorState())
    assert unborn.since_at >= unborn.until_at  # time begins with the first tick
    state, _ = feed(hasty, MonitorState(), chunk(signal, 0, NOW))
    assert idle_time(state).until_at == pytest.approx(NOW + 10, abs=0.01)
    waiting, _ = feed(hasty, state, chunk(signal, 2, NOW + 2))
    assert idle_time(waiting).until_at == pytest.approx(NOW + 4, abs=0.01)
    silent, (change,) = feed(hasty, state, Tick(NOW + 10))
    assert idle_time(silent).until_at == pytest.approx(NOW + 15, abs=0.01)
    quiet, _ = feed(hasty, silent, Command(CommandKind.ACKNOWLEDGE, NOW + 11, "nurse", alarm=change.alarm.number))
    assert idle_time(quiet).until_at == pytest.approx(NOW + 20, abs=0.01)
    gone, _ = feed(hasty, state, Command(CommandKind.DISCHARGE, NOW + 1, "nurse"))
    assert idle_time(gone).until_at == inf


def test_a_clock_that_is_set_is_due_at_once(monitor: Monitor, signal: np.ndarray):
    state, _ = feed(monitor, MonitorState(), *[chunk(signal, second, NOW + second) for second in range(15)])
    idle = idle_time(state)
    assert idle.covers(Tick(NOW + 16))
    assert not idle.covers(Tick(NOW - 60))
    assert not idle.covers(Tick(NOW + 16, set_s=3.0))
