"""Refuse recordings whose amplitude shows that the stated unit is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ectopy.errors import DataError
from ectopy.recording import Recording
from ectopy.signal.filters import Filtered, filter_signal
from ectopy.signal.quality import Quality
from ectopy.signal.quality_assessment import assess

_START_S = 300.0
_MOST_READABLE = 0.05
_LEAST_SPAN_MV, _MOST_SPAN_MV = 0.01, 20.0
_USUAL_SPAN_MV = 1.0
_LEAST_READABLE = 0.5
_LEAST_KURTOSIS = 5.0


def require_plausible_amplitude(recording: Recording, filtered: Filtered, quality: Quality) -> None:
    """Refuse a recording that would be an ECG if it were smaller or larger by a factor.

    That is so if all leads are unreadable in 95 % of the time or more, and a lead spans less than 0.01 mV or more
    than 20 mV in most seconds; and if this lead, scaled to span 1 mV, is readable in half of the time or more. Noise
    and hum are as noisy at any scale; slow movement has no QRS complexes that stand out, as by a kurtosis of at least
    five (after Clifford, Behar, Li, Rezek 2012, doi:10.1088/0967-3334/33/9/1419).

    Parameters
    ----------
    recording : Recording
    filtered : Filtered
        From `filter_signal`.
    quality : Quality
        From `assess`.

    Raises
    ------
    DataError
        With the size of the signal, and the question for the unit.
    """
    readable = quality.readable
    if not readable.size or float(np.mean(readable.any(axis=0))) > _MOST_READABLE:
        return
    for lead in range(len(recording.leads)):
        span_mv = _usual_span_mv(filtered, lead)
        if span_mv == 0 or np.isnan(span_mv) or _LEAST_SPAN_MV <= span_mv <= _MOST_SPAN_MV:
            continue
        if _is_ecg(recording, filtered, lead, _USUAL_SPAN_MV / span_mv):
            size = f"{span_mv:,.0f} mV" if span_mv > _MOST_SPAN_MV else f"{1000 * span_mv:.2g} uV"
            raise DataError(
                f"{recording.source or 'the recording'} cannot be read: {recording.leads[lead]} spans {size}, and an "
                "ECG spans about 1 mV; is the unit really mV? State it, or scale raw counts to mV."
            )


def require_plausible_start(recording: Recording) -> None:
    """Apply `require_plausible_amplitude` to the first five minutes, for a recording that is processed as a stream."""
    start = replace(
        recording, signal=recording.signal[: round(_START_S * recording.sampling_rate_hz)], annotations=None
    )
    filtered = filter_signal(start.signal, start.sampling_rate_hz)
    require_plausible_amplitude(start, filtered, assess(start.signal, start.sampling_rate_hz, filtered))


def _usual_span_mv(filtered: Filtered, lead: int) -> float:
    """Return the median over the seconds of the span of the filtered signal; NaN without a complete second."""
    second = round(filtered.rate_hz)
    signal = filtered.with_gaps()[lead]
    seconds = signal[: len(signal) // second * second].reshape(-1, second)
    spans = np.ptp(seconds, axis=1)
    spans = spans[np.isfinite(spans)]
    return float(np.median(spans)) if len(spans) else float("nan")


def _is_ecg(recording: Recording, filtered: Filtered, lead: int, factor: float) -> bool:
    """Return whether a lead is readable, and has peaks, when it is scaled by a factor."""
    row = slice(lead, lead + 1)
    scaled = Filtered(factor * filtered.signal[row], filtered.missing[row], filtered.rate_hz)
    quality = assess(factor * recording.signal[:, row].astype(np.float64), recording.sampling_rate_hz, scaled)
    if quality.readable.mean() < _LEAST_READABLE:
        return False
    valid = scaled.signal[0, ~scaled.missing[0]]
    deviation = valid - valid.mean()
    kurtosis = np.mean(deviation**4) / np.mean(deviation**2) ** 2
    return bool(kurtosis >= _LEAST_KURTOSIS)
