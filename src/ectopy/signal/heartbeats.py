"""Detect heartbeats: the position of each QRS complex, from all readable leads together.

The energy between 5 and 25 Hz shows where a lead is steep. Each lead is scaled by its own recent QRS complexes and
weighted by how far they stand out, so that a beat that is low in one lead is detected in another, and a noisy lead does
not drown a clean one. A rule with a small memory then accepts or rejects the peaks of this QRS strength, in the manner
of Pan and Tompkins (doi:10.1109/TBME.1985.325532): a threshold that follows the recent beats, a refractory period, a
guard against T waves, and a search back where a beat is overdue. Constants were chosen on the records DS1 of the
MIT-BIH Arrhythmia Database and checked on the QT Database, those of the leads' agreement and the threshold on both.

An electrode that moves draws what looks like a QRS complex, in its own lead. So a peak is not a beat if the other leads
showed the last four beats and do not show this: less than half of what they showed of the least clear of these, and
less than 0.25. Of 51,000 beats of the QT Database none is as low as 0.15 in either lead. Where a beat is overdue, or
the next peak is of one lead as well, it counts after all: the other leads may have lost the heart.

Noise is not measured by itself: a lead that has not shown a QRS complex yet, and shows only noise, has no beats. A
second counts as noise if nothing stands out in it and its energy lies near the upper end of the band, as that of white
noise, muscle or a coarse converter does. That of QRS complexes, ventricular tachycardia and fibrillation lies lower: on
the records of the MIT-BIH Malignant Ventricular Ectopy Database the measure is below 0.65 in 99 % of the seconds of
fibrillation, flutter and tachycardia, and above 0.7 in every second of white noise sampled at 125 to 1000 Hz.

A fast rhythm leaves no background between its beats for these to stand out from. It is recognised because it repeats
itself: if the last three seconds of a lead correlate with themselves 0.17 to 0.6 s later by at least 0.6, they are
not noise (at most 0.45 in 16,000 s of white noise), and below a period of 0.35 s the refractory period follows. A
period counts only if no longer one fits better by a tenth, if every interval of that length has a peak half as high
as the highest, and if that is as high as QRS complexes are. A polymorphic tachycardia does not repeat itself, as its
complexes and intervals change from beat to beat; but four wide peaks in a row that are at most 0.32 s apart, evenly
within a factor of 1.5, and alike in height and sharpness within a factor of two have a period as well. T waves are
lower and smoother than the QRS complexes between them, and muscle noise is sharper than wide complexes: above 0.4.

A T wave differs from a beat by its curvature, less than 0.17 of that of the beat before it: of 2,500 beats that follow
another within 0.42 s on DS1 and in the QT Database, six are so smooth. A second is assumed to hold only a P wave, and
the height of QRS complexes is not learned from it, if its highest peak is smooth, below 0.09 mV and below 0.4 of
the height of recent seconds. P waves of more than a quarter of the energy of the QRS complexes still count as beats.

Polarity does not matter, nor does amplitude down to QRS complexes of about 0.5 mV from peak to peak. Lower ones are
still detected, down to about 0.05 mV; in a second in which nothing is higher, a lead counts as silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ectopy import large_arrays
from ectopy.signal.array_columns import join, select
from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import HALVING, Fir, FirState, design_bandpass, fir_end, fir_step, missing_step
from ectopy.signal.state_replace import replace

STRENGTH_RATE_HZ = ANALYSIS_RATE_HZ // 2
_STEP = 600 * ANALYSIS_RATE_HZ

_ENERGY = Fir(np.full(7, 1 / 7))
_CURVATURE = Fir(np.array([-1.0, 2.0, -1.0]))

_BLOCK = STRENGTH_RATE_HZ  # one second
_REMEMBERED_BLOCKS = 9
_FIRST_BLOCKS = 3
_LEAST_BLOCKS = 2
_LATELY_BLOCKS = 120
_STILL_SHARE = 0.25
_STANDS_OUT = 3.5
_NOISE_CURVATURE = 0.75
_NOISE_STANDS_OUT = 5.0
_HIDES_NOTHING_OVER = 4.0
_HIDES_NOTHING_SHARE = 0.5
_HIDES_NOTHING_MV = 0.2
_P_WAVE_BLOCKS, _P_WAVE_RANK = 20, 3
_P_WAVE_MV, _P_WAVE_SHARE, _P_WAVE_SHARPNESS = 0.09, 0.4, 0.4
_CARRIED_BLOCKS = 3
_EMPTY_BLOCKS = 8
_BACKGROUND_PERCENTILE = 40
_LEAST_HEIGHT_MV = 0.02
_LEAST_UNCLEAR_MV = 0.05
_LEAST_BACKGROUND_MV = 0.001
_LEAST_BACKGROUND_SHARE = 0.5
_LEAST_CLEARNESS = 0.01
_LEAST_WEIGHT = _LEAST_CLEARNESS**2
_WINDOW_BLOCKS = 3  # in which a rhythm has to repeat itself
# Periods and RR intervals in samples at 90 Hz: 0.17 to 0.6 s, and 1.2 s.
_LONGEST_PERIOD = 54
_SHORTEST_PERIOD = 15
_LONGEST_RR = 108
_BEAT_SPREAD = 4
_BEAT_SHARE = 0.5
_LEAST_REPEATED = 0.6
_NEARLY_AS_WELL = 0.9
_STEADY_SHARE = 0.2
_MAY_REPEAT_BELOW = 7.0
_AT_ONCE = 4096
_APART = 13  # a peak is the highest within this number of samples to each side
_CLOSE = np.arange(-7, 8)
_NEAR = np.arange(-_APART, _APART + 1)
_LEAST_STRENGTH = 0.08

_THRESHOLD = 0.34
_REFRACTORY = round(0.25 * STRENGTH_RATE_HZ)
_REFRACTORY_SHARE = 0.7  # of the period of a fast rhythm
_IN_TIME_SHARE = 0.8
_ROW = 4  # peaks in step
_LONGEST_STEP = 0.32 * STRENGTH_RATE_HZ
_EVEN_STEP, _ALIKE_PEAKS, _WIDE_SHARPNESS = 1.5, 2.0, 0.4
_T_WAVE_SHARE, _T_WAVE_SHARPNESS = 0.6, 0.65
_T_WAVE_UNTIL, _T_WAVE_OVER = 0.30 * STRENGTH_RATE_HZ, 0.45 * STRENGTH_RATE_HZ
_SMOOTH_SHARE = 0.17
_SMOOTH_UNTIL = 0.40 * STRENGTH_RATE_HZ
_SMOOTH_HEIGHT = 1.2
_OVERDUE = 1.6
_OVERDUE_SHARE = 0.7
_AGREEING_BEATS = 4
_OTHER_LEADS_SHARE, _MOST_IN_OTHER_LEADS = 0.5, 0.25
_LOOK_BACK = 3.0 * STRENGTH_RATE_HZ
_REMEMBERED_BEATS = 8
_LEVEL_RANGE = (0.6, 2.0)
_RR_RANGE = (0.17 * STRENGTH_RATE_HZ, 1.5 * STRENGTH_RATE_HZ)
_USUAL_RR = 0.8 * STRENGTH_RATE_HZ

Peak = tuple[float, float, float, float]
"""Position, height, sharpness, and height in the other leads; see `QrsStrength`."""


@dataclass(frozen=True, slots=True)
class QrsStrength:
    """Return how strongly the leads of each patient show a QRS complex, at `STRENGTH_RATE_HZ`.

    Attributes
    ----------
    height : ndarray of float64, shape (patients, k)
        1 = a usual QRS complex.
    other_leads : ndarray of float64, shape (patients, k)
        Height without the lead that contributes most to it; `height` itself where no other lead shows QRS complexes.
    sharpness : ndarray of float64, shape (patients, k)
        Power of the curvature over that of the signal, both between 5 and 25 Hz: about 1 in a narrow QRS complex, 0.1
        to 0.5 in a wide one, at most 0.2 in most P and T waves.
    period : ndarray of float64, shape (patients, k)
        Samples after which the signal of the last three complete seconds repeats itself; 0 where it does not, or where
        the QRS complexes stand out so far that the rhythm cannot be a fast one.
    """

    height: NDArray[np.float64]
    other_leads: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    period: NDArray[np.float64]

    @classmethod
    def zero(cls, samples: int, patients: int = 1) -> QrsStrength:
        """Return the strength of a signal without QRS complexes."""
        zeros = np.zeros((patients, samples))
        return cls(zeros, zeros, zeros, zeros)

    def __getitem__(self, stretch: slice) -> QrsStrength:
        return select(self, (slice(None), stretch))


@dataclass(frozen=True, slots=True)
class BeatDetectorMemory:
    """Memory of the rule that accepts peaks; positions are samples at `STRENGTH_RATE_HZ`.

    Attributes
    ----------
    heights, intervals : tuple of float
        Strength of the last beats, and the RR intervals between them.
    other_leads : tuple of float
        Strength of the last beats in the other leads.
    beat : Peak or None
        The last beat.
    told : bool
        Whether it has been emitted as a result; until then a higher peak close by may replace it.
    passed_over : tuple of Peak
        Later peaks that were too low, for the search back.
    recent : tuple of Peak
        The last three peaks, whether or not they are beats.
    """

    heights: tuple[float, ...] = (1.0,) * _REMEMBERED_BEATS
    intervals: tuple[float, ...] = (_USUAL_RR,) * _REMEMBERED_BEATS
    other_leads: tuple[float, ...] = (0.0,) * _AGREEING_BEATS
    beat: Peak | None = None
    told: bool = True
    passed_over: tuple[Peak, ...] = ()
    recent: tuple[Peak, ...] = ()


@dataclass(frozen=True, slots=True)
class LeadAmplitude:
    """Height of the QRS complexes of a lead, and of the background between them.

    Attributes
    ----------
    usual : ndarray of float64, shape (2, 1)
        Height and background, as energy between 5 and 25 Hz in millivolt.
    heights : ndarray of float64, shape (120,)
        Height of the last seconds in which something stood out; 0 where there were fewer.
    """

    usual: NDArray[np.float64]
    heights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LeadsState:
    """Memory of the leads, to scale each by its own QRS complexes.

    Attributes
    ----------
    waiting, bent, waves, absent : ndarray, shape (leads, k)
        Energy of the incomplete second, the power of its curvature, the signal between 5 and 25 Hz itself, and where
        the signal is missing; of the first three seconds at the start.
    levels : ndarray of float64, shape (2, leads, 9)
        Height and background of the last usable blocks of one second; NaN before there are as many.
    usual : ndarray of float64, shape (2, leads, 1)
        Their median; NaN where there are fewer than two.
    heights : ndarray of float64, shape (leads, 120)
        Heights of the last blocks in which something stood out; 0 before there are as many.
    recent : ndarray of float64, shape (leads, 90)
        Energy of the second before.
    recent_waves : ndarray of float64, shape (leads, 180)
        Signal between 5 and 25 Hz of the two seconds before.
    repeats : ndarray of float64, shape (2, leads, 1)
        Period of the last three complete seconds in samples, and its correlation; 0 where they do not repeat
        themselves.
    given : int
        Samples of `waiting` whose strength has been returned already.
    blocks : int
        Seconds completed, counted up to three.
    settled : bool
        Whether `usual` is known for every lead; from then on it remains so.
    empty : ndarray of bool, shape (leads, 8)
        The last complete seconds that show no QRS complex: only noise, less than 0.02 mV, or no signal.
    clear : ndarray of bool, shape (leads, 1)
        Whether a QRS complex would have stood out in the newest complete second, but did not: nothing in it is
        half as high as the usual ones, or it shows only noise whose background is at most a quarter of them; less than
        0.2 mV where the usual height is not known.
    """

    waiting: NDArray[np.float64]
    bent: NDArray[np.float64]
    waves: NDArray[np.float64]
    absent: NDArray[np.bool_]
    levels: NDArray[np.float64]
    usual: NDArray[np.float64]
    heights: NDArray[np.float64]
    recent: NDArray[np.float64]
    recent_waves: NDArray[np.float64]
    repeats: NDArray[np.float64]
    empty: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    given: int = 0
    blocks: int = 0
    settled: bool = False

    @classmethod
    def fresh(cls, leads: int, amplitudes: Sequence[LeadAmplitude | None] = ()) -> LeadsState:
        """Return the state before the first sample, with the amplitudes of an earlier stream where they are known."""
        levels = np.full((2, leads, _REMEMBERED_BLOCKS), np.nan)
        heights = np.zeros((leads, _LATELY_BLOCKS))
        # Only three blocks: if electrodes were moved, new blocks soon outnumber them.
        for lead, amplitude in enumerate(amplitudes):
            if amplitude is not None:
                levels[:, lead, -_CARRIED_BLOCKS:] = amplitude.usual
                heights[lead] = amplitude.heights
        return cls(
            waiting=np.empty((leads, 0)),
            bent=np.empty((leads, 0)),
            waves=np.empty((leads, 0)),
            absent=np.empty((leads, 0), np.bool_),
            levels=levels,
            usual=_usual(levels)[..., None],
            heights=heights,
            recent=np.zeros((leads, _BLOCK)),
            recent_waves=np.zeros((leads, (_WINDOW_BLOCKS - 1) * _BLOCK)),
            repeats=np.zeros((2, leads, 1)),
            empty=np.zeros((leads, _EMPTY_BLOCKS), np.bool_),
            clear=np.zeros((leads, 1), np.bool_),
        )

    def amplitudes(self) -> tuple[LeadAmplitude | None, ...]:
        """Return the amplitudes with which another stream of the same leads can begin; None where not known."""
        measured = np.isfinite(self.usual[0, :, 0])
        rows = zip(measured, self.usual.swapaxes(0, 1), self.heights, strict=True)
        return tuple(LeadAmplitude(usual, heights) if is_known else None for is_known, usual, heights in rows)


@dataclass(frozen=True, slots=True)
class PeaksState:
    """State of the search for peaks.

    Attributes
    ----------
    evidence : QrsStrength
        The newest strength of one patient, in which the search for peaks is not finished.
    start : int
        Position of its first sample.
    rhythm : BeatDetectorMemory
    """

    evidence: QrsStrength
    start: int
    rhythm: BeatDetectorMemory

    @classmethod
    def fresh(cls) -> PeaksState:
        """Return the state before the first sample, which may itself be a peak."""
        return cls(QrsStrength.zero(_APART), -_APART, BeatDetectorMemory())


@dataclass(frozen=True, slots=True)
class QrsStrengthState:
    """State between filtered signal and QRS strength.

    Attributes
    ----------
    band, energy, curvature, bent, missing : FirState
        Of the filters.
    leads : LeadsState
    """

    band: FirState
    energy: FirState
    curvature: FirState
    bent: FirState
    missing: FirState
    leads: LeadsState

    @classmethod
    def fresh(cls, leads: int, amplitudes: Sequence[LeadAmplitude | None] = ()) -> QrsStrengthState:
        """Return the state before the first sample; see `LeadsState.fresh`."""
        fresh, missing = FirState.fresh(leads), FirState.fresh_missing(leads)
        return cls(fresh, fresh, fresh, fresh, missing, LeadsState.fresh(leads, amplitudes))


def qrs_strength_step(
    state: QrsStrengthState, filtered: Filtered, patients: int = 1
) -> tuple[QrsStrengthState, QrsStrength]:
    """Measure the QRS strength of the next filtered samples.

    Parameters
    ----------
    state : QrsStrengthState
    filtered : Filtered
        The leads of the first patient, then those of the next; each patient has the same number.
    patients : int

    Returns
    -------
    state : QrsStrengthState
    strength : QrsStrength
        Of all samples that later ones cannot change.
    """
    # The signal between 5 and 25 Hz at 90 Hz, and its power averaged over 80 ms.
    band, qrs = fir_step(_qrs_band(), state.band, filtered.signal)
    energy, power = fir_step(_ENERGY, state.energy, qrs * qrs)
    # The same of its second difference, which tells sharp waves from smooth ones.
    curvature, curved = fir_step(_CURVATURE, state.curvature, qrs)
    bent, bend = fir_step(_ENERGY, state.bent, curved * curved)
    missing, absent = missing_step(HALVING, state.missing, filtered.missing)
    leads, strength = _normalise_leads(state.leads, power, bend, qrs, absent, patients, last=False)
    return QrsStrengthState(band, energy, curvature, bent, missing, leads), strength


def qrs_strength_end(state: QrsStrengthState) -> QrsStrength:
    """Return the strength that remains when the signal of one patient ends."""
    edge = np.zeros((len(state.band.recent), 1))
    qrs = fir_end(_qrs_band(), state.band, state.band.recent[:, -1:] if state.band.recent.shape[1] else edge)
    energy, power = fir_step(_ENERGY, state.energy, qrs * qrs)
    power = np.concatenate([power, fir_end(_ENERGY, energy, edge)], axis=1)
    curvature, curved = fir_step(_CURVATURE, state.curvature, qrs)
    curved = np.concatenate([curved, fir_end(_CURVATURE, curvature, qrs[:, -1:] if qrs.shape[1] else edge)], axis=1)
    bent, bend = fir_step(_ENERGY, state.bent, curved * curved)
    bend = np.concatenate([bend, fir_end(_ENERGY, bent, edge)], axis=1)
    missing = fir_end(HALVING, state.missing, edge) > 0
    return _normalise_leads(state.leads, power, bend, qrs, missing, 1, last=True)[1]


def in_empty_seconds(leads: LeadsState, peaks: PeaksState, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which recent heartbeats lie in a second in which no lead shows a QRS complex.

    Parameters
    ----------
    leads, peaks : LeadsState and PeaksState
        Of one patient, after the same step.
    positions : ndarray of float64, shape (n,)
        In samples at `STRENGTH_RATE_HZ`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for a second that is not complete, or more than eight seconds ago.
    """
    empty = np.logical_and.reduce(leads.empty, axis=0)
    if not empty.any():
        return np.zeros(len(positions), np.bool_)
    complete = (peaks.start + peaks.evidence.height.shape[1] - leads.given) // _BLOCK
    places = positions.astype(int) // _BLOCK - complete + _EMPTY_BLOCKS
    inside = (places >= 0) & (places < _EMPTY_BLOCKS)
    return np.asarray(inside & empty[np.where(inside, places, 0)])


