"""Learn a patient's template, the shape and regularity of their usual beats, and compare beats with it.

The template is the median of the half of the beats that lie closest to many others, so that a minority of ectopic
beats does not shape it. The difference of a beat is measured in shares of the template's energy, and its timing in
units of the patient's own irregularity: both mean the same for every patient, and one threshold serves all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.beat_noise import beat_noise, noise_energy
from ectopy.analysis.p_wave import compare_p_waves
from ectopy.analysis.reconstruction import ReconstructionNetwork, UsualChange, mean_over_leads
from ectopy.arguments import checked
from ectopy.errors import DataError
from ectopy.files import array_bytes, atomic_path, packed, read_array, unpacked
from ectopy.presentation import short_repr
from ectopy.signal.array_columns import join, select
from ectopy.signal.beat_segments import AFTER, BEFORE, MARGIN, BeatSegments, centred, finite_median
from ectopy.signal.filters import ANALYSIS_RATE_HZ
from ectopy.signal.state_replace import replace

LEARNING_S = 300.0
LEAST_BEATS = 30
LEAST_CLEARNESS = 1.0
MAX_BASELINE_BYTES = 2**20
LEAST_IRREGULARITY = 0.05

_NEIGHBOURS = 0.3
_MOST_LEARNED = 2000
_MOST_FAMILIES = 3
_OTHER_FORM = 0.8
_QRS = slice(BEFORE - 22, BEFORE + 28)
_SHIFTED_QRS = np.arange(2 * MARGIN + 1)[:, None] + np.arange(_QRS.start, _QRS.stop)
_WIDTH = slice(BEFORE - 30, BEFORE + 40)
_END = 3  # samples
_LEAST_AMPLITUDE_MV = 0.1
_UNKNOWN_SPREAD_MV = 0.1
_USUAL = 0.3  # share of the beats; ectopic beats, up to seven in ten, do not count
_DEVIATION = 1.4826  # standard deviation over median absolute deviation
_CLEAR = 2.0
_FIRST_OF_A_RUN, _ANOTHER_QRS = 0.75, 0.9
_MOST_IRREGULARITIES = 6.0
_AT_ONCE = 512  # beats
_TIMES_S = (np.arange(BEFORE + AFTER) - BEFORE) / ANALYSIS_RATE_HZ
_BEFORE_NEXT_S, _OWN_QRS_S = 0.12, 0.08


@dataclass(frozen=True, slots=True)
class PatientTemplate:
    """Usual beat and regularity of one patient.

    Attributes
    ----------
    template : ndarray of float64, shape (leads, 140)
        The usual beat, millivolt at 180 Hz, median 0.
    clearness : ndarray of float64, shape (leads,)
        Energy of the template's QRS complex over that of the difference of the usual beats; a lead's weight. 0 = not
        readable.
    spread : ndarray of float64, shape (leads, 140)
        Usual distance of each sample of the learned beats from the template, millivolt.
    irregularity : float
        Spread of the prematurity of the learned beats.
    beats : int
        Number of beats it was learned from.
    leads : tuple of str
    usual_difference : float
        Difference from the template, as `BeatDifference.shape`, that seven in ten of the learned beats exceed; 0 = not
        known.
    """

    __repr__ = short_repr

    template: NDArray[np.float64]
    clearness: NDArray[np.float64]
    spread: NDArray[np.float64]
    irregularity: float
    beats: int
    leads: tuple[str, ...]
    usual_difference: float = 0.0

    def for_leads(self, leads: tuple[str, ...]) -> PatientTemplate | None:
        """Return the template for other leads: unknown ones get no weight; None if all are unknown."""
        if leads == self.leads:
            return self
        rows = [self.leads.index(lead) if lead in self.leads else None for lead in leads]
        template = np.stack([np.zeros(BEFORE + AFTER) if row is None else self.template[row] for row in rows])
        clearness = np.array([0.0 if row is None else self.clearness[row] for row in rows])
        if not clearness.any():
            return None
        unknown = np.full(BEFORE + AFTER, _UNKNOWN_SPREAD_MV)
        spread = np.stack([unknown if row is None else self.spread[row] for row in rows])
        return replace(self, template=template, clearness=clearness, spread=spread, leads=leads)

    @checked
    def save(self, path: str | Path) -> None:
        """Write as an ``.npz`` file, atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        facts = json.dumps(
            {
                "irregularity": self.irregularity,
                "beats": self.beats,
                "leads": self.leads,
                "usual_difference": self.usual_difference,
            }
        )
        arrays = {
            "template": self.template,
            "clearness": self.clearness,
            "spread": self.spread,
            "facts": np.array(facts),
        }
        content = packed({f"{name}.npy": array_bytes(array) for name, array in arrays.items()})
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content)

    @classmethod
    @checked
    def load(cls, path: str | Path) -> PatientTemplate:
        """Read a file of `save`, without running any code in it.

        Raises
        ------
        DataError
            If the file is missing or is not a saved baseline.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BASELINE_BYTES + 1)
            stored = {name: read_array(member) for name, member in unpacked(content, MAX_BASELINE_BYTES).items()}
            facts = json.loads(str(stored["facts.npy"]))
            normal = cls(
                stored["template.npy"].astype(np.float64),
                stored["clearness.npy"].astype(np.float64),
                stored["spread.npy"].astype(np.float64),
                float(facts["irregularity"]),
                int(facts["beats"]),
                tuple(facts["leads"]),
                float(facts.get("usual_difference", 0.0)),
            )
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}; name a saved baseline.") from error
        except (DataError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is not a baseline that Ectopy saved.") from error
        shape = len(normal.leads), BEFORE + AFTER
        if (normal.template.shape, normal.spread.shape, normal.clearness.shape) != (shape, shape, shape[:1]):
            raise DataError(f"{path} is not a baseline that Ectopy saved.")
        return normal


@dataclass(frozen=True, slots=True)
class BeatDifference:
    """Differences of beats from a patient's template; every array has shape (n,), NaN = not readable.

    Attributes
    ----------
    shape : ndarray of float64
        Square root of the energy of the difference over that of the template and of the beat's noise, in the samples
        that belong to the beat and not to the next one: 0 = equal, 1 = as large as the beat.
    window : ndarray of float64
        The same in all samples, whatever of the next beat lies among them.
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
        What the patient's usual changes do not reconstruct of the beat, by `ReconstructionNetwork`, in its own samples:
        about 1 for normal beats; NaN without a network.
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


