"""Viewers are told the same from a small part of a state."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ectopy.datasets import simulate_recording
from ectopy.datasets.simulated import Episode
from ectopy.monitor import Chunk, Command, CommandKind, Monitor, MonitorState, Tick, chunks, status
from ectopy.monitor.codec import encode
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.snapshot import decode_snapshot, encode_snapshot
from ectopy.monitor.viewed_state import viewed_state, with_template, without_template
from support.monitor_steps import feed

LEARNING_S = 30.0


def states(monitor: Monitor) -> dict[str, MonitorState]:
    """A patient before and after learning, in an asystole, silent, discharged, and with other leads."""
    quick = Monitor(monitor.criterion, learning_s=LEARNING_S)
    recording = simulate_recording(60, leads=2, episodes=[Episode("asystole", 45, 8)], random_state=1)
    reached = {"new": MonitorState()}
    state = MonitorState()
    for second, chunk in enumerate(itertools.islice(chunks(recording), 60)):
        state, _ = feed(quick, state, chunk, Tick(chunk.received))
        if second in (0, 20, 40, 52):
            reached[f"second {second}"] = state
    reached["silent"], _ = feed(quick, state, Tick(75.0))
    reached["discharged"], _ = feed(quick, state, Command(CommandKind.DISCHARGE, 61.0, "nurse"))
    reached["admitted"], _ = feed(quick, reached["discharged"], Command(CommandKind.ADMIT, 62.0, "nurse"))
    other = Chunk(0, np.zeros((250, 1), np.float32), 250.0, ("V1",), 61.0, stream="other")
    reached["other leads"], _ = feed(quick, state, other)
    return reached


@pytest.mark.parametrize("later_s", [0.0, 6.0])
def test_the_status_of_a_viewed_state_is_that_of_the_state(monitor: Monitor, later_s: float):
    for name, state in states(monitor).items():
        viewed = decode_snapshot(encode_snapshot(viewed_state(state)))
        now = state.received + later_s
        assert status.patient_status(viewed, now, LEARNING_S) == status.patient_status(state, now, LEARNING_S), name
        for function in (
            status.active_alarms,
            status.origin,
            status.next_position,
            status.newest_sample_time,
            status.is_learning,
            status.clock_drift,
        ):
            assert function(viewed) == function(state), name
        assert encode(status.baseline(viewed)) == encode(status.baseline(state))
        assert (viewed.limits, viewed.origins, viewed.events) == (state.limits, state.origins, state.events)
        for condition in CONDITIONS:
            assert status.is_reported(viewed, condition) == status.is_reported(state, condition)
            assert status.is_present(viewed, condition) == status.is_present(state, condition)
        segment, seen = status.stream(state), status.stream(viewed)
        assert (segment is None) == (seen is None)
        if segment is not None and seen is not None:
            assert seen.second(1000) == segment.second(1000)
            assert (seen.stream, seen.leads, seen.rate_hz) == (segment.stream, segment.leads, segment.rate_hz)


def test_a_viewed_state_is_small(monitor: Monitor):
    sizes = {name: len(encode_snapshot(viewed_state(state))) for name, state in states(monitor).items()}
    assert max(sizes.values()) < 16_000


def test_a_template_that_was_left_out_is_that_of_an_earlier_state(monitor: Monitor):
    views = {name: viewed_state(state) for name, state in states(monitor).items()}
    for name, viewed in views.items():
        small = decode_snapshot(encode_snapshot(without_template(viewed)))
        assert len(encode_snapshot(small)) < 8000, name
        now = viewed.received
        assert status.patient_status(small, now, LEARNING_S) == status.patient_status(viewed, now, LEARNING_S), name
        assert encode(with_template(small, viewed)) == encode(viewed), name
        assert encode(with_template(viewed, views["second 20"])) == encode(viewed), name
    learned, other = without_template(views["second 52"]), views["other leads"]
    assert with_template(learned, other) is learned
    assert not status.normal(learned).template.size
