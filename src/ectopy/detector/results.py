"""Writes verdicts to a file."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from ectopy.beats import Beats
from ectopy.detector.detector import Explanation
from ectopy.errors import SettingError
from ectopy.files import write_text

RESULT_SUFFIXES = (".csv", ".json")


def check_suffix(path: Path) -> None:
    """Raise SettingError unless `path` names a kind of results file."""
    if path.suffix.lower() not in RESULT_SUFFIXES:
        raise SettingError(f"results are written as {' or '.join(RESULT_SUFFIXES)}, not as '{path.name}'.")


def result_rows(beats: Beats, explanation: Explanation) -> list[dict[str, Any]]:
    """One record per beat, with None for what is not known."""
    detection = explanation.detection
    labels = [None] * len(beats) if beats.labels is None else beats.labels.tolist()
    return [
        {
            "beat": index,
            "verdict": str(verdict),
            "score": known(score),
            "p_value": known(p_value),
            "reconstruction_error": known(error),
            "latent_distance": known(distance),
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


def write_results(path: Path, beats: Beats, explanation: Explanation) -> None:
    """Write verdicts as CSV or JSON, by the suffix of `path`, atomically.

    Raises
    ------
    SettingError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    """
    check_suffix(path)
    rows = result_rows(beats, explanation)
    write_text(path, json.dumps(rows, indent=1) if path.suffix.lower() == ".json" else as_csv(rows))


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV text, with a heading."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0] if rows else ["beat", "verdict"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def known(value: float) -> float | None:
    """A figure to six decimals; None where it is not finite."""
    return round(float(value), 6) if math.isfinite(value) else None
