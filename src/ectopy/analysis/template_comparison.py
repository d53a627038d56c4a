"""Compare beats with a patient's template.

The difference of a beat is measured in shares of the template's energy, and its timing in units of the patient's own
irregularity: both mean the same for every patient, and one threshold serves all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.beat_noise import beat_noise, noise_energy
from ectopy.analysis.p_wave import compare_p_waves
from ectopy.analysis.patient_template import LEAST_AMPLITUDE_MV, QRS, PatientTemplate
from ectopy.analysis.reconstruction import ReconstructionNetwork, UsualChange, mean_over_leads
from ectopy.analysis.slow_waves import without_slow_waves
from ectopy.errors import DataError
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join, select
from ectopy.signal.beat_segments import AFTER, BEFORE, MARGIN, BeatSegments, centred
from ectopy.signal.filters import ANALYSIS_RATE_HZ
from ectopy.signal.state_replace import replace

_SHIFTED_QRS = np.arange(2 * MARGIN + 1)[:, None] + np.arange(QRS.start, QRS.stop)
_WIDTH = slice(BEFORE - 30, BEFORE + 40)
_END = 3  # samples
_CLEAR = 2.0
_FIRST_OF_A_RUN, _ANOTHER_QRS = 0.75, 0.9
_MOST_IRREGULARITIES = 6.0
_AT_ONCE = 512  # beats
_TIMES_S = (np.arange(BEFORE + AFTER) - BEFORE) / ANALYSIS_RATE_HZ
_BEFORE_NEXT_S, _OWN_QRS_S = 0.12, 0.08


@dataclass(frozen=True, slots=True)
class BeatDifference:
    """Differences of beats from a patient's template; every array has shape (n,), NaN = not readable.

    Attributes
    ----------
    shape : ndarray of float64
        Square root of the energy of the difference over that of the template and of the beat's noise, in the samples
        that belong to the beat and not to the next one, without the slow waves of a movement (`without_slow_waves`):
        0 = equal, 1 = as large as the beat.
    window : ndarray of float64
        The same in all samples, whatever of the next beat lies among them, with slow waves.
    qrs : ndarray of float64
        The same within the QRS complex, 0.12 s before to 0.16 s after the fiducial point; without the slope of the
        difference across the complex, where that makes it less, as the movement of an electrode is no other shape.
    p_wave, p_share : ndarray of float64
        How little of the usual P wave a beat has, and the share of it that it has, as in `PWaveDifference`.
    width : ndarray of float64
        Log of the area of the QRS complex over its height, against the template's: positive = wider.
    prematurity, delay : ndarray of float64
        As in `BeatSegments`, in units of the patient's irregularity.
    best_qrs : ndarray of float64
        As `qrs`, of the clear lead in which the QRS complex resembles the template most.
    error : ndarray of float64
        What the patient's usual changes do not reconstruct of the beat, by `ReconstructionNetwork`, in its own samples
        and without slow waves: about 1 for normal beats; NaN without a network.
    """

    __repr__ = short_repr

    shape: NDArray[np.float64]
    window: NDArray[np.float64]
    qrs: NDArray[np.float64]
    p_wave: NDArray[np.float64]
    p_share: NDArray[np.float64]
    width: NDArray[np.float64]
    prematurity: NDArray[np.float64]
    delay: NDArray[np.float64]
    best_qrs: NDArray[np.float64]
    error: NDArray[np.float64]

    def __getitem__(self, rows: slice) -> BeatDifference:
        return select(self, rows)

    @property
    def ventricular(self) -> NDArray[np.float64]:
        """Score the likeness to a ventricular beat: a changed, wide QRS complex, early, with a pause after it.

        A beat of another shape that is followed by an early one counts too: it may be the first of a run.
        """
        first = np.where(self.qrs > _ANOTHER_QRS, -_FIRST_OF_A_RUN * self.delay, 0.0)
        after = np.maximum(self.delay, first)
        timing = np.maximum(self.prematurity, 0.0) + _between(after, 0.0, _MOST_IRREGULARITIES)
        likeness: NDArray[np.float64] = np.log(0.1 + self.qrs) + 0.1 * timing + 0.5 * _between(self.width, -0.3, 0.8)
        return likeness


def no_differences() -> BeatDifference:
    """Return those of zero beats."""
    return BeatDifference(*[np.empty(0)] * len(fields(BeatDifference)))


def compare(
    beats: BeatSegments, normal: PatientTemplate, network: ReconstructionNetwork | None = None
) -> BeatDifference:
    """Compare beats with a patient's template, each shifted by up to four samples to where its QRS complex fits best.

    Parameters
    ----------
    beats : BeatSegments
    normal : PatientTemplate
    network : ReconstructionNetwork, optional
        For the error of reconstruction, which is not measured without it.

    Raises
    ------
    DataError
        If the beats have other leads.
    """
    if beats.samples.shape[1] != len(normal.leads):
        raise DataError(f"the baseline has {len(normal.leads)} leads and the recording {beats.samples.shape[1]}.")
    change = None if network is None else network.predict(normal.template, normal.clearness, normal.spread)
    return _compare(beats, normal.template, normal.clearness, normal.irregularity, change)


def compare_together(
    pairs: Sequence[tuple[BeatSegments, PatientTemplate]], network: ReconstructionNetwork | None = None
) -> list[BeatDifference]:
    """Compare beats of many patients, each with their own template: equal to `compare` of each, but faster."""
    alike: dict[tuple[int, int], list[int]] = {}
    for number, (beats, normal) in enumerate(pairs):
        alike.setdefault((beats.samples.shape[1], len(normal.leads)), []).append(number)
    differences: dict[int, BeatDifference] = {}
    for numbers in alike.values():
        differences |= zip(numbers, _compare_alike([pairs[number] for number in numbers], network), strict=True)
    return [differences[number] for number in range(len(pairs))]


def _compare_alike(
    pairs: Sequence[tuple[BeatSegments, PatientTemplate]], network: ReconstructionNetwork | None
) -> list[BeatDifference]:
    """Compare beats of patients with equal numbers of leads."""
    beats, normal = pairs[0]
    if len(pairs) == 1 or beats.samples.shape[1] != len(normal.leads):
        return [compare(*pair, network) for pair in pairs]
    counts = [len(beats) for beats, _ in pairs]
    normals = [normal for beats, normal in pairs for _ in range(len(beats))]
    change = None
    if network is not None:
        change = UsualChange.stacked([network.predict_again(n.template, n.clearness, n.spread) for n in normals])
    together = _compare(
        BeatSegments.joined([beats for beats, _ in pairs]),
        np.array([normal.template for normal in normals]),
        np.array([normal.clearness for normal in normals]),
        np.array([normal.irregularity for normal in normals]),
        change,
    )
    ends = np.cumsum(counts).tolist()
    return [together[end - count : end] for end, count in zip(ends, counts, strict=True)]


class OwnDifference(NamedTuple):
    """Differences of n beats from a patient's template, in the samples that belong to each.

    Attributes
    ----------
    difference_mv : ndarray of float64, shape (n, leads, 140)
    own : ndarray of bool, shape (n, 140)
    noise_mv, weights : ndarray of float64, shape (n, leads)
        Noise of the beat, and weight of the lead; the weights are NaN without a readable lead.
    """

    difference_mv: NDArray[np.float64]
    own: NDArray[np.bool_]
    noise_mv: NDArray[np.float64]
    weights: NDArray[np.float64]


def own_difference(beats: BeatSegments, normal: PatientTemplate) -> OwnDifference:
    """Return what the network that reconstructs beats receives of each beat."""
    aligned, own = align_samples(beats.samples, normal.template), _own_samples(beats.next_s)
    return OwnDifference(
        aligned - normal.template,
        own,
        beat_noise(aligned),
        _lead_weights(beats.readable, normal.clearness),
    )


def align(beats: BeatSegments, normal: PatientTemplate, rows: slice | NDArray[np.integer]) -> NDArray[np.float64]:
    """Shift beats to where their QRS complexes fit the template best, by up to four samples.

    Returns
    -------
    ndarray of float64, shape (k, leads, 140)
        Millivolt, median 0, as the template.
    """
    return align_samples(beats.samples[rows], normal.template)


def align_samples(samples: NDArray[np.float32], template: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift beats to where they fit the template best; the template is the same for all, or one for each."""
    # The misfit of each shift: squared difference in the QRS complex, relative to the amplitude of the lead.
    exact = samples.astype(np.float64)
    amplitude = np.maximum(np.ptp(template, axis=-1), LEAST_AMPLITUDE_MV)
    shifted = exact.take(_SHIFTED_QRS, axis=2)
    shifted -= template[..., None, QRS]
    misfit = _energy(shifted) / amplitude[..., None] ** 2
    # All leads of a beat are shifted together.
    best = misfit.sum(axis=1).argmin(axis=1)
    places = np.arange(0, exact.size, exact.shape[2]).reshape(exact.shape[:2])[..., None]
    return centred(exact.take(places + best[:, None, None] + np.arange(BEFORE + AFTER)))


