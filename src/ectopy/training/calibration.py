"""Turn a trained graph into a detector, from normal beats alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ectopy.beats import BeatLayout
from ectopy.detector.detector import Detector
from ectopy.detector.model_card import Card
from ectopy.detector.runtime import Graph
from ectopy.detector.score import KnownNormals, LogScale, Scoring, combine
from ectopy.detector.threshold import ThresholdRule

MAX_KNOWN_NORMALS = 512
# Of one person's beats, by cross-validation on the official 500 training beats of ECG5000; of several people's.
_DISTANCE_WEIGHT, _DISTANCE_WEIGHT_GROUPED = 0.5, 0.75
_GOLDEN_BEATS = 16


def calibrate(
    graph: Graph,
    normals: NDArray[np.float32],
    held_out_by: NDArray[np.int_],
    *,
    rule: ThresholdRule,
    layout: BeatLayout,
    card: Card,
    network: bytes,
    grouped: bool = False,
) -> Detector:
    """Learn scale and threshold from normals that were held out.

    Each normal is scored by the one member that was trained without it, and against that member's own training
    normals, so all of them calibrate (cross-fitting, in the spirit of Barber et al. 2021, doi:10.1214/20-AOS1965). A
    new beat is scored by the mean of all members, which strays less: the stated rate is therefore approximate, and
    measured by ``ectopy benchmark ecg5000``.

    Parameters
    ----------
    graph : Graph
        Of `members` autoencoders.
    normals : ndarray of float32, shape (n, samples)
        The beats the graph was trained on.
    held_out_by : ndarray of int, shape (n,)
        The member that was trained without each beat.
    grouped : bool
        Whether the normals are of several people, each held out as a whole. Then the members' normals differ by person,
        all members share one scale, and the distance has a larger weight.

    Raises
    ------
    NotEnoughNormalsError
        If `normals` are too few for `rule`.
    """
    output = graph.run(normals)
    known_normals = _known_normals(output.latent, held_out_by)
    parts = output.mean_square_error, known_normals.distance(output.latent)
    own = np.arange(len(normals)), held_out_by
    error_scale, distance_scale = (
        LogScale.of(part[own]) if grouped else LogScale.of_each(part[own], held_out_by, graph.members) for part in parts
    )
    error, distance = error_scale.standardise(parts[0])[own], distance_scale.standardise(parts[1])[own]
    distance_weight = _DISTANCE_WEIGHT_GROUPED if grouped else _DISTANCE_WEIGHT
    calibration = combine(error, distance, distance_weight)
    return Detector(
        graph=graph,
        scoring=Scoring(known_normals, error_scale, distance_scale, distance_weight),
        calibration=calibration,
        rule=rule,
        layout=layout,
        card=card,
        network=network,
        golden=_golden(normals, calibration),
    )


def _known_normals(latent: NDArray[np.float32], held_out_by: NDArray[np.int_]) -> KnownNormals:
    """Select codes of each member's training normals, evenly over their order, equally many for each."""
    members = latent.shape[1]
    candidates = [np.flatnonzero(held_out_by != member) for member in range(members)]
    size = min(MAX_KNOWN_NORMALS, *map(len, candidates))
    selected = [rows[np.linspace(0, len(rows) - 1, size).astype(int)] for rows in candidates]
    return KnownNormals(np.stack([latent[rows, member] for member, rows in enumerate(selected)]))


def _golden(normals: NDArray[np.float32], calibration: NDArray[np.float64]) -> NDArray[np.float32]:
    """Select beats over the whole range of scores, and their inverted copies, which are abnormal to every model."""
    ordered = np.argsort(calibration)
    spread = ordered[np.linspace(0, len(ordered) - 1, min(_GOLDEN_BEATS // 2, len(ordered))).astype(int)]
    return np.concatenate([normals[spread], -normals[spread]])
