"""Finds the heartbeats: where each QRS complex is, from all readable leads together.

Energy between 5 and 25 Hz says where something steep happens in each lead. Each lead is measured by its own recent QRS
complexes and counts by how far they stand out, so that a beat which is low in one lead is seen in another and a noisy
lead does not drown a clean one. A rule with a small memory then decides about the peaks of this evidence, in the manner
of Pan and Tompkins (doi:10.1109/TBME.1985.325532): a threshold that follows the recent beats, a refractory period, a
guard against T waves, and a search back where a beat is overdue. Constants were chosen on the records DS1 of the
MIT-BIH Arrhythmia Database.

Polarity does not matter, nor does amplitude down to QRS complexes of about 0.5 mV from peak to peak. Lower ones are
still found, down to about 0.05 mV; in a second in which nothing is higher, a lead counts as silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered
from ectopy.signal.fir import Fir, FirState, fir_end, fir_step, missing_step

EVIDENCE_RATE_HZ = ANALYSIS_RATE_HZ // 2
_STEP = 600 * ANALYSIS_RATE_HZ

_QRS_BAND = Fir(firwin(91, [5.0, 25.0], fs=ANALYSIS_RATE_HZ, pass_zero=False), 1, 2)
_ENERGY = Fir(np.full(7, 1 / 7))
_MISSING = Fir(np.ones(3), 1, 2)

_BLOCK = EVIDENCE_RATE_HZ  # one second
_REMEMBERED_BLOCKS = 9
_FIRST_BLOCKS = 3
_LATELY_BLOCKS = 120
_STILL_SHARE = 0.25
_STANDS_OUT = 3.5
_BACKGROUND_PERCENTILE = 40
_LEAST_HEIGHT_MV = 0.02
_LEAST_BACKGROUND_MV = 0.001
_LEAST_CLEARNESS = 0.01
_LEAST_WEIGHT = _LEAST_CLEARNESS**2
_APART = 13  # a peak is the highest within so many samples to each side
_AROUND = np.arange(-_APART, _APART + 1)
_LEAST_EVIDENCE = 0.08

_THRESHOLD = 0.36
_REFRACTORY = round(0.25 * EVIDENCE_RATE_HZ)
_T_WAVE_SHARE = 0.6
_T_WAVE_UNTIL, _T_WAVE_OVER = 0.30 * EVIDENCE_RATE_HZ, 0.45 * EVIDENCE_RATE_HZ
_OVERDUE = 1.6
_OVERDUE_SHARE = 0.7
_LOOK_BACK = 3.0 * EVIDENCE_RATE_HZ
_REMEMBERED_BEATS = 8
_LEVEL_RANGE = (0.3, 2.0)
_RR_RANGE = (0.3 * EVIDENCE_RATE_HZ, 1.5 * EVIDENCE_RATE_HZ)
_USUAL_RR = 0.8 * EVIDENCE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The rule's memory; positions are samples at `EVIDENCE_RATE_HZ`.

    Attributes
    ----------
    heights, intervals : tuple of float
        Evidence of the last beats, and the RR intervals between them.
    beat : tuple of (float, float), or None
        Position and evidence of the last beat.
    told : bool
        Whether it was given as a result; until then a higher peak close by may replace it.
    passed_over : tuple of (float, float)
        Peaks since then that were too low, in case a beat is overdue.
    """

    heights: tuple[float, ...] = (1.0,) * _REMEMBERED_BEATS
    intervals: tuple[float, ...] = (_USUAL_RR,) * _REMEMBERED_BEATS
    beat: tuple[float, float] | None = None
    told: bool = True
    passed_over: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LeadsState:
    """What is remembered of the leads, to measure each by its own QRS complexes.

    Attributes
    ----------
    waiting, absent : ndarray, shape (leads, k)
        Energy of the second that is not complete, and where there is none; at first of three seconds.
    levels : ndarray of float64, shape (2, leads, 9)
        Height and background of the last usable blocks of one second; NaN as long as there were fewer.
    usual : ndarray of float64, shape (2, leads, 1)
        Their median.
    heights : ndarray of float64, shape (leads, 120)
        Of all blocks of the last two minutes.
    recent : ndarray of float64, shape (leads, 90)
        Energy of the second before.
    given : int
        Samples of `waiting` that are evidence already.
    blocks : int
        Seconds completed, counted up to three.
    settled : bool
        Whether something is known of every lead, as it is from then on.
    """

    waiting: NDArray[np.float64]
    absent: NDArray[np.bool_]
    levels: NDArray[np.float64]
    usual: NDArray[np.float64]
    heights: NDArray[np.float64]
    recent: NDArray[np.float64]
    given: int = 0
    blocks: int = 0
    settled: bool = False

    @classmethod
    def fresh(cls, leads: int) -> LeadsState:
        """Before the first sample of so many leads."""
        return cls(
            waiting=np.empty((leads, 0)),
            absent=np.empty((leads, 0), np.bool_),
            levels=np.full((2, leads, _REMEMBERED_BLOCKS), np.nan),
            usual=np.full((2, leads, 1), np.nan),
            heights=np.zeros((leads, _LATELY_BLOCKS)),
            recent=np.zeros((leads, _BLOCK)),
        )


