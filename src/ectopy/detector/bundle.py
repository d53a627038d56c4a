"""Save and load a detector as one file: a zip without pickle, checked when it is read.

=====================  ==================================================================================
``manifest.json``      layout, scoring, threshold rule, card, and the SHA-256 of every other member
``manifest.sha256``    SHA-256 of the manifest; names the bundle
``graph.tflite``       the network that runs: beats to ``reconstruction`` and ``latent``
``network.keras``      the same network for Keras
``known_normals.npy``  latent codes of known normals, (members, m, latent size)
``calibration.npy``    scores of held-out normals, (n,)
``golden.npy``         beats whose scores must be reproduced, (g, samples)
``expected.npy``       those scores, (g,)
``recordings.npz``     only of a detector for recordings: what normal beats measure and score, the network of intervals
=====================  ==================================================================================

Format 1 did not store the weight of the distance; it is read with the weight of its time. Formats 1 and 2 of detectors
for recordings had no network of intervals, and are rejected.

The digests detect damage; they are not a signature, and do not prove the origin of the bundle.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ectopy.beats import BeatLayout
from ectopy.detector.detector import Detector
from ectopy.detector.model_card import Card, LearningCurve
from ectopy.detector.runtime import Graph
from ectopy.detector.score import KnownNormals, LogScale, Scoring
from ectopy.detector.threshold import RecordingCalibration, ThresholdRule
from ectopy.errors import BundleError, DataError, EctopyError, short_text
from ectopy.files import array_bytes, atomic_path, packed, read_array, unpacked

FORMAT_VERSION = 4
GOLDEN_TOLERANCE = 1e-4
MAX_BUNDLE_BYTES = 32 * 2**20
"""Total of all members, unpacked; arrays within a member are limited separately."""
MAX_MANIFEST_BYTES = 2**20
"""Small JSON takes forty times its size in memory."""

_READ_VERSIONS = (1, 2, 3, FORMAT_VERSION)
_DISTANCE_WEIGHT_OF_VERSION_1 = 0.75

_MANIFEST, _MANIFEST_DIGEST = "manifest.json", "manifest.sha256"
_MEMBERS = (
    "graph.tflite",
    "network.keras",
    "known_normals.npy",
    "calibration.npy",
    "golden.npy",
    "expected.npy",
)
_RECORDINGS = "recordings.npz"
_RECORDING_NETWORKS = "interval_weights", "reconstruction_weights"
_RECORDING_ARRAYS = tuple(each.name for each in fields(RecordingCalibration) if each.name not in _RECORDING_NETWORKS)


def save(detector: Detector, path: Path) -> None:
    """Write a detector; see `Detector.save`."""
    members = {
        "graph.tflite": detector.graph.content,
        "network.keras": detector.network,
        "known_normals.npy": array_bytes(detector.scoring.normals.codes),
        "calibration.npy": array_bytes(detector.calibration),
        "golden.npy": array_bytes(detector.golden),
        "expected.npy": array_bytes(detector.score(detector.golden)),
    }
    if detector.recordings is not None:
        members[_RECORDINGS] = _from_recordings(detector.recordings)
    manifest = json.dumps(
        {
            "format": "ectopy-bundle",
            "format_version": FORMAT_VERSION,
            "layout": asdict(detector.layout),
            "preprocessing": "none; the graph takes beats in the layout's unit",
            "scoring": {
                "error_scale": _from_scale(detector.scoring.error_scale),
                "distance_scale": _from_scale(detector.scoring.distance_scale),
                "distance_weight": detector.scoring.distance_weight,
            },
            "rule": asdict(detector.rule),
            "threshold": detector.threshold,
            "card": asdict(detector.card),
            "members": {name: sha256(content).hexdigest() for name, content in members.items()},
        },
        indent=1,
    ).encode()
    content = packed({_MANIFEST: manifest, _MANIFEST_DIGEST: sha256(manifest).hexdigest().encode(), **members})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Detector:
    """Read and verify a detector; see `Detector.load`."""
    members = _read(path)
    try:
        manifest = _manifest(members, path)
        detector = _detector(manifest, members)
        expected = read_array(members["expected.npy"])
        same_threshold = math.isclose(detector.threshold, manifest["threshold"], rel_tol=1e-9)
        scores = detector.score(detector.golden)
        same_scores = len(scores) > 0 and scores.shape == expected.shape
        same_scores = same_scores and np.allclose(scores, expected, GOLDEN_TOLERANCE, GOLDEN_TOLERANCE)
    except BundleError:
        raise
    except (EctopyError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise BundleError(f"{path} is damaged ({_first_line(error)}); train or copy it again.") from error
    if not same_threshold:
        raise BundleError(f"{path} was tampered with: its threshold does not follow from its calibration scores.")
    if not same_scores:
        raise BundleError(
            f"{path} does not reproduce the scores of its golden beats on this machine; do not use it, train it again."
        )
    return detector


def is_bundle(path: Path) -> bool:
    """Return whether a file begins like a bundle, without checking the rest."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return False
    return start.startswith(b"PK\x03\x04") and _MANIFEST.encode() in start


def bundle_digest(path: Path) -> str:
    """Return the SHA-256 that names a bundle: of its manifest, which holds the digests of all other members."""
    return sha256(_read(path)[_MANIFEST]).hexdigest()


