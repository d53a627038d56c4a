from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.monitor.rhythm_input import DetectorOutput
from ectopy.monitor.technical import TechnicalState, clock, no_data, technical_step
from ectopy.signal.quality import QUALITY_WORDS
from support.beat_streams import judged


def readings_of(words: list[tuple[str, ...]]) -> list[tuple[bool | None, bool | None]]:
    """``lead off`` and ``noise`` after each half second."""
    state, told = TechnicalState(), []
    for number, now in enumerate(words):
        at_s = 0.5 * (number + 1)
        state, readings = technical_step(state, DetectorOutput(at_s, at_s - 1.9, np.empty(0), judged([], ""), now))
        assert [reading.condition for reading in readings] == ["lead off", "noise"]
        told.append((readings[0].present, readings[1].present))
    return told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), (None, None)),
        (("good", "noisy"), (False, False)),
        (("lead off", "good"), (False, False)),
        (("noisy", "noisy"), (False, True)),
        (("flat", "flat"), (True, False)),
        (("missing",), (True, False)),
        (("saturated",), (True, False)),
        (("lead off", "noisy"), (True, True)),
    ],
)
def test_leads_are_off_or_noisy_only_where_none_is_readable(words: tuple[str, ...], expected: tuple):
    assert readings_of([words]) == [expected]


@given(st.lists(st.lists(st.sampled_from(QUALITY_WORDS), min_size=1, max_size=3).map(tuple), min_size=1))
def test_a_signal_that_cannot_be_read_always_has_a_technical_condition(words: list[tuple[str, ...]]):
    told = readings_of(words)
    for now, (off, noise) in zip(words, told, strict=True):
        assert (off or noise) == ("good" not in now)


def test_a_condition_lasts_until_a_lead_is_readable_again():
    told = readings_of([("noisy",), ("flat",), ("noisy",), ("good",), ("noisy",)])
    assert told == [(False, True), (True, True), (True, True), (False, False), (False, True)]


def test_the_text_says_how_long_and_why():
    state = TechnicalState()
    for at_s in np.arange(0.5, 13, 0.5).tolist():
        state, (off, _) = technical_step(
            state, DetectorOutput(at_s, at_s, np.empty(0), judged([], ""), ("flat", "noisy"))
        )
    assert off.text == "No lead has been readable for 12 s: now flat, noisy."
    assert off.value == 12.0


@pytest.mark.parametrize(("seconds", "present"), [(0, False), (9.9, False), (10, True), (3600, True)])
def test_no_data_is_ten_seconds_without_samples(seconds: float, present: bool):
    assert no_data(1e9 + seconds, 1e9).present is present


@pytest.mark.parametrize(
    ("sent", "expected", "present"),
    [
        (None, None, None),
        (1e9, None, False),
        (1e9 - 59, None, False),
        (1e9 - 61, None, True),
        (1e9 + 61, None, True),
        (1e9, 1e9 - 1.9, False),
        (1e9, 1e9 - 2.1, True),
        (1e9, 1e9 + 2.1, True),
    ],
)
def test_a_clock_that_jumps_or_is_a_minute_off_is_told(
    sent: float | None, expected: float | None, present: bool | None
):
    assert clock(sent, expected, received=1e9).present is present