@dataclass(frozen=True, slots=True)
class Family:
    """Beats of one shape.

    Attributes
    ----------
    normal : PatientTemplate
        The template, if these are the patient's normal beats.
    rate_bpm : float
        Median rate of these beats; 0 = not known.
    """

    normal: PatientTemplate
    rate_bpm: float


def learn_normal(beats: BeatSegments, leads: tuple[str, ...]) -> PatientTemplate | None:
    """Learn a patient's template from the first five minutes; None if they are too few or too different.

    Parameters
    ----------
    beats : BeatSegments
    leads : tuple of str
    """
    family = _learn(beats, learning_beats(beats), leads, LEAST_BEATS)
    return None if family is None else family.normal


def learn_families(beats: BeatSegments, leads: tuple[str, ...], least: int = LEAST_BEATS) -> tuple[Family, ...]:
    """Group beats by shape: the most frequent shape first, then those of the remaining beats, three at most.

    Where a recording starts in an abnormal rhythm, the normal beats are not the first family.

    Parameters
    ----------
    beats : BeatSegments
    leads : tuple of str
    least : int
        Least number of beats of a family.
    """
    rows = np.flatnonzero(beats.readable.any(axis=1))[:_MOST_LEARNED]
    families: list[Family] = []
    while len(families) < _MOST_FAMILIES:
        family = _learn(beats, rows, leads, least)
        if family is None:
            break
        families.append(family)
        rows = rows[compare(beats[rows], family.normal).shape > _OTHER_FORM]
    return tuple(families)


def learning_beats(beats: BeatSegments, learning_s: float = LEARNING_S) -> NDArray[np.intp]:
    """Return the readable beats of the first `learning_s` seconds from the first of them, at most 2000."""
    readable = np.flatnonzero(beats.readable.any(axis=1))
    until_s = beats.times_s[readable[:1]].sum() + learning_s
    first: NDArray[np.intp] = readable[beats.times_s[readable] < until_s][:_MOST_LEARNED]
    return first


