"""The quality of a stream is that of the whole recording, whatever its length and content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.datasets.simulated import Episode
from ectopy.errors import DataError
from ectopy.signal import assess, filter_signal
from ectopy.signal.filters import Filter, filter_end, filter_step
from ectopy.signal.quality_assessment import QualityState, quality_end, quality_step
from support.examples import examples
from support.signal_quality import ecg, judged


@pytest.mark.parametrize("samples", [0, 1, 2, 300, 1001])
@pytest.mark.parametrize("rate_hz", [100.0, 257.3, 1000.0])
def test_short_flat_and_missing_signals_are_judged(samples: int, rate_hz: float):
    windows = int(np.ceil(samples / rate_hz))
    for value, word in ((0.0, "lead off"), (7.0, "lead off"), (np.nan, "missing"), (np.inf, "missing")):
        quality = judged(np.full((samples, 2), value), rate_hz)
        assert quality.word.shape == (2, windows)
        assert np.all(quality.word == word)
        assert not quality.readable.any()
        assert len(quality.intervals()) == (2 if windows else 0)


@given(st.integers(0, 2**32 - 1), st.floats(100, 1000))
@settings(max_examples=examples(15))
def test_a_stream_in_any_chunking_is_judged_as_the_whole(seed: int, rate_hz: float):
    rng = np.random.default_rng(seed)
    signal = ecg(30, rate_hz, episodes=[Episode("noise", 8, 5), Episode("lead_off", 18, 6)])
    for _ in range(3):
        start, lead = rng.integers(len(signal)), rng.integers(2)
        signal[start : start + rng.integers(1, 5 * rate_hz), lead] = rng.choice([np.nan, 5.0, -1e4])
    plan = Filter.of(rate_hz)
    filters, state, parts, start = plan.fresh(2), QualityState.fresh(2), [], 0
    while start < len(signal):
        chunk = signal[start : start + rng.choice([1, 40, 3000])].T
        filters, _, filtered = filter_step(plan, filters, chunk)
        state, part = quality_step(state, rate_hz, chunk, filtered)
        parts.append(part)
        start += chunk.shape[1]
    parts.append(quality_end(state, rate_hz, filter_end(plan, filters)[1]))
    index, word = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    whole = judged(signal, rate_hz)
    np.testing.assert_array_equal(index, whole.index)
    np.testing.assert_array_equal(word, whole.word)


def test_a_filtered_signal_of_another_recording_is_refused():
    signal = ecg(20)
    filtered = filter_signal(signal, 250.0)
    for wrong, rate_hz in ((signal[:-500], 250.0), (signal[:, :1], 250.0), (signal, 500.0), (signal[:, 0], 250.0)):
        with pytest.raises(DataError, match="filter the signal"):
            assess(wrong, rate_hz, filtered)
