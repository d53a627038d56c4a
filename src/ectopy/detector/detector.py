"""The detector: scores beats, judges them, explains the judgement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ectopy.arguments import StepProgress, as_samples, checked
from ectopy.beats import BeatLayout, Beats, readable
from ectopy.detector.model_card import Card
from ectopy.detector.runtime import Graph
from ectopy.detector.score import Scoring, combine
from ectopy.detector.threshold import RecordingCalibration, ThresholdRule, p_values
from ectopy.errors import LayoutError
from ectopy.presentation import short_repr


class Verdict(StrEnum):
    """The verdict on a beat. An unreadable beat is neither normal nor abnormal."""

    NORMAL = "NORMAL"
    ABNORMAL = "ABNORMAL"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class Detection:
    """Verdicts on n beats; every array has shape (n,).

    Attributes
    ----------
    verdict : ndarray of str
        A `Verdict` per beat.
    score : ndarray of float64
        Standard deviations above the mean of held-out normals; larger = more abnormal; NaN = unreadable.
    p_value : ndarray of float64
        In (0, 1]; small = abnormal; NaN = unreadable.
    reconstruction_error, latent_distance : ndarray of float64
        The two parts that make the score (see `ectopy.detector.score.combine`), on the same scale.
    threshold : float
        A beat is abnormal when its score is above it.
    """

    __repr__ = short_repr

    verdict: NDArray[np.str_]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    reconstruction_error: NDArray[np.float64]
    latent_distance: NDArray[np.float64]
    threshold: float

    def __len__(self) -> int:
        return len(self.score)

    @property
    def abnormal(self) -> NDArray[np.bool_]:
        """Return which beats are judged abnormal."""
        return np.equal(self.verdict, Verdict.ABNORMAL)

    @property
    def unreadable(self) -> NDArray[np.bool_]:
        """Return which beats could not be judged."""
        return np.equal(self.verdict, Verdict.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why n beats are judged as they are.

    Attributes
    ----------
    detection : Detection
    reconstruction : ndarray of float32, shape (n, samples)
        The normal beat that the autoencoder takes each beat for, in the beats' unit; NaN = unreadable.
    error : ndarray of float32, shape (n, samples)
        How far each sample lies outside the reconstruction, timing tolerance allowed, in the beats' unit and without
        sign, mean over the members (see `ectopy.training.reconstruction_error.tolerant_error`); NaN = unreadable.
    reason : tuple of str
        One sentence per beat.
    """

    __repr__ = short_repr

    detection: Detection
    reconstruction: NDArray[np.float32]
    error: NDArray[np.float32]
    reason: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detector:
    """A trained detector: graph, scoring, calibration, threshold. Immutable, and safe to share between threads.

    Made by `ectopy.train` or `ectopy.AutoencoderDetector`, kept in a bundle with `save` and `load`.

    Attributes
    ----------
    graph : Graph
        The autoencoder, run with LiteRT.
    scoring : Scoring
        How a reconstruction becomes a score.
    calibration : ndarray of float64, shape (m,)
        Scores of normals, each from the member that never saw it; what thresholds and p-values rest on.
    rule : ThresholdRule
    layout : BeatLayout
        The beats it takes; others are refused.
    card : Card
        What it was trained on and how.
    network : bytes
        The Keras model in ``.keras`` format, for research; not used for detection.
    golden : ndarray of float32, shape (g, samples)
        Beats whose scores a loaded bundle must reproduce.
    recordings : RecordingCalibration or None
        What a detector for recordings needs beside; None of one for beats alone.
    threshold : float
        The score above which a beat is abnormal; follows from `rule` and `calibration`.

    Raises
    ------
    NotEnoughNormalsError
        If the calibration normals cannot support the rule.
    """

    __repr__ = short_repr

    graph: Graph
    scoring: Scoring
    calibration: NDArray[np.float64]
    rule: ThresholdRule
    layout: BeatLayout
    card: Card
    network: bytes
    golden: NDArray[np.float32]
    recordings: RecordingCalibration | None = None
    threshold: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", self.rule.threshold(self.calibration))

    @checked
    def with_rule(self, rule: ThresholdRule) -> Detector:
        """The same detector with another threshold, taken from the same held-out normals.

        A `NotEnoughNormalsError` if these cannot support it.
        """
        return replace(self, rule=rule)

    def score(self, beats: Beats | ArrayLike) -> NDArray[np.float64]:
        """Score beats.

        Parameters
        ----------
        beats : Beats or array_like of float, shape (n, samples)
            A bare array is taken to have the detector's own layout.

        Returns
        -------
        ndarray, shape (n,)
            Standard deviations above the mean of held-out normals; larger = more abnormal; NaN = unreadable.

        Raises
        ------
        LayoutError
            If the beats have another length, origin, sampling rate or unit.
        DataError
            If they are not a two-dimensional array of numbers.
        """
        return self._combined(*self._parts(self._samples(beats)))

    @checked
    def detect(self, beats: Beats | ArrayLike, progress: StepProgress | None = None) -> Detection:
        """Judge beats: NORMAL, ABNORMAL or UNREADABLE; tell progress. Errors as for `score`."""
        return self._judge(*self._parts(self._samples(beats), progress))

    @checked
    def explain(self, beats: Beats | ArrayLike, progress: StepProgress | None = None) -> Explanation:
        """Judge beats and say why; tell progress. Errors as for `score`."""
        samples = self._samples(beats)
        error, distance = np.full((2, len(samples)), np.nan)
        reconstruction = np.full_like(samples, np.nan)
        outside = np.full_like(samples, np.nan)
        judged, judgeable = _readable(samples)
        with _absurd_amplitudes_allowed():
            for block, output, picture in self.graph.run_explained(judgeable):
                rows = judged[block]
                error[rows], distance[rows] = self.scoring.parts(output)
                reconstruction[rows] = picture.reconstruction.mean(axis=1)
                outside[rows] = np.abs(picture.error).mean(axis=1)
                if progress:
                    progress(block.stop, len(judged))
        detection = self._judge(error, distance)
        reasons = tuple(_reason(detection, outside[row], row) for row in range(len(samples)))
        return Explanation(detection, reconstruction, outside, reasons)

    @checked
    def save(self, path: str | Path) -> None:
        """Write the detector as one bundle file, atomically; an `OutputError` if it cannot be written."""
        from ectopy.detector.bundle import save

        save(self, Path(path))

    @staticmethod
    @checked
    def load(path: str | Path) -> Detector:
        """Read a bundle and prove that it scores its golden beats as it did when it was made.

        Raises
        ------
        DataError
            If there is no such file.
        SettingError
            If `path` is not a path.
        BundleError
            If it is not an Ectopy bundle, is damaged, or does not reproduce its golden scores.
        """
        from ectopy.detector.bundle import load

        return load(Path(path))

    def _samples(self, beats: Beats | ArrayLike) -> NDArray[np.float32]:
        if isinstance(beats, Beats):
            if not self.layout.accepts(beats.layout):
                raise LayoutError(f"the detector takes beats laid out as {self.layout}, not as {beats.layout}.")
            return beats.samples
        samples = as_samples(beats, f"beats of shape (n, {self.layout.samples})")
        if samples.ndim != 2 or samples.shape[1] != self.layout.samples:
            raise LayoutError(
                f"the detector takes beats of {self.layout.samples} samples, an array of shape "
                f"(n, {self.layout.samples}), not {samples.shape}."
            )
        return samples

    def _parts(
        self, samples: NDArray[np.float32], progress: StepProgress | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        error, distance = np.full((2, len(samples)), np.nan)
        judged, judgeable = _readable(samples)
        with _absurd_amplitudes_allowed():
            for block, output in self.graph.blocks(judgeable):
                rows = judged[block]
                error[rows], distance[rows] = self.scoring.parts(output)
                if progress:
                    progress(block.stop, len(judged))
        return error, distance

    def _combined(self, error: NDArray[np.float64], distance: NDArray[np.float64]) -> NDArray[np.float64]:
        score = np.full_like(error, np.nan)
        judged = ~np.isnan(error + distance)
        score[judged] = combine(error[judged], distance[judged], self.scoring.distance_weight)
        return score

    def _judge(self, error: NDArray[np.float64], distance: NDArray[np.float64]) -> Detection:
        score = self._combined(error, distance)
        verdict = np.where(score > self.threshold, Verdict.ABNORMAL.value, Verdict.NORMAL.value)
        verdict = np.where(np.isnan(score), Verdict.UNREADABLE.value, verdict)
        return Detection(verdict, score, p_values(score, self.calibration), error, distance, self.threshold)


def _readable(samples: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which beats can be judged, and their samples."""
    rows = np.flatnonzero(readable(samples))
    return rows, samples if len(rows) == len(samples) else samples[rows]


def _absurd_amplitudes_allowed() -> np.errstate:
    # They overflow to an infinite score, which is abnormal, or to NaN, which is unreadable.
    return np.errstate(over="ignore", invalid="ignore")


def _reason(detection: Detection, error: NDArray[np.float32], row: int) -> str:
    if detection.verdict[row] == Verdict.UNREADABLE:
        return "Not readable: samples are missing, infinite or all the same."
    start, stop = _concentration(error)
    return (
        f"Score {detection.score[row]:.1f} against a threshold of {detection.threshold:.1f}: "
        f"reconstruction error {detection.reconstruction_error[row]:+.1f} SD, "
        f"distance to known normals {detection.latent_distance[row]:+.1f} SD; "
        f"half of the error lies in samples {start} to {stop}."
    )


def _concentration(error: NDArray[np.float32]) -> tuple[int, int]:
    """Shortest stretch that holds half of the squared error: first and last sample."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(error, dtype=np.float64))])
    stops = np.searchsorted(energy, energy[:-1] + energy[-1] / 2)
    inside = stops < len(energy)
    lengths = np.where(inside, stops - np.arange(len(stops)), len(energy))
    start = int(np.argmin(lengths))
    return start, max(start, int(stops[start]) - 1)
