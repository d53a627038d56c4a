"""How strongly the leads show a QRS complex, each scaled by its own recent QRS complexes.

The energy between 5 and 25 Hz shows where a lead is steep. Each lead is scaled by its own recent QRS complexes and
weighted by how far they stand out, so that a beat that is low in one lead is detected in another, and a noisy lead does
not drown a clean one. Constants were chosen on the records DS1 of the MIT-BIH Arrhythmia Database and checked on the QT
Database, those of the leads' agreement on both.

Noise is not measured by itself: a lead that has not shown a QRS complex yet, and shows only noise, has no beats. A
second counts as noise if nothing stands out in it and its energy lies near the upper end of the band, as that of white
noise, muscle or a coarse converter does. That of QRS complexes, ventricular tachycardia and fibrillation lies lower: on
the records of the MIT-BIH Malignant Ventricular Ectopy Database the measure is below 0.65 in 99 % of the seconds of
fibrillation, flutter and tachycardia, and above 0.7 in every second of white noise sampled at 125 to 1000 Hz.

A fast rhythm leaves no background between its beats for these to stand out from. It is recognised because it repeats
itself (`ectopy.signal.fast_rhythm`), with peaks as high as QRS complexes are.

A second is assumed to hold only a P wave, and the height of QRS complexes is not learned from it, if its highest peak
is smooth, below 0.09 mV and below 0.4 of the height of recent seconds. P waves of more than a quarter of the energy of
the QRS complexes still count as beats.

Amplitude does not matter down to QRS complexes of about 0.5 mV from peak to peak. Lower ones are still detected, down
to about 0.05 mV; in a second in which nothing is higher, a lead counts as silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.signal.array_columns import select
from ectopy.signal.fast_rhythm import RHYTHM_BLOCKS, find_periods
from ectopy.signal.filters import ANALYSIS_RATE_HZ, STRENGTH_RATE_HZ, Filtered
from ectopy.signal.fir import HALVING, Fir, FirState, design_bandpass, fir_end, fir_step, missing_step
from ectopy.signal.lower_median import lower_median
from ectopy.signal.state_replace import replace

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
_MAY_REPEAT_BELOW = 7.0


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
            recent_waves=np.zeros((leads, (RHYTHM_BLOCKS - 1) * _BLOCK)),
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


def in_empty_seconds(leads: LeadsState, end: int, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which recent heartbeats lie in a second in which no lead shows a QRS complex.

    Parameters
    ----------
    leads : LeadsState
        Of one patient.
    end : int
        Samples of strength up to now, at `STRENGTH_RATE_HZ`.
    positions : ndarray of float64, shape (n,)
        In the same samples.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for a second that is not complete, or more than eight seconds ago.
    """
    empty = np.logical_and.reduce(leads.empty, axis=0)
    if not empty.any():
        return np.zeros(len(positions), np.bool_)
    complete = (end - leads.given) // _BLOCK
    places = positions.astype(int) // _BLOCK - complete + _EMPTY_BLOCKS
    inside = (places >= 0) & (places < _EMPTY_BLOCKS)
    return np.asarray(inside & empty[np.where(inside, places, 0)])


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
    repeats = find_periods(waves, possible, first)
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


def _qrs_band() -> Fir:
    return design_bandpass(91, 5.0, 25.0, ANALYSIS_RATE_HZ, 2)
