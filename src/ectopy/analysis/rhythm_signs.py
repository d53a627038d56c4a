"""What the signal shows of the rhythm besides the beats: spikes of a pacemaker, and P waves that are not conducted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.blocked_p_waves import BlockedPWaves, find_blocked_p_waves
from ectopy.presentation import short_repr
from ectopy.recording import Recording
from ectopy.signal.beat_segments import BeatSegments
from ectopy.signal.filters import FilterSettings
from ectopy.signal.pacing_spikes import spikes_before


@dataclass(frozen=True, slots=True)
class RhythmSigns:
    """Signs of the rhythm in the signal of a recording; without any by default.

    Attributes
    ----------
    spikes_s : ndarray of float64, shape (n,)
        Pacing spikes shortly before beats, in order of time, from the start of the recording.
    blocked : BlockedPWaves
    """

    __repr__ = short_repr

    spikes_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    blocked: BlockedPWaves = field(default_factory=lambda: BlockedPWaves.of([]))


def find_signs(
    recording: Recording,
    beats: BeatSegments,
    intervals_s: NDArray[np.float64],
    ectopic: NDArray[np.bool_],
    filters: FilterSettings | None = None,
) -> RhythmSigns:
    """Find the signs in a recording whose beats have been judged.

    Parameters
    ----------
    recording, beats, intervals_s, ectopic, filters
        As for `find_blocked_p_waves`.
    """
    spikes_s = spikes_before(recording.signal, recording.sampling_rate_hz, beats.times_s)
    return RhythmSigns(
        spikes_s[np.isfinite(spikes_s)], find_blocked_p_waves(recording, beats, intervals_s, ectopic, filters)
    )
