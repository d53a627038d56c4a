"""The detector that ships with Ectopy, and detectors by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from ectopy.detector import Detector, ThresholdRule
from ectopy.detector.bundle import bundle_digest

SHIPPED = "ambulatory"
"""Name of the detector that ships with Ectopy."""
_BUNDLE = files("ectopy") / "ambulatory.ectopy"


@cache
def load_ambulatory() -> Detector:
    """Load the detector for recordings that ships with Ectopy; see its model card in ``docs/ambulatory.md``."""
    with as_file(_BUNDLE) as path:
        return Detector.load(path)


def ambulatory_digest() -> str:
    """Return the SHA-256 that names the detector that ships with Ectopy."""
    with as_file(_BUNDLE) as path:
        return bundle_digest(path)


def load_detector(bundle: str, target_fpr: float | None = None) -> Detector:
    """Load a bundle from a file, or the shipped one by its name.

    Raises
    ------
    DataError, BundleError
        If it cannot be used.
    """
    detector = load_ambulatory() if bundle == SHIPPED else Detector.load(bundle)
    return detector if target_fpr is None else detector.with_rule(ThresholdRule(target_fpr=target_fpr))


def digest(bundle: str) -> str:
    """Return the SHA-256 of `load_detector`'s bundle; errors as there."""
    return ambulatory_digest() if bundle == SHIPPED else bundle_digest(Path(bundle))


def bundle_bytes(bundle: str) -> bytes:
    """Return the content of `load_detector`'s bundle, for another process; errors as there."""
    if bundle == SHIPPED:
        return _BUNDLE.read_bytes()
    digest(bundle)
    return Path(bundle).read_bytes()