def known_to(state: PeaksState) -> float:
    """Return up to which sample at `STRENGTH_RATE_HZ` beats are emitted; a search back may still add an earlier one."""
    return state.start + _APART - 0.5 - _REFRACTORY


def peaks_step(state: PeaksState, evidence: QrsStrength) -> tuple[PeaksState, NDArray[np.float64]]:
    """Detect heartbeats in the next samples of QRS strength; the result does not depend on how these are divided.

    Parameters
    ----------
    state : PeaksState
    evidence : QrsStrength
        Of one patient.

    Returns
    -------
    state : PeaksState
    positions : ndarray of float64, shape (n,)
        In samples at `STRENGTH_RATE_HZ`, in order. A beat is emitted when later samples cannot change it: usually half
        a second after it, later where it was passed over at first.
    """
    return _decide(state, evidence, last=False)


def peaks_end(state: PeaksState, evidence: QrsStrength) -> NDArray[np.float64]:
    """Return the heartbeats that remain when the signal ends, with its last samples."""
    return _decide(state, evidence, last=True)[1]


def find_heartbeats(filtered: Filtered) -> NDArray[np.float64]:
    """Detect the heartbeats of a whole filtered signal, ten minutes at a time.

    Parameters
    ----------
    filtered : Filtered

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds from the start of the signal, in order, at least 0.24 s apart, or 0.11 s in a fast rhythm.
    """
    parts = large_arrays.blocks(filtered.signal.shape[1], _STEP, filtered.signal, filtered.missing)
    return np.concatenate(list(heartbeats_by_part(filtered, parts)))