def _read(path: Path) -> dict[str, bytes]:
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; name a bundle file (.ectopy).")
        if not path.exists():
            raise DataError(f"{path} does not exist; make a bundle with: ectopy train DATA -o {path.name}.")
        with path.open("rb") as file:
            content = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; name a bundle file (.ectopy).") from error
    if len(content) > MAX_BUNDLE_BYTES:
        raise BundleError(f"{path} is not an Ectopy bundle: it is larger than {MAX_BUNDLE_BYTES >> 20} MiB.")
    try:
        members = unpacked(content, MAX_BUNDLE_BYTES)
    except DataError as error:
        raise BundleError(
            f"{path} is not an Ectopy bundle, or is truncated ({_first_line(error)}); train or copy it again."
        ) from error
    names = {_MANIFEST, _MANIFEST_DIGEST, *_MEMBERS}
    if members.keys() not in (names, names | {_RECORDINGS}):
        raise BundleError(f"{path} is not an Ectopy bundle: it holds other files than a bundle does.")
    if len(members[_MANIFEST]) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path} is not an Ectopy bundle: its manifest is larger than {MAX_MANIFEST_BYTES >> 20} MiB."
        )
    return members


def _manifest(members: dict[str, bytes], path: Path) -> dict[str, Any]:
    content = members[_MANIFEST]
    if sha256(content).hexdigest() != members[_MANIFEST_DIGEST].decode("ascii", "replace"):
        raise BundleError(f"{path} was changed after it was made: its manifest does not match its digest.")
    manifest = json.loads(content)
    if not isinstance(manifest, dict) or manifest.get("format") != "ectopy-bundle":
        raise BundleError(f"{path} is not an Ectopy bundle: its manifest is of another format.")
    if manifest["format_version"] not in _READ_VERSIONS:
        raise BundleError(
            f"{path} has bundle format {short_text(manifest['format_version'])}, this version of Ectopy reads "
            f"{', '.join(map(str, _READ_VERSIONS))}; use the version that made it, or train it again."
        )
    if manifest["format_version"] < FORMAT_VERSION and _RECORDINGS in members:
        raise BundleError(
            f"{path} is a detector for recordings of an earlier version, without the networks of this one; leave it "
            "out to use the shipped one, or train it again."
        )
    if manifest["format_version"] == 1:
        manifest["scoring"]["distance_weight"] = _DISTANCE_WEIGHT_OF_VERSION_1
    if manifest["members"].keys() != members.keys() - {_MANIFEST, _MANIFEST_DIGEST}:
        raise BundleError(f"{path} was changed after it was made: its manifest lists other members than it holds.")
    for name in manifest["members"]:
        if sha256(members[name]).hexdigest() != manifest["members"][name]:
            raise BundleError(f"{path} was changed after it was made: {name} does not match its digest.")
    return manifest


def _detector(manifest: dict[str, Any], members: dict[str, bytes]) -> Detector:
    scoring, card = manifest["scoring"], manifest["card"]
    graph, layout = Graph(members["graph.tflite"]), BeatLayout(**manifest["layout"])
    normals = KnownNormals(read_array(members["known_normals.npy"]))
    if graph.samples != layout.samples or len(normals.codes) != graph.members:
        raise DataError("the graph does not fit the layout or the known normals")
    curve = LearningCurve(**{name: tuple(values) for name, values in card.pop("curve").items()})
    return Detector(
        graph=graph,
        scoring=Scoring(
            normals=normals,
            error_scale=_to_scale(scoring["error_scale"], graph.members),
            distance_scale=_to_scale(scoring["distance_scale"], graph.members),
            distance_weight=float(scoring["distance_weight"]),
        ),
        calibration=read_array(members["calibration.npy"]),
        rule=ThresholdRule(**manifest["rule"]),
        layout=layout,
        card=Card(**card, curve=curve),
        network=members["network.keras"],
        golden=read_array(members["golden.npy"]),
        recordings=_to_recordings(members[_RECORDINGS]) if _RECORDINGS in members else None,
    )


def _from_scale(scale: LogScale) -> dict[str, Any]:
    return {"floor": scale.floor, "mean": scale.mean.tolist(), "std": scale.std.tolist()}


def _to_scale(stored: dict[str, Any], members: int) -> LogScale:
    mean, std = (np.asarray(stored[name], np.float64) for name in ("mean", "std"))
    if mean.shape != std.shape or mean.shape not in ((), (members,)):
        raise DataError("a scale does not fit the members of the graph")
    return LogScale(float(stored["floor"]), mean, std)


def _from_recordings(calibration: RecordingCalibration) -> bytes:
    arrays = {name: getattr(calibration, name) for name in _RECORDING_ARRAYS}
    for network in _RECORDING_NETWORKS:
        arrays |= {f"{network}_{number}": weights for number, weights in enumerate(getattr(calibration, network))}
    return packed({f"{name}.npy": array_bytes(array) for name, array in arrays.items()})


def _to_recordings(content: bytes) -> RecordingCalibration:
    members = unpacked(content, MAX_BUNDLE_BYTES)
    arrays = {name.removesuffix(".npy"): read_array(member) for name, member in members.items()}
    values: dict[str, Any] = {name: arrays[name] for name in _RECORDING_ARRAYS}
    for network in _RECORDING_NETWORKS:
        count = sum(name.startswith(f"{network}_") for name in arrays)
        values[network] = tuple(arrays[f"{network}_{number}"] for number in range(count))
    return RecordingCalibration(**values)


def _first_line(error: BaseException) -> str:
    return short_text((str(error).splitlines() or [type(error).__name__])[0].rstrip("."))