@dataclass(frozen=True, slots=True)
class PeaksState:
    """What the search for peaks remembers.

    Attributes
    ----------
    evidence : ndarray of float64, shape (k,)
        The latest, in which peaks may still be found.
    start : int
        Position of its first sample.
    rhythm : Rhythm
    """

    evidence: NDArray[np.float64]
    start: int
    rhythm: Rhythm

    @classmethod
    def fresh(cls) -> PeaksState:
        """Before the first sample, on which the first peak may lie."""
        return cls(np.zeros(_APART), -_APART, Rhythm())


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """What is remembered on the way from filtered signal to evidence.

    Attributes
    ----------
    band, energy, missing : FirState
        Of the filters.
    leads : LeadsState
    """

    band: FirState
    energy: FirState
    missing: FirState
    leads: LeadsState

    @classmethod
    def fresh(cls, leads: int) -> EvidenceState:
        """Before the first sample of so many leads."""
        fresh = FirState.fresh(leads)
        return cls(fresh, fresh, FirState.fresh_missing(leads), LeadsState.fresh(leads))


def evidence_step(
    state: EvidenceState, filtered: Filtered, patients: int = 1
) -> tuple[EvidenceState, NDArray[np.float64]]:
    """Measure how much speaks for a QRS complex, in the next stretch of filtered signal.

    Parameters
    ----------
    state : EvidenceState
    filtered : Filtered
        The leads of the first patient, then those of the next, each with as many.
    patients : int

    Returns
    -------
    state : EvidenceState
    evidence : ndarray of float64, shape (patients, k)
        At `EVIDENCE_RATE_HZ`; 1 = a usual QRS complex.
    """
    band, qrs = fir_step(_QRS_BAND, state.band, filtered.signal)
    energy, power = fir_step(_ENERGY, state.energy, qrs * qrs)
    missing, gone = missing_step(_MISSING, state.missing, filtered.missing)
    leads, evidence = _weigh(state.leads, power, gone, patients, last=False)
    return EvidenceState(band, energy, missing, leads), evidence


def evidence_end(state: EvidenceState) -> NDArray[np.float64]:
    """The evidence that is left when the signal of one patient ends, shape (k,)."""
    edge = np.zeros((len(state.band.recent), 1))
    qrs = fir_end(_QRS_BAND, state.band, state.band.recent[:, -1:] if state.band.recent.shape[1] else edge)
    energy, begun = fir_step(_ENERGY, state.energy, qrs * qrs)
    power = np.concatenate([begun, fir_end(_ENERGY, energy, edge)], axis=1)
    gone = fir_end(_MISSING, state.missing, edge)
    _, evidence = _weigh(state.leads, power, gone > 0, 1, last=True)
    rest: NDArray[np.float64] = evidence[0]
    return rest


def known_to(state: PeaksState) -> float:
    """Up to where all heartbeats are told, in samples at `EVIDENCE_RATE_HZ`, but for one that is found late."""
    return state.start + _APART - 0.5 - _REFRACTORY


