"""Numbers and times as tables and JSON show them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.presentation import elapsed, finite_or_none, iso_utc


@pytest.mark.parametrize(
    ("seconds", "places", "text"),
    [
        (0, 0, "0:00:00"),
        (59.96, 0, "0:01:00"),
        (59.97, 1, "0:01:00.0"),
        (3725.44, 1, "1:02:05.4"),
        (3599.96, 1, "1:00:00.0"),
    ],
)
def test_a_duration_is_written_as_a_clock_shows_it(seconds: float, places: int, text: str):
    assert elapsed(seconds, places) == text


@given(st.floats(0, 1e7), st.sampled_from([0, 1]))
def test_a_duration_reads_back_as_itself(seconds: float, places: int):
    hours, minutes, rest = elapsed(seconds, places).split(":")
    assert 0 <= int(minutes) < 60
    assert 0 <= float(rest) < 60
    read = 3600 * int(hours) + 60 * int(minutes) + float(rest)
    assert read == pytest.approx(seconds, rel=1e-9, abs=0.501 / 10**places)


def test_a_moment_is_written_in_utc():
    assert iso_utc(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"


@given(st.floats() | st.none())
def test_only_finite_numbers_stay(value: float | None):
    finite = finite_or_none(value)
    assert finite == value if value is not None and math.isfinite(value) else finite is None