def heartbeats_by_part(filtered: Filtered, parts: Iterable[slice]) -> Iterator[NDArray[np.float64]]:
    """Yield the heartbeats that `find_heartbeats` returns: after each part those that are known, then the rest.

    Parameters
    ----------
    filtered : Filtered
    parts : iterable of slice
        Of the samples, one after the other, each as soon as its samples are there.
    """
    state, peaks, rate_hz = QrsStrengthState.fresh(len(filtered.signal)), PeaksState.fresh(), filtered.rate_hz / 2
    for part in parts:
        state, evidence = qrs_strength_step(state, filtered[part])
        peaks, of_part = peaks_step(peaks, evidence)
        yield of_part / rate_hz
    yield peaks_end(peaks, qrs_strength_end(state)) / rate_hz


def _normalise_leads(
    state: LeadsState,
    power: NDArray[np.float64],
    bend: NDArray[np.float64],
    qrs: NDArray[np.float64],
    missing: NDArray[np.bool_],
    patients: int,
    *,
    last: bool,
) -> tuple[LeadsState, QrsStrength]:
    """Scale the energy of each lead by its usual QRS complexes, and combine the leads of each patient.

    Parameters
    ----------
    power, bend : ndarray of float64, shape (leads, k)
        Power between 5 and 25 Hz, and of its curvature; the next samples at 90 Hz.
    qrs : ndarray of float64, shape (leads, k)
        The signal in that band.
    missing : ndarray of bool, shape (leads, k)
    last : bool
        Whether the signal ends with these samples.
    """
    # Samples that wait for their second to be complete come first.
    energy = np.concatenate([state.waiting, np.sqrt(np.maximum(power, 0.0))], axis=1)
    bent = np.concatenate([state.bent, bend], axis=1)
    waves = np.concatenate([state.waves, qrs], axis=1)
    absent = np.concatenate([state.absent, missing], axis=1)
    # The curvature is known one sample after the energy.
    ready = min(energy.shape[1], bent.shape[1], absent.shape[1])
    # Seconds that have begun, and those that are complete; the last one of a signal counts as complete.
    seconds = -(-ready // _BLOCK)
    complete = seconds if last else ready // _BLOCK
    if ready == state.given or (state.blocks + complete < _FIRST_BLOCKS and not last):
        return replace(state, waiting=energy, bent=bent, waves=waves, absent=absent), QrsStrength.zero(0, patients)
    emitted = state.given
    energies, absences = _in_blocks(energy[:, :ready], 0.0), _in_blocks(absent[:, :ready], True)
    bends = _in_blocks(bent[:, :ready], 0.0)
    consumed = complete * _BLOCK
    # What precedes each second is needed for its period; the last second of a signal is filled up with zeros.
    windows = np.concatenate(
        [state.recent_waves, _in_blocks(waves[:, :ready], 0.0)[:, :complete].reshape(len(waves), -1)], axis=1
    )
    blocks = _summarise_seconds(state, energies[:, :complete], bends[:, :complete], windows, absences[:, :complete])
    usual = blocks.usual
    measures, warmed_up = usual, state.settled
    if not warmed_up:
        unknown = np.isnan(usual[0])
        warmed_up = not unknown[:, -1].any()
        # A second before which no lead is known is scaled by itself, in each lead that shows more than noise; the
        # incomplete one then has to wait. A lead that is still unknown beside known ones does not count.
        by_itself = unknown.all(axis=0)
        if by_itself[complete]:
            ready = min(ready, consumed)
        measures = np.where(unknown, 0.0, usual)
        measures[..., :complete] = np.where(by_itself[:complete], blocks.own, measures[..., :complete])
        unknown[:, :complete] &= ~(by_itself[:complete] & blocks.usable)
        absences |= unknown[:, :seconds, None]
    # Leads without any QRS complex in the last second get the least weight.
    recent = np.concatenate([state.recent, energies.reshape(len(energies), -1)], axis=1)
    silent = _silent(recent).reshape(energies.shape)
    strength = _strength(
        energies, bends, absences, silent, measures[..., :seconds], blocks.repeats[..., :seconds], patients
    )
    state = LeadsState(
        waiting=energy[:, consumed:],
        bent=bent[:, consumed:],
        waves=waves[:, consumed:],
        absent=absent[:, consumed:],
        levels=blocks.levels,
        usual=usual[..., -1:],
        heights=blocks.heights,
        recent=recent[:, consumed : consumed + _BLOCK],
        recent_waves=windows[:, consumed:],
        repeats=blocks.repeats[..., -1:],
        empty=blocks.empty,
        clear=blocks.clear,
        given=max(ready - consumed, 0),
        blocks=min(state.blocks + complete, _FIRST_BLOCKS),
        settled=warmed_up,
    )
    return state, strength[emitted:ready]


def _in_blocks(values: NDArray[Any], filling: float) -> NDArray[Any]:
    """Divide into seconds, the last one filled up; shape (leads, seconds, 90)."""
    leads, length = values.shape
    blocks = np.full((leads, -(-length // _BLOCK) * _BLOCK), filling, values.dtype)
    blocks[:, :length] = values
    return blocks.reshape(leads, -1, _BLOCK)


def _noise(own: NDArray[np.float64], curvature: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which blocks show only noise: nothing stands out, and the energy lies near the upper end of the band."""
    heights, backgrounds = own
    return np.asarray((curvature > _NOISE_CURVATURE) & (heights < _NOISE_STANDS_OUT * backgrounds))


def _silent(energy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which samples after the first second, with the second before them, are lower than any QRS complex."""
    high = np.zeros((len(energy), energy.shape[1] + 1), np.intp)
    np.cumsum(energy >= _LEAST_HEIGHT_MV, axis=1, out=high[:, 1:])
    return np.asarray(high[:, _BLOCK + 1 :] == high[:, : -_BLOCK - 1])


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Measurements of complete seconds, and the usual values before each of them and after the last.

    Attributes
    ----------
    own : ndarray of float64, shape (2, leads, blocks)
        Height and background of each block.
    usable : ndarray of bool, shape (leads, blocks)
        The blocks from which the usual height is learned.
    levels : ndarray of float64, shape (2, leads, 9)
        Height and background of the last usable ones.
    usual, repeats : ndarray of float64, shape (2, leads, blocks + 1)
        As in `LeadsState`, before each block and after the last.
    heights, empty, clear
        As in `LeadsState`, after the last block.
    """

    own: NDArray[np.float64]
    usable: NDArray[np.bool_]
    levels: NDArray[np.float64]
    heights: NDArray[np.float64]
    usual: NDArray[np.float64]
    repeats: NDArray[np.float64]
    empty: NDArray[np.bool_]
    clear: NDArray[np.bool_]


def _summarise_seconds(
    state: LeadsState,
    energies: NDArray[np.float64],
    bends: NDArray[np.float64],
    waves: NDArray[np.float64],
    absences: NDArray[np.bool_],
) -> _Blocks:
    """Measure each complete block, and return the usual height and background before each and after the last.

    The usual is the median of the last nine usable blocks, NaN if there are fewer than two; for the first blocks of a
    signal it is the median of all of them. `waves` begins two seconds before the first block.
    """
    leads, blocks, _ = energies.shape
    if blocks == 0:
        no_flags = np.empty((leads, 0), np.bool_)
        own = np.empty((2, leads, 0))
        return _Blocks(own, no_flags, state.levels, state.heights, state.usual, state.repeats, state.empty, state.clear)
    # Height: the highest energy; background: the 40th percentile, which lies between the beats.
    place = _BLOCK * _BACKGROUND_PERCENTILE // 100
    own = np.array([energies.max(axis=2), np.partition(energies, place, axis=2)[..., place]])
    power = np.square(energies).sum(axis=2)
    present = 2 * absences.sum(axis=2) <= _BLOCK
    first = max(_FIRST_BLOCKS - state.blocks, 0)

    # A signal that repeats itself is a rhythm: a fast one leaves no background between its beats, so that the 40th
    # percentile counts only by the share that does not repeat.
    possible = present & (own[0] < _MAY_REPEAT_BELOW * own[1]) & (own[0] >= _LEAST_UNCLEAR_MV)
    repeats = _repeats(waves, possible, first)
    own[1] *= np.maximum(np.sqrt(1.0 - repeats[1]), _LEAST_BACKGROUND_SHARE)
    curvature = np.divide(bends.sum(axis=2), power, out=np.zeros_like(power), where=power > 0)
    fast = repeats[0] > 0
    noise = _noise(own, curvature) & ~fast

    # Nothing stands out, and the block is far lower than the recent ones in which something did: the heart pauses.
    stands_out = present & ~noise & (fast | (own[0] >= _STANDS_OUT * own[1]))
    lately = _last(state.heights, own[0], stands_out)
    still = ~stands_out & (own[0] < _STILL_SHARE * lately[:, 1:].max(axis=2))

    # Low and smooth, while recent blocks were far higher: a P wave without a QRS complex.
    top = energies.argmax(axis=2)[..., None]
    bent = np.take_along_axis(bends, top, axis=2)[..., 0]
    usual_top = np.partition(lately[:, 1:, -_P_WAVE_BLOCKS:], -_P_WAVE_RANK, axis=2)[..., -_P_WAVE_RANK]
    low = (own[0] < _P_WAVE_MV) & (own[0] < _P_WAVE_SHARE * usual_top)
    p_wave = low & (bent < _P_WAVE_SHARPNESS * np.square(own[0]))

    # Noise, pauses and loose electrodes are not learned from, so that the next beat is still scaled by the last.
    empty = ~present | noise | (own[0] < _LEAST_HEIGHT_MV)
    usable = ~empty & ~still & ~p_wave & (stands_out | (own[0] >= _LEAST_UNCLEAR_MV))
    # The background is learned from noise as well, so that a lead counts less while it is noisy.
    learned = np.array([usable, usable | (noise & present)])
    last = np.array([_last(*each) for each in zip(state.levels, own, learned, strict=True)])
    usual = _usual(last)
    repeats = np.concatenate([state.repeats, repeats], axis=2)
    # The first three blocks of a signal are scaled by themselves, as there are none before them.
    if first:
        beginning = _usual(np.where(learned, own, np.nan)[..., None, :first])
        usual[..., :first] = np.where(np.isnan(state.usual), beginning, usual[..., :first])
        repeats[..., :first] = repeats[..., min(first, blocks), None]

    # Whether a usual QRS complex would have stood out in the newest block; without a usual height, only noise counts.
    (height, background), usual_height = own[:, :, -1:], usual[0, :, -1:]
    in_noise = _HIDES_NOTHING_OVER * background <= usual_height
    low = np.where(noise[:, -1:], in_noise, height < _HIDES_NOTHING_SHARE * usual_height)
    low |= noise[:, -1:] & np.isnan(usual_height) & (height < _HIDES_NOTHING_MV)
    empty = np.concatenate([state.empty, empty], axis=1)[:, -_EMPTY_BLOCKS:]
    return _Blocks(own, usable, last[:, :, -1], lately[:, -1], usual, repeats, empty, low & present[:, -1:])


def _repeats(waves: NDArray[np.float64], possible: NDArray[np.bool_], first: int) -> NDArray[np.float64]:
    """Measure the period of each block together with the two before it.

    Parameters
    ----------
    waves : ndarray of float64, shape (leads, 90 * (blocks + 2))
    possible : ndarray of bool, shape (leads, blocks)
        Blocks to examine.
    first : int
        Number of blocks at the start of a signal that share the period of the last of them.

    Returns
    -------
    ndarray of float64, shape (2, leads, blocks)
        The period in samples, and the correlation of the signal with itself one period later; 0 where it is below 0.6.
    """
    leads, blocks = possible.shape
    result = np.zeros((2, leads, blocks))
    possible = possible.copy()
    possible[:, : max(first - 1, 0)] = False
    lead, block = np.nonzero(possible)
    length = _WINDOW_BLOCKS * _BLOCK
    for start in range(0, len(lead), _AT_ONCE):
        batch = slice(start, start + _AT_ONCE)
        positions = block[batch, None] * _BLOCK + np.arange(length)
        result[:, lead[batch], block[batch]] = _periods(waves[lead[batch, None], positions])
    if first > 1 and blocks:
        result[..., : first - 1] = result[..., min(first, blocks) - 1, None]
    return result


def _periods(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return period and correlation of each window of three seconds, shape (2, windows); see `_repeats`."""
    result = np.zeros((2, len(windows)))
    # All three seconds must contribute to the power: one artefact is not a rhythm.
    power = np.square(windows).reshape(len(windows), _WINDOW_BLOCKS, _BLOCK).sum(axis=2)
    rows = np.flatnonzero(power.min(axis=1) > _STEADY_SHARE * power.max(axis=1))

    # Peaks of the autocorrelation, interpolated by a parabola. The period is the shortest lag whose peak is nearly as
    # high as the highest.
    correlation = _correlation(windows[rows], _SHORTEST_PERIOD - 1, _LONGEST_PERIOD + 1)
    left, top, right = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    high = (top >= left) & (top > right)
    between = np.divide(np.square(right - left), 8 * (2 * top - left - right), out=np.zeros_like(top), where=high)
    peaks = np.where(high, np.minimum(top + between, 1.0), 0.0)
    place = (peaks >= _NEARLY_AS_WELL * peaks.max(axis=1, keepdims=True)).argmax(axis=1)
    similar = peaks[np.arange(len(rows)), place]
    passed = similar >= _LEAST_REPEATED
    rows, period, similar = rows[passed], place[passed] + _SHORTEST_PERIOD, similar[passed]

    # Reject windows that correlate better by a tenth after a longer period: a slow rhythm whose waves look alike.
    longer = _correlation(windows[rows], _LONGEST_PERIOD + 1, _LONGEST_RR).max(axis=1)
    passed = similar >= _NEARLY_AS_WELL * longer
    rows, period, similar = rows[passed], period[passed], similar[passed]

    # Reject windows in which an interval of one period has no peak half as high as the highest. The windows of one
    # period are filtered together.
    height = np.abs(windows[rows])
    for length in np.unique(period).tolist():
        same = period == length
        within = maximum_filter1d(height[same], length + _BEAT_SPREAD, axis=1)
        edge = (length + _BEAT_SPREAD) // 2
        lowest = within[:, edge:-edge].min(axis=1)
        alike = lowest >= _BEAT_SHARE * within.max(axis=1)
        result[:, rows[same]] = np.where(alike, [np.full(len(alike), float(length)), similar[same]], 0.0)
    return result


def _correlation(windows: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Correlate each window with itself `first` to `last` samples later, shape (windows, lags)."""
    count, length = windows.shape
    power = np.zeros((count, length + 1))
    np.cumsum(windows * windows, axis=1, out=power[:, 1:])
    lags = np.arange(first, last + 1)
    scale = np.sqrt(power[:, length - lags] * (power[:, -1:] - power[:, lags]))
    products = np.stack([(windows[:, : length - lag] * windows[:, lag:]).sum(axis=1) for lag in lags.tolist()], axis=1)
    correlation: NDArray[np.float64] = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return np.minimum(correlation, 1.0)


def _usual(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower median along the last axis; NaN for a single finite value, which may be of an artefact."""
    return np.where(np.isfinite(levels).sum(axis=-1) >= _LEAST_BLOCKS, lower_median(levels), np.nan)


def _last(before: NDArray[np.float64], values: NDArray[np.float64], selected: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the last selected values before each block and after all of them.

    Parameters
    ----------
    before : ndarray of float64, shape (leads, k)
        The last selected ones before the first block.
    values : ndarray of float64, shape (leads, blocks)
    selected : ndarray of bool, shape (leads, blocks)

    Returns
    -------
    ndarray of float64, shape (leads, blocks + 1, k)
    """
    leads, length = before.shape
    count = np.zeros((leads, values.shape[1] + 1), np.intp)
    np.cumsum(selected, axis=1, out=count[:, 1:])
    joined = np.concatenate([before, np.empty_like(values)], axis=1)
    lead, block = np.nonzero(selected)
    joined[lead, length + count[lead, block]] = values[lead, block]
    last: NDArray[np.float64] = joined[np.arange(leads)[:, None, None], count[..., None] + np.arange(length)]
    return last


def lower_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower median of the finite values along the last axis; NaN where there are none."""
    ordered = np.sort(values, axis=-1)
    if np.isfinite(ordered[..., -1]).all():
        return ordered[..., (values.shape[-1] - 1) // 2]
    rows = ordered.reshape(-1, values.shape[-1])
    count = np.isfinite(rows).sum(axis=1)
    median: NDArray[np.float64] = rows[np.arange(len(rows)), np.maximum(count - 1, 0) // 2]
    return median.reshape(values.shape[:-1])


def _strength(
    energies: NDArray[np.float64],
    bends: NDArray[np.float64],
    absences: NDArray[np.bool_],
    silent: NDArray[np.bool_],
    usual: NDArray[np.float64],
    repeats: NDArray[np.float64],
    patients: int,
) -> QrsStrength:
    """Average the energy of each patient's leads, weighted by how far their QRS complexes stand out."""
    # Clearness: usual height over background, less 1. A lead's weight is its square.
    heights, backgrounds = usual
    standing_out = heights / np.maximum(backgrounds, _LEAST_BACKGROUND_MV) - 1.0
    clearness = np.maximum(standing_out, _LEAST_CLEARNESS)[..., None]
    weights = np.where(absences, 0.0, np.square(np.where(silent, _LEAST_CLEARNESS, clearness)))
    # Energy in units of a usual QRS complex.
    scale = np.maximum(heights, _LEAST_HEIGHT_MV)[..., None]
    shares = energies / scale

    def of_patients(values: NDArray[np.float64]) -> NDArray[np.float64]:
        leads, blocks, _ = values.shape
        return values.reshape(patients, leads // patients, blocks * _BLOCK)

    contributions, of_leads = of_patients(shares * weights), of_patients(np.broadcast_to(weights, shares.shape))
    total, weight = contributions.sum(axis=1), of_leads.sum(axis=1)
    height = total / np.maximum(weight, _LEAST_WEIGHT)
    other_leads = _without_strongest(height, contributions, total, of_leads, weight)
    power = of_patients(np.square(shares) * weights).sum(axis=1)
    bent = of_patients(bends / np.square(scale) * weights).sum(axis=1)
    sharpness = np.divide(bent, power, out=np.zeros_like(power), where=power > 0)

    # The period is that of the lead which repeats itself best.
    period, similar = repeats.reshape(2, patients, -1, repeats.shape[2])
    best = similar.argmax(axis=1)[:, None]
    period = np.take_along_axis(period, best, axis=1)[:, 0].repeat(_BLOCK, axis=1)
    return QrsStrength(height, other_leads, sharpness, period)


def _without_strongest(
    height: NDArray[np.float64],
    contributions: NDArray[np.float64],
    total: NDArray[np.float64],
    of_leads: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the height without the lead that contributes most, shape (patients, k); see `QrsStrength`.

    Parameters
    ----------
    height, total, weight : ndarray of float64, shape (patients, k)
        `total` over `weight` is the height.
    contributions, of_leads : ndarray of float64, shape (patients, leads, k)
        What each lead adds to both.
    """
    if contributions.shape[1] == 1:
        return height
    strongest = contributions.argmax(axis=1)[:, None]
    rest = total - np.take_along_axis(contributions, strongest, axis=1)[:, 0]
    rest_weight = weight - np.take_along_axis(of_leads, strongest, axis=1)[:, 0]
    return np.where(rest_weight > 2 * _LEAST_WEIGHT, rest / np.maximum(rest_weight, _LEAST_WEIGHT), height)


def _decide(state: PeaksState, strength: QrsStrength, *, last: bool) -> tuple[PeaksState, NDArray[np.float64]]:
    """Find the peaks in the strength, and accept those that are heartbeats."""
    whole = join([state.evidence, strength, *([QrsStrength.zero(_APART)] if last else [])], axis=1)
    length = whole.height.shape[1]
    searched = length - 2 * _APART
    if searched <= 0:
        return PeaksState(whole, state.start, state.rhythm), np.empty(0)
    # Interpolation may place a peak half a sample before the highest one.
    next_peak_after = np.inf if last else state.start + length - _APART - 0.5
    memory, beats = _accept_peaks(state.rhythm, _peaks(whole, state.start), next_peak_after)
    return PeaksState(whole[searched:], state.start + searched, memory), np.array(beats)


def _peaks(strength: QrsStrength, start: int) -> Iterable[tuple[Peak, float]]:
    """Return the peaks that are the highest within 0.14 s to each side, each with the period of the signal there."""
    height = strength.height[0]
    inner, before, after = height[_APART:-_APART], height[_APART - 1 : -_APART - 1], height[_APART + 1 : -_APART + 1]
    high = _APART + ((inner > _LEAST_STRENGTH) & (inner >= before) & (inner >= after)).nonzero()[0]
    if not len(high):
        return ()
    highest = height[high] == height[high[:, None] + _NEAR].max(axis=1)
    # Beats of a fast rhythm are so close that the flank of the next one may be as high as the peak: 7 samples (0.08 s).
    period = strength.period[0, high]
    fast = (period > 0) & (period < _REFRACTORY)
    if fast.any():
        highest[fast] = height[high[fast]] == height[high[fast, None] + _CLOSE].max(axis=1)
    # Position by a parabola through three samples.
    peaks = high[highest]
    other_leads = strength.other_leads[0, peaks[:, None] + _CLOSE].max(axis=1)
    around = (height[peaks - 1], height[peaks], height[peaks + 1], strength.sharpness[0, peaks], other_leads)
    peak_values = []
    for peak, left, top, right, sharpness, elsewhere in zip(
        peaks.tolist(), *(each.tolist() for each in around), strict=True
    ):
        bend = 2 * top - left - right
        between = (right - left) / (2 * bend) if bend > 0 else 0.0
        peak_values.append((start + peak + min(max(between, -0.5), 0.5), top, sharpness, elsewhere))
    return zip(peak_values, period[highest].tolist(), strict=True)


def _accept_peaks(
    memory: BeatDetectorMemory, peaks: Iterable[tuple[Peak, float]], next_peak_after: float
) -> tuple[BeatDetectorMemory, list[float]]:
    """Accept the peaks that are heartbeats; the next peak can lie at `next_peak_after` at the earliest."""
    heights, intervals, passed_over = list(memory.heights), list(memory.intervals), list(memory.passed_over)
    other_leads = list(memory.other_leads)
    recent, beat, emitted, beats = memory.recent, memory.beat, memory.told, []
    usual_height, usual_interval = _usual_height(heights), _middle(intervals)

    def accept(peak: Peak) -> None:
        """Make a peak the last beat, and emit the one before it, which can no longer be replaced."""
        nonlocal beat, emitted, usual_height, usual_interval, passed_over
        position, height, _, elsewhere = peak
        if beat is not None:
            if not emitted:
                beats.append(beat[0])
            intervals.append(min(max(position - beat[0], _RR_RANGE[0]), _RR_RANGE[1]))
            usual_interval = _middle(intervals[-_REMEMBERED_BEATS:])
        heights.append(height)
        other_leads.append(elsewhere)
        usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
        if passed_over:
            passed_over = [other for other in passed_over if other[0] > position]
        beat, emitted = peak, False

    def is_artefact(peak: Peak, threshold: float) -> bool:
        """Return whether the leads that showed the last four beats do not show this peak of another lead.

        It may still be overdue. A second one in a row is a beat: these leads may have lost theirs.
        """
        least = min(_MOST_IN_OTHER_LEADS, _OTHER_LEADS_SHARE * min(other_leads[-_AGREEING_BEATS:]))
        if peak[3] >= least or beat is None:
            return False
        return not any(other[1] > threshold and other[3] < least for other in passed_over if other[0] > beat[0])

    for peak, period in peaks:
        position, height, sharpness, _ = peak
        row, recent = (*recent, peak), (*recent, peak)[1 - _ROW :]
        period = period or _step_of(row)
        refractory = min(_REFRACTORY, _REFRACTORY_SHARE * period) if period else _REFRACTORY
        if passed_over and passed_over[0][0] <= position - _LOOK_BACK:
            passed_over = [other for other in passed_over if other[0] > position - _LOOK_BACK]
        # Search back: where a beat is overdue, the highest peak passed over since the last one counts at 0.7 of the
        # threshold, unless it is like a T wave.
        if beat is not None and passed_over and position - beat[0] > _OVERDUE * usual_interval:
            least = _OVERDUE_SHARE * _THRESHOLD * usual_height
            overdue = [
                other
                for other in passed_over
                if beat[0] + refractory < other[0] < position - refractory and not _is_like_t_wave(other, beat)
            ]
            best = max(overdue, key=lambda other: other[1], default=(0.0, 0.0, 0.0, 0.0))
            if best[1] > least:
                accept(best)
            else:  # these stay too low until the next beat
                passed_over = [other for other in passed_over if other[0] >= position - refractory]
        threshold = _THRESHOLD * usual_height
        if beat is not None:
            since = position - beat[0]
            # Within the refractory period a higher peak replaces a beat that has not been emitted.
            if since < refractory:
                if height > max(beat[1], threshold) and not emitted and not is_artefact(peak, threshold):
                    beat = peak
                    heights[-1], other_leads[-1] = height, peak[3]
                    usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
                continue
            # A T wave: soon after the beat the threshold is a share of its height, which fades from 0.30 to 0.45 s; a
            # much smoother peak must be higher than the beat. A peak in time with a fast rhythm is not a T wave.
            in_time = 0 < _IN_TIME_SHARE * period <= since
            if since < _T_WAVE_OVER and not in_time:
                fading = min(1.0, (_T_WAVE_OVER - since) / (_T_WAVE_OVER - _T_WAVE_UNTIL))
                threshold = max(threshold, _T_WAVE_SHARE * beat[1] * fading)
                if since < _SMOOTH_UNTIL and sharpness < _SMOOTH_SHARE * beat[2]:
                    threshold = max(threshold, _SMOOTH_HEIGHT * beat[1])
        if height > threshold and not is_artefact(peak, threshold):
            accept(peak)
        elif beat is not None:
            passed_over.append(peak)
    # The last beat is emitted when no peak can replace it any more.
    if beat is not None and not emitted and next_peak_after - beat[0] > _REFRACTORY:
        beats.append(beat[0])
        emitted = True
    return (
        BeatDetectorMemory(
            tuple(heights[-_REMEMBERED_BEATS:]),
            tuple(intervals[-_REMEMBERED_BEATS:]),
            tuple(other_leads[-_AGREEING_BEATS:]),
            beat,
            emitted,
            tuple(passed_over),
            recent,
        ),
        beats,
    )


def _is_like_t_wave(peak: Peak, beat: Peak) -> bool:
    """Return whether a peak is as early after a beat as a T wave, as low beside it, and smoother."""
    is_low = peak[1] < _T_WAVE_SHARE * beat[1] and peak[2] < _T_WAVE_SHARPNESS * beat[2]
    return is_low and peak[0] - beat[0] < _SMOOTH_UNTIL


def _step_of(row: tuple[Peak, ...]) -> float:
    """Return the mean interval of four wide peaks that are alike and come in step; 0 where they do not."""
    # Most rows are too slow, which their ends show.
    if len(row) < _ROW or row[-1][0] - row[0][0] > (_ROW - 1) * _LONGEST_STEP:
        return 0.0
    positions, heights, sharpness, _ = zip(*row, strict=True)
    intervals = [later - earlier for earlier, later in pairwise(positions)]
    if max(intervals) > min(_LONGEST_STEP, _EVEN_STEP * min(intervals)):
        return 0.0
    alike = all(max(values) <= _ALIKE_PEAKS * min(values) for values in (heights, sharpness))
    return (positions[-1] - positions[0]) / (_ROW - 1) if alike and max(sharpness) <= _WIDE_SHARPNESS else 0.0


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _usual_height(heights: list[float]) -> float:
    return min(max(_middle(heights), _LEVEL_RANGE[0]), _LEVEL_RANGE[1])


def _qrs_band() -> Fir:
    return design_bandpass(91, 5.0, 25.0, ANALYSIS_RATE_HZ, 2)
