"""Index, word and intervals of the quality agree."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectopy.signal.quality import QUALITY_WORDS
from support.examples import examples
from support.signal_quality import ecg, judged


@given(st.integers(0, 2**32 - 1), st.floats(100, 1000))
@settings(max_examples=examples(25))
def test_index_word_and_stretches_agree_whatever_comes(seed: int, rate_hz: float):
    rng = np.random.default_rng(seed)
    signal = ecg(rng.uniform(0.1, 40), rate_hz) * rng.choice([1e-4, 0.1, 1.0, 1e4], 2)
    for _ in range(rng.integers(6)):
        start, lead = rng.integers(len(signal)), rng.integers(2)
        signal[start : start + rng.integers(1, 10 * rate_hz), lead] = rng.choice([np.nan, np.inf, 0.0, 5.0, -1e4])
    quality = judged(signal, rate_hz)
    assert np.all((quality.index >= 0) & (quality.index <= 1))
    assert np.all(np.isin(quality.word, QUALITY_WORDS))
    np.testing.assert_array_equal(quality.readable, quality.word == "good")
    for lead in (0, 1):
        stretches = [stretch for stretch in quality.intervals() if stretch.lead == lead]
        assert stretches[0].start_s == 0
        assert stretches[-1].end_s == pytest.approx(len(signal) / rate_hz)
        for current, other in pairwise(stretches):
            assert current.end_s == other.start_s
            assert current.word != other.word
        lengths = np.diff([*(stretch.start_s for stretch in stretches), quality.index.shape[1]])
        means = [stretch.index for stretch in stretches]
        assert np.average(means, weights=lengths) == pytest.approx(quality.index[lead].mean())