def _learn(beats: BeatSegments, first: NDArray[np.intp], leads: tuple[str, ...], least: int) -> Family | None:
    if len(first) < least:
        return None
    # Leads readable in more than half of the beats, and the beats readable in all of them.
    readable = beats.readable[first]
    usable = readable.mean(axis=0) > 0.5
    first = first[readable[:, usable].all(axis=1)]
    if not usable.any() or len(first) < least:
        return None
    # The template is the median of the central half, with each lead scaled by its amplitude.
    samples = beats.samples[first][:, :, MARGIN:-MARGIN].astype(np.float64)
    amplitude = np.maximum(np.median(np.ptp(samples, axis=2), axis=0), _LEAST_AMPLITUDE_MV)
    central = _central_half((samples[:, usable] / amplitude[usable, None]).reshape(len(first), -1))
    template = centred(np.median(samples[central], axis=0))
    # A lead is clear where the central beats hardly differ from the template within the QRS complex.
    around = centred(samples[central]) - template
    energy = np.square(template[:, _QRS]).sum(axis=1)
    noise = np.median(np.square(around[..., _QRS]).sum(axis=2), axis=0)
    clearness = np.where(usable, energy / np.maximum(noise, 1e-9), 0.0)
    if clearness.max() < LEAST_CLEARNESS:
        return None
    # The usual distance of each sample, a median that ectopic beats among the learned ones hardly change.
    distance = np.median(np.abs(_aligned(beats.samples[first], template) - template), axis=0)
    spread_mv = np.where(usable[:, None], _DEVIATION * distance, _UNKNOWN_SPREAD_MV)
    # Irregularity: spread of the prematurity by the median absolute deviation, at least 0.05.
    early = beats.prematurity[first]
    spread = _DEVIATION * float(np.median(np.abs(early - np.median(early))))
    normal = PatientTemplate(
        template, clearness, spread_mv, float(np.hypot(spread, LEAST_IRREGULARITY)), len(first), leads
    )
    difference = compare(beats[first], normal).shape
    normal = replace(normal, usual_difference=float(np.quantile(difference, _USUAL)))
    intervals_s = beats.rr_s[first[central]]
    finite_s = intervals_s[np.isfinite(intervals_s)]
    return Family(normal, 60.0 / float(np.median(finite_s)) if len(finite_s) else 0.0)


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
    aligned = _aligned(beats.samples, normal.template)
    return OwnDifference(
        aligned - normal.template,
        _own_samples(beats.next_s),
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
    return _aligned(beats.samples[rows], normal.template)


def _aligned(samples: NDArray[np.float32], template: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift beats to where they fit the template best; the template is the same for all, or one for each."""
    # The misfit of each shift: squared difference in the QRS complex, relative to the amplitude of the lead.
    exact = samples.astype(np.float64)
    amplitude = np.maximum(np.ptp(template, axis=-1), _LEAST_AMPLITUDE_MV)
    shifted = exact.take(_SHIFTED_QRS, axis=2)
    shifted -= template[..., None, _QRS]
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
    aligned = _aligned(beats.samples, template)
    # The energy of the difference relative to that of the template, over the whole beat and its QRS complex.
    different = aligned - template
    noise_mv = beat_noise(aligned)
    energy = np.maximum(_energy(template), _LEAST_AMPLITUDE_MV**2)
    energy = energy + noise_energy(noise_mv, template.shape[-1])
    window = np.sqrt(_energy(different) / energy)
    shape = _own_difference(window, different, template, own, noise_mv)
    # The QRS complex also without a slow wave across it, as the movement of an electrode makes.
    in_qrs = different[..., _QRS]
    qrs_energy = np.maximum(_energy(template[..., _QRS]), _LEAST_AMPLITUDE_MV**2)
    qrs = np.sqrt(np.minimum(_energy(in_qrs), _energy(_without_slope(in_qrs))) / qrs_energy)
    width = np.log(_width(aligned) / _width(template))
    # The clear lead that resembles the template most, if it does so more than the mean.
    clear = readable & (clearness > _CLEAR)
    mean_qrs = (qrs * weights).sum(axis=1)
    best_qrs = np.minimum(np.where(clear, qrs, np.inf).min(axis=1), mean_qrs)
    p_waves = compare_p_waves(aligned, readable, template, clearness, noise_mv)
    error = np.full(len(beats), np.nan)
    if change is not None:
        error = mean_over_leads(change.error(different, own, noise_mv), weights)
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


def _own_difference(
    window: NDArray[np.float64],
    different: NDArray[np.float64],
    template: NDArray[np.float64],
    own: NDArray[np.bool_],
    noise_mv: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the difference in own samples alone, shape (n, leads); from its median where samples are left out."""
    cut = np.flatnonzero(~own.all(axis=1))
    if not len(cut):
        return window
    inside = np.broadcast_to(own[cut, None], different[cut].shape)
    left = np.where(inside, different[cut], np.nan)
    left -= finite_median(left)[..., None]
    energy = np.where(inside, np.square(template[cut] if template.ndim == 3 else template), 0.0).sum(axis=-1)
    energy = np.maximum(energy, _LEAST_AMPLITUDE_MV**2) + noise_energy(noise_mv[cut], own[cut].sum(axis=1)[:, None])
    shape = window.copy()
    shape[cut] = np.sqrt(np.nansum(np.square(left), axis=2) / energy)
    return shape


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


def _central_half(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the half of the rows with the smallest mean distance to the nearest 30 % of the others."""
    # Distances from one matrix product: |a - b|^2 = |a|^2 + |b|^2 - 2 ab.
    squares = np.square(rows).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0))
    distance.sort(axis=1)
    nearest = distance[:, 1 : max(3, round(_NEIGHBOURS * len(rows))) + 1].mean(axis=1)
    central: NDArray[np.intp] = np.argsort(nearest, kind="stable")[: max(3, len(rows) // 2)]
    return central
