"""Write verdicts to a file."""

from __future__ import annotations

import csv
import io
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ectopy.beats import Beats
from ectopy.detector.detector import Explanation
from ectopy.errors import SettingError
from ectopy.files import GENERATOR, write_text
from ectopy.presentation import finite_or_none, table_text

RESULT_SUFFIXES = (".csv", ".json")


def check_suffix(path: Path) -> None:
    """Raise SettingError unless `path` names a kind of results file."""
    if path.suffix.lower() not in RESULT_SUFFIXES or path.name.lower().endswith(".fhir.json"):
        raise SettingError(f"results are written as {' or '.join(RESULT_SUFFIXES)}, not as '{path.name}'.")


def result_rows(beats: Beats, explanation: Explanation) -> list[dict[str, Any]]:
    """Return one record per beat; None = not known."""
    detection = explanation.detection
    labels = [None] * len(beats) if beats.labels is None else beats.labels.tolist()
    return [
        {
            "beat": index,
            "verdict": str(verdict),
            "score": finite_or_none(score, 6),
            "p_value": finite_or_none(p_value, 6),
            "reconstruction_error": finite_or_none(error, 6),
            "latent_distance": finite_or_none(distance, 6),
            "label": label,
            "reason": reason,
        }
        for index, (verdict, score, p_value, error, distance, label, reason) in enumerate(
            zip(
                detection.verdict,
                detection.score,
                detection.p_value,
                detection.reconstruction_error,
                detection.latent_distance,
                labels,
                explanation.reason,
                strict=True,
            )
        )
    ]


def write_results(path: Path, beats: Beats, explanation: Explanation, detector_digest: str | None = None) -> None:
    """Write verdicts as CSV or JSON, by the suffix of `path`, atomically.

    Both state the source of the beats, their sampling rate, the detector and the program: JSON once, CSV in every row,
    so that tables of many files can be concatenated.

    Parameters
    ----------
    path, beats, explanation
    detector_digest : str, optional
        SHA-256 of the bundle, see `ectopy.detector.bundle.bundle_digest`.

    Raises
    ------
    SettingError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    """
    check_suffix(path)
    rows = result_rows(beats, explanation)
    facts = {
        "generator": GENERATOR,
        "source": beats.source,
        "sampling_rate_hz": beats.layout.sampling_rate_hz,
        "detector": detector_digest,
    }
    if path.suffix.lower() == ".json":
        write_text(path, json.dumps({**facts, "versions": versions(), "beat_list": rows}, indent=1) + "\n")
    else:
        facts["source"] = table_text(beats.source)
        write_text(path, as_csv([{**row, **facts} for row in rows]))


def versions() -> dict[str, str]:
    """Return the versions of Python, Ectopy and the packages that the figures depend on."""
    packages = ("ectopy", "numpy", "scipy", "ai-edge-litert")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV text with a header."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0] if rows else ["beat", "verdict"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