def peaks_step(state: PeaksState, evidence: NDArray[np.float64]) -> tuple[PeaksState, NDArray[np.float64]]:
    """Find heartbeats in the next stretch of evidence; the same for any cutting into stretches.

    Parameters
    ----------
    state : PeaksState
    evidence : ndarray of float64, shape (k,)

    Returns
    -------
    state : PeaksState
    positions : ndarray of float64, shape (n,)
        In samples at `EVIDENCE_RATE_HZ`, in order. A beat is told when nothing can change it any more: usually half a
        second after it, later where it was at first passed over.
    """
    return _decide(state, evidence, last=False)


def peaks_end(state: PeaksState, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """The heartbeats that are left when the evidence ends, with its last stretch."""
    return _decide(state, evidence, last=True)[1]


def find_heartbeats(filtered: Filtered) -> NDArray[np.float64]:
    """Find the heartbeats of a whole filtered signal, ten minutes at a time.

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds from the start of the signal, in order, at least 0.24 s apart.
    """
    state, peaks, parts = EvidenceState.fresh(len(filtered.signal)), PeaksState.fresh(), []
    for start in range(0, filtered.signal.shape[1], _STEP):
        state, evidence = evidence_step(state, filtered[start : start + _STEP])
        peaks, positions = peaks_step(peaks, evidence[0])
        parts.append(positions)
    return np.concatenate([*parts, peaks_end(peaks, evidence_end(state))]) / (filtered.rate_hz / 2)


def _weigh(
    state: LeadsState, power: NDArray[np.float64], gone: NDArray[np.bool_], patients: int, *, last: bool
) -> tuple[LeadsState, NDArray[np.float64]]:
    """From the energy of each lead to evidence for each patient, as far as it is certain."""
    energy = np.concatenate([state.waiting, np.sqrt(np.maximum(power, 0.0))], axis=1)
    absent = np.concatenate([state.absent, gone], axis=1)
    ready = min(energy.shape[1], absent.shape[1])
    begun = -(-ready // _BLOCK)
    complete = begun if last else ready // _BLOCK
    if ready == state.given or (state.blocks + complete < _FIRST_BLOCKS and not last):
        return replace(state, waiting=energy, absent=absent), np.empty((patients, 0))
    given = state.given
    energies, absences = _in_blocks(energy[:, :ready], 0.0), _in_blocks(absent[:, :ready], True)
    own, levels, heights, usual = _remember(state, energies[:, :complete], absences[:, :complete])
    done = complete * _BLOCK
    measures, settled = usual, state.settled
    if not settled:
        unknown = np.isnan(usual[0])
        settled = not unknown[:, -1].any()
        by_itself = unknown.all(axis=0)
        if by_itself[complete]:
            ready = min(ready, done)
        measures = np.where(unknown, 0.0, usual)
        measures[..., :complete] = np.where(by_itself[:complete], own, measures[..., :complete])
        absences |= (unknown & ~by_itself)[:, :begun, None]
    recent = np.concatenate([state.recent, energies.reshape(len(energies), -1)], axis=1)
    silent = _silent(recent).reshape(energies.shape)
    evidence = _evidence(energies, absences, silent, measures[..., :begun], patients)
    state = LeadsState(
        waiting=energy[:, done:],
        absent=absent[:, done:],
        levels=levels,
        usual=usual[..., -1:],
        heights=heights,
        recent=recent[:, done : done + _BLOCK],
        given=max(ready - done, 0),
        blocks=min(state.blocks + complete, _FIRST_BLOCKS),
        settled=settled,
    )
    return state, evidence[:, given:ready]


def _in_blocks(values: NDArray[Any], filling: float) -> NDArray[Any]:
    """Cut into seconds, the last one filled up; shape (leads, seconds, 90)."""
    leads, length = values.shape
    blocks = np.full((leads, -(-length // _BLOCK) * _BLOCK), filling, values.dtype)
    blocks[:, :length] = values
    return blocks.reshape(leads, -1, _BLOCK)


def _still(lately: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which blocks show noise and no heart: far lower than any of the last two minutes, and nothing stands out."""
    heights, backgrounds = levels
    windows = lately[:, np.arange(1, heights.shape[1] + 1)[:, None] + np.arange(_LATELY_BLOCKS)]
    low = heights < _STILL_SHARE * windows.max(axis=2)
    return np.asarray(low & (heights < _STANDS_OUT * backgrounds))


def _silent(energy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples, but for those of the first second, are lower than any QRS complex, and the second before them."""
    high = np.zeros((len(energy), energy.shape[1] + 1), np.intp)
    np.cumsum(energy >= _LEAST_HEIGHT_MV, axis=1, out=high[:, 1:])
    return np.asarray(high[:, _BLOCK + 1 :] == high[:, : -_BLOCK - 1])


def _remember(
    state: LeadsState, energies: NDArray[np.float64], absences: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What is usual for each complete block, and for the one after them.

    That is the median of the last nine usable ones before it, NaN if none was; for the first blocks of a signal the
    median of all of them.

    Returns
    -------
    own : ndarray of float64, shape (2, leads, blocks)
        Height and background of each block.
    levels : ndarray of float64, shape (2, leads, 9)
        The same of the last usable ones.
    heights : ndarray of float64, shape (leads, 120)
        Of all blocks of the last two minutes.
    usual : ndarray of float64, shape (2, leads, blocks + 1)
    """
    leads, blocks, _ = energies.shape
    if blocks == 0:
        return np.empty((2, leads, 0)), state.levels, state.heights, state.usual
    place = _BLOCK * _BACKGROUND_PERCENTILE // 100
    own = np.array([energies.max(axis=2), np.partition(energies, place, axis=2)[..., place]])
    # Nothing is learned from a pause or a loose electrode, so that the next beat is still measured by the last ones.
    lately = np.concatenate([state.heights, own[0]], axis=1)
    usable = (own[0] >= _LEAST_HEIGHT_MV) & (2 * absences.sum(axis=2) <= _BLOCK) & ~_still(lately, own)
    used = np.zeros((leads, blocks + 1), np.intp)
    used[:, 1:] = np.cumsum(usable, axis=1)
    known = np.concatenate([state.levels, np.empty_like(own)], axis=2)
    lead, block = np.nonzero(usable)
    known[:, lead, _REMEMBERED_BLOCKS + used[lead, block]] = own[:, lead, block]
    last = known[:, np.arange(leads)[:, None, None], used[..., None] + np.arange(_REMEMBERED_BLOCKS)]
    usual = lower_median(last)
    first = max(_FIRST_BLOCKS - state.blocks, 0)
    if first:
        usual[..., :first] = lower_median(np.where(usable, own, np.nan)[..., None, :first])
    return own, last[:, :, -1], lately[:, -_LATELY_BLOCKS:], usual


def lower_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower median along the last axis, of those that are known; NaN where none is."""
    ordered = np.sort(values, axis=-1)
    if np.isfinite(ordered[..., -1]).all():
        return ordered[..., (values.shape[-1] - 1) // 2]
    rows = ordered.reshape(-1, values.shape[-1])
    known = np.isfinite(rows).sum(axis=1)
    median: NDArray[np.float64] = rows[np.arange(len(rows)), np.maximum(known - 1, 0) // 2]
    return median.reshape(values.shape[:-1])


def _evidence(
    energies: NDArray[np.float64],
    absences: NDArray[np.bool_],
    silent: NDArray[np.bool_],
    usual: NDArray[np.float64],
    patients: int,
) -> NDArray[np.float64]:
    """Mean over each patient's leads of the energy, each lead weighted by how far its QRS complexes stand out."""
    heights, backgrounds = usual
    standing_out = heights / np.maximum(backgrounds, _LEAST_BACKGROUND_MV) - 1.0
    clearness = np.maximum(standing_out, _LEAST_CLEARNESS)[..., None]
    weights = np.where(absences, 0.0, np.square(np.where(silent, _LEAST_CLEARNESS, clearness)))
    shares = energies / np.maximum(heights, _LEAST_HEIGHT_MV)[..., None]
    of_patients = (patients, len(energies) // patients, energies.shape[1] * energies.shape[2])
    share = (shares * weights).reshape(of_patients).sum(axis=1)
    evidence: NDArray[np.float64] = share / np.maximum(weights.reshape(of_patients).sum(axis=1), _LEAST_WEIGHT)
    return evidence


def _decide(state: PeaksState, evidence: NDArray[np.float64], *, last: bool) -> tuple[PeaksState, NDArray[np.float64]]:
    """From evidence to beats: its peaks, each judged by the rule."""
    whole = np.concatenate([state.evidence, evidence, np.zeros(_APART if last else 0)])
    kept = len(whole) - 2 * _APART
    if kept <= 0:
        return PeaksState(whole, state.start, state.rhythm), np.empty(0)
    # Between samples, a peak may lie half of one before its highest.
    seen = np.inf if last else state.start + len(whole) - _APART - 0.5
    rhythm, beats = _judge(state.rhythm, _peaks(whole, state.start), seen)
    return PeaksState(whole[kept:], state.start + kept, rhythm), np.array(beats)


def _peaks(evidence: NDArray[np.float64], start: int) -> Iterable[tuple[float, float]]:
    """Position and height of what is highest within `_APART` samples to each side and not too low."""
    high = _APART + np.flatnonzero(evidence[_APART:-_APART] > _LEAST_EVIDENCE)
    if not len(high):
        return ()
    peaks = high[evidence[high] == evidence[high[:, None] + _AROUND].max(axis=1)]
    left, top, right = evidence[peaks - 1], evidence[peaks], evidence[peaks + 1]
    bend = 2 * top - left - right
    between = np.divide(right - left, 2 * bend, out=np.zeros_like(top), where=bend > 0)
    positions = start + peaks + np.minimum(np.maximum(between, -0.5), 0.5)
    return zip(positions.tolist(), top.tolist(), strict=True)


def _judge(rhythm: Rhythm, peaks: Iterable[tuple[float, float]], seen: float) -> tuple[Rhythm, list[float]]:
    """Which peaks of the evidence are heartbeats.

    `seen` is where the next peak can lie at the earliest.
    """
    heights, intervals, passed_over = list(rhythm.heights), list(rhythm.intervals), list(rhythm.passed_over)
    beat, told, beats = rhythm.beat, rhythm.told, []
    usual_height, usual_interval = _usual_height(heights), _middle(intervals)

    def accept(position: float, height: float) -> None:
        nonlocal beat, told, usual_height, usual_interval, passed_over
        if beat is not None:
            if not told:
                beats.append(beat[0])
            intervals.append(min(max(position - beat[0], _RR_RANGE[0]), _RR_RANGE[1]))
            usual_interval = _middle(intervals[-_REMEMBERED_BEATS:])
        heights.append(height)
        usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
        passed_over = [peak for peak in passed_over if peak[0] > position]
        beat, told = (position, height), False

    for position, height in peaks:
        passed_over = [peak for peak in passed_over if peak[0] > position - _LOOK_BACK]
        if beat is not None and passed_over and position - beat[0] > _OVERDUE * usual_interval:
            least = _OVERDUE_SHARE * _THRESHOLD * usual_height
            overdue = [peak for peak in passed_over if beat[0] + _REFRACTORY < peak[0] < position - _REFRACTORY]
            best = max(overdue, key=lambda peak: peak[1], default=(0.0, 0.0))
            if best[1] > least:
                accept(*best)
            else:  # too low once is too low until the next beat
                passed_over = [peak for peak in passed_over if peak[0] >= position - _REFRACTORY]
        threshold = _THRESHOLD * usual_height
        if beat is not None:
            since = position - beat[0]
            if since < _REFRACTORY:
                if height > max(beat[1], threshold) and not told:
                    beat = position, height
                    heights[-1] = height
                    usual_height = _usual_height(heights[-_REMEMBERED_BEATS:])
                continue
            if since < _T_WAVE_OVER:
                fading = min(1.0, (_T_WAVE_OVER - since) / (_T_WAVE_OVER - _T_WAVE_UNTIL))
                threshold = max(threshold, _T_WAVE_SHARE * beat[1] * fading)
        if height > threshold:
            accept(position, height)
        elif beat is not None:
            passed_over.append((position, height))
    if beat is not None and not told and seen - beat[0] > _REFRACTORY:
        beats.append(beat[0])
        told = True
    return (
        Rhythm(
            tuple(heights[-_REMEMBERED_BEATS:]), tuple(intervals[-_REMEMBERED_BEATS:]), beat, told, tuple(passed_over)
        ),
        beats,
    )


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _usual_height(heights: list[float]) -> float:
    return min(max(_middle(heights), _LEVEL_RANGE[0]), _LEVEL_RANGE[1])
