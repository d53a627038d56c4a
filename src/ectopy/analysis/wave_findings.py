"""Events in the waves of a recording, by `ectopy.analysis.wave_rules`: sustained changes of ST, and long QTc.

A change of ST is one of its level, whatever the reason: ischaemia is not told from a change of posture that hardly
changes the QRS complex, from a fast rate, or from drugs. Where the complex itself changes much, ST is not judged, and a
change of ST that goes with it is missed. Look at the strips; nothing here is a diagnosis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.analysis import Analysis
from ectopy.analysis.minute_waves import MINUTE_S, MinuteMeasurements
from ectopy.analysis.rhythm_events import Event, Extreme, fibrillation_episodes, find_events
from ectopy.analysis.stretches import episodes
from ectopy.analysis.wave_rules import (
    FAST_BPM,
    MOST_QRS_CHANGE,
    QTC_CLEAR_MS,
    QTC_LEAST_S,
    QTC_VERY_LONG_MS,
    REFERENCE_S,
    ST_LEAST_S,
    ST_MV,
    ST_STILL_MV,
    WIDE_QRS_MS,
    WaveKind,
    qtc_limit_ms,
)
from ectopy.arguments import checked
from ectopy.signal.beat_segments import finite_median

_HOUR = 60  # minutes


@checked
def find_wave_events(minutes: MinuteMeasurements, analysis: Analysis, sex: str = "") -> list[Event]:
    """Find sustained changes of ST in each lead and long QTc, in order of their start.

    Parameters
    ----------
    minutes : MinuteMeasurements
    analysis : Analysis
        Of the same recording; QTc is not judged in atrial fibrillation.
    sex : str
        ``male``, ``female``, or empty.
    """
    events = [*_st_changes(minutes), *_long_qtc(minutes, analysis, sex)]
    return sorted(events, key=lambda event: (event.start_s, event.kind))


def find_all_events(analysis: Analysis, minutes: MinuteMeasurements, sex: str = "") -> list[Event]:
    """Find the events of the rhythm, `find_events`, and of the waves, in order of their start."""
    events = [*find_events(analysis), *find_wave_events(minutes, analysis, sex)]
    return sorted(events, key=lambda event: (event.start_s, event.kind))


def st_levels(minutes: MinuteMeasurements) -> NDArray[np.float64]:
    """Return the level of the ST segment in mV, shape (leads, m): 80 ms after J, or 60 ms above 120 per minute."""
    fast = minutes.rr_s < 60.0 / FAST_BPM
    return np.where(fast, minutes.st.level_60_mv, minutes.st.level_80_mv)


def st_deviations(minutes: MinuteMeasurements) -> NDArray[np.float64]:
    """Return how far the ST level lies above the patient's own in mV, shape (leads, m); NaN = not known.

    The patient's own level in a lead is the median of the two hours before and after.
    """
    levels = st_levels(minutes)
    around = round(REFERENCE_S / MINUTE_S)
    padded = np.pad(levels, ((0, 0), (around, around)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1, axis=1)
    return np.asarray(levels - finite_median(windows))


def qrs_changes(minutes: MinuteMeasurements) -> NDArray[np.float64]:
    """Return how far the QRS complex of each minute differs from the usual one, shape (m,); NaN = not known.

    The root of the energy of the difference in all leads together over that of the usual complex, which is the median
    of the hour and the two hours before and after; 0.1 is common.
    """
    complexes = minutes.complexes_mv
    difference, size = np.zeros((2, len(minutes)))
    for start in range(0, len(minutes), _HOUR):
        hour = slice(start, start + _HOUR)
        usual = finite_median(complexes[:, max(start - 2 * _HOUR, 0) : start + 3 * _HOUR], axis=1)[:, None]
        is_known = np.isfinite(complexes[:, hour])
        difference[hour] = np.where(is_known, np.square(complexes[:, hour] - usual), 0.0).sum(axis=(0, 2))
        size[hour] = np.where(is_known, np.square(usual), 0.0).sum(axis=(0, 2))
    return np.sqrt(difference / np.where(size > 0, size, np.nan))


def _st_changes(minutes: MinuteMeasurements) -> list[Event]:
    events = []
    deviations = np.where(qrs_changes(minutes) > MOST_QRS_CHANGE, np.nan, st_deviations(minutes))
    for lead, deviation in zip(minutes.leads, deviations, strict=True):
        for kind, sign, side in ((WaveKind.ST_ELEVATION, 1, "above"), (WaveKind.ST_DEPRESSION, -1, "below")):
            beyond, near = sign * deviation >= ST_MV, sign * deviation >= ST_STILL_MV
            for first, last in episodes(beyond, near, minutes.start_s, 0, apart_s=ST_LEAST_S):
                greatest = first + int((sign * deviation[first : last + 1]).argmax())
                value_mv = float(deviation[greatest])
                text = f"{lead}: {abs(value_mv):.2f} mV {side} the patient's usual level at most"
                events.append(_event(minutes, kind, first, last, text, lead, value_mv, greatest))
    return events


def _long_qtc(minutes: MinuteMeasurements, analysis: Analysis, sex: str) -> list[Event]:
    qtc_ms = minutes.intervals.qtc_framingham_ms.copy()
    times_s = analysis.beats.times_s
    for first, last in fibrillation_episodes(analysis):
        qtc_ms[(minutes.start_s > times_s[first] - MINUTE_S) & (minutes.start_s < times_s[last])] = np.nan
    limit_ms = np.where(minutes.intervals.qrs_ms > WIDE_QRS_MS, QTC_VERY_LONG_MS, qtc_limit_ms(sex))
    beyond, near = qtc_ms >= limit_ms, qtc_ms >= limit_ms - QTC_CLEAR_MS
    events = []
    for first, last in episodes(beyond, near, minutes.start_s, 0, apart_s=MINUTE_S, least_s=QTC_LEAST_S - MINUTE_S):
        part = qtc_ms[first : last + 1]
        longest_ms = float(part.max())
        text = f"QTc (Framingham) {np.median(part):.0f} ms, {longest_ms:.0f} ms at most"
        longest = first + int(part.argmax())
        events.append(_event(minutes, WaveKind.LONG_QTC, first, last, text, "", longest_ms, longest))
    return events


def _event(
    minutes: MinuteMeasurements,
    kind: WaveKind,
    first: int,
    last: int,
    text: str,
    lead: str,
    value: float,
    extreme: int,
) -> Event:
    """Return the event of the minutes from the first to the last, whose extreme value is that of another minute."""
    beats = int(minutes.beats[first : last + 1].sum())
    start_s, end_s, extreme_s = (float(minutes.start_s[minute]) for minute in (first, last, extreme))
    most = Extreme(lead, round(value, 3), extreme_s + MINUTE_S / 2)
    return Event(kind.value, start_s, end_s + MINUTE_S, beats, text, extreme=most)