def _energy(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    energy: NDArray[np.float64] = np.einsum("...k,...k->...", samples, samples)
    return energy


def _compare(
    beats: BeatSegments,
    template: NDArray[np.float64],
    clearness: NDArray[np.float64],
    irregularity: float | NDArray[np.float64],
    change: UsualChange | None,
) -> BeatDifference:
    """Compare beats with a template and its usual change, which are the same for all, or one for each."""
    measured = []
    for start in range(0, len(beats), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        each = rows if template.ndim == 3 else slice(None)
        of_rows = None if change is None else change[each]
        measured.append(_measure(beats[rows], template[each], clearness[each], of_rows))
    difference = join(measured) if measured else no_differences()
    return replace(difference, prematurity=beats.prematurity / irregularity, delay=beats.delay / irregularity)


def _lead_weights(readable: NDArray[np.bool_], clearness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of each lead by its clearness, shape (n, leads); NaN without a readable lead."""
    weights = np.where(readable, clearness, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = weights / np.where(total > 0, total, np.nan)
    return shares


def _own_samples(next_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the 140 samples belong to each beat: those up to 0.12 s before the next one, and its own QRS."""
    own: NDArray[np.bool_] = ~(next_s[:, None] - _BEFORE_NEXT_S < _TIMES_S) | (np.abs(_TIMES_S) < _OWN_QRS_S)
    return own


def _measure(
    beats: BeatSegments, template: NDArray[np.float64], clearness: NDArray[np.float64], change: UsualChange | None
) -> BeatDifference:
    """Measure the differences of beats; their timing is not yet in units of the irregularity."""
    readable, own = beats.readable, _own_samples(beats.next_s)
    weights = _lead_weights(readable, clearness)
    aligned = align_samples(beats.samples, template)
    # The energy of the difference relative to that of the template, over the whole beat and its QRS complex.
    different = aligned - template
    noise_mv = beat_noise(aligned)
    energy = np.maximum(_energy(template), LEAST_AMPLITUDE_MV**2)
    energy = energy + noise_energy(noise_mv, template.shape[-1])
    window = np.sqrt(_energy(different) / energy)
    # The same in the beat's own samples, without the slow waves of a movement.
    steady = without_slow_waves(different, own)
    own_energy = np.maximum((np.square(template) * own[:, None]).sum(axis=-1), LEAST_AMPLITUDE_MV**2)
    own_energy += noise_energy(noise_mv, own.sum(axis=1)[:, None])
    shape = np.sqrt(np.square(steady).sum(axis=-1) / own_energy)
    # The QRS complex also without a slow wave across it, as the movement of an electrode makes.
    in_qrs = different[..., QRS]
    qrs_energy = np.maximum(_energy(template[..., QRS]), LEAST_AMPLITUDE_MV**2)
    qrs = np.sqrt(np.minimum(_energy(in_qrs), _energy(_without_slope(in_qrs))) / qrs_energy)
    width = np.log(_width(aligned) / _width(template))
    # The clear lead that resembles the template most, if it does so more than the mean.
    clear = readable & (clearness > _CLEAR)
    mean_qrs = (qrs * weights).sum(axis=1)
    best_qrs = np.minimum(np.where(clear, qrs, np.inf).min(axis=1), mean_qrs)
    p_waves = compare_p_waves(aligned, readable, template, clearness, noise_mv)
    error = np.full(len(beats), np.nan)
    if change is not None:
        error = mean_over_leads(change.error(steady, own, noise_mv), weights)
    return BeatDifference(
        shape=(shape * weights).sum(axis=1),
        window=(window * weights).sum(axis=1),
        qrs=mean_qrs,
        p_wave=p_waves.score,
        p_share=p_waves.share,
        width=(width * weights).sum(axis=1),
        prematurity=beats.prematurity,
        delay=beats.delay,
        best_qrs=best_qrs,
        error=error,
    )


def _without_slope(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the line between the means of the first and of the last samples."""
    first, last = (samples[..., end].mean(axis=-1, keepdims=True) for end in (slice(_END), slice(-_END, None)))
    share = np.linspace(0.0, 1.0, samples.shape[-1])
    straight: NDArray[np.float64] = samples - (first + (last - first) * share)
    return straight


def _width(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of the QRS complex over its height."""
    size = np.abs(samples[..., _WIDTH])
    width: NDArray[np.float64] = (size.sum(axis=-1) + 1e-6) / (size.max(axis=-1) + 1e-6)
    return width


def _between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    within: NDArray[np.float64] = np.minimum(np.maximum(values, low), high)
    return within
