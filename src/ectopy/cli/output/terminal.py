"""Output of the commands: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json as _json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ectopy import arguments
from ectopy.beats import Beats
from ectopy.cli.output.rich_tables import pairs_table
from ectopy.cli.output_files import STANDARD_STREAM
from ectopy.detector import Detection, Detector, Explanation, Verdict
from ectopy.detector.threshold import lowest_rate
from ectopy.files import GENERATOR, write_text


def screen(json: str | None) -> Console:
    """Return the console for tables: standard output, or standard error when JSON takes standard output."""
    return Console(stderr=json == STANDARD_STREAM, highlight=False, markup=False, soft_wrap=True)


def emit(json: str | None, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON if that was asked for, and the generator with them; NaN becomes null."""
    if json is None:
        return
    text = _json.dumps({"generator": GENERATOR, **_finite(figures)}, indent=2) + "\n"
    if json == STANDARD_STREAM:
        sys.stdout.write(text)
    else:
        write_text(Path(json), text)


def warn(notes: Iterable[str]) -> None:
    """Print on standard error what is missing or damaged in a file."""
    for note in notes:
        print(f"ectopy: {note}", file=sys.stderr)


@contextmanager
def progress(title: str) -> Iterator[arguments.Progress]:
    """Show a progress bar on standard error while the block runs; the context is the function to report with."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def report(completed: int, total: int, activity: str) -> None:
            bar.update(task, completed=completed, total=total, description=activity)

        yield report


@contextmanager
def step_progress(title: str, activity: str) -> Iterator[arguments.StepProgress]:
    """Show a progress bar as `progress` does, for work that is all of one kind."""
    with progress(title) as report:
        yield lambda completed, total: report(completed, total, activity)


def about_training(beats: Beats) -> str:
    """Say in one line what will be learned."""
    if beats.labels is None:
        return f"Learning from {beats.source}: {len(beats)} beats without labels, all taken for normal."
    normals = int((~beats.abnormal).sum())
    return f"Learning from {beats.source}: {normals} normal beats ({len(beats) - normals} abnormal ones left out)."


def facts(detector: Detector) -> dict[str, Any]:
    """Facts about a detector, for JSON."""
    return {
        "layout": asdict(detector.layout),
        "rule": asdict(detector.rule),
        "threshold": detector.threshold,
        "calibration_normals": len(detector.calibration),
        "lowest_target_fpr": lowest_rate(len(detector.calibration)),
        "card": asdict(detector.card),
    }


def facts_table(detector: Detector) -> Table:
    """Facts about a detector, for people."""
    card, rule = detector.card, detector.rule
    normals = len(detector.calibration)
    aim = f", for {rule.target_fpr:.3g} of normal beats flagged" if rule.name in ("conformal", "quantile") else ""
    return pairs_table(
        "Detector",
        {
            "takes beats": str(detector.layout),
            "trained on": f"{card.normals} normal beats: {card.source or 'source not stated'}",
            "architecture": f"{card.architecture}, {card.members} members, seed {card.random_state}",
            "training": f"{max(card.curve.steps, default=0)} steps",
            "threshold": f"{detector.threshold:.3f} ({rule.name}{aim}, from {normals} held-out normals)",
            "lowest rate supported": f"{lowest_rate(normals):.4f}",
            **{name.replace("_", " "): f"{value:.4g}" for name, value in card.metrics.items()},
            "made with": ", ".join(f"{name} {version}" for name, version in card.versions.items()),
            "data digest": card.digest,
        },
    )


def verdict_counts(detection: Detection) -> dict[str, Any]:
    """Beats by verdict, for JSON."""
    counts = {verdict.value: int(np.sum(detection.verdict == verdict)) for verdict in Verdict}
    return {"beats": len(detection), **counts, "threshold": detection.threshold}


def verdict_table(explanation: Explanation, rows: int = 5) -> Table:
    """Verdict counts, and the most abnormal beats with their reasons."""
    detection = explanation.detection
    counts = ", ".join(f"{count} {name}" for name, count in list(verdict_counts(detection).items())[1:-1])
    table = Table("beat", "score", "p", "reason", title=f"{len(detection)} beats: {counts}", title_justify="left")
    flagged = np.flatnonzero(detection.abnormal)
    for row in flagged[np.argsort(-detection.score[flagged], kind="stable")][:rows]:
        score, p_value = f"{detection.score[row]:.2f}", f"{detection.p_value[row]:.4f}"
        table.add_row(str(row), score, p_value, explanation.reason[row])
    return table


def evaluation_table(evaluation: Any) -> Table:
    """The figures of an `Evaluation`, for people."""
    figures = evaluation.summary()
    confusion = figures["confusion"]
    normals = confusion["true_negative"] + confusion["false_positive"]
    rows = {
        "area under ROC": f"{figures['auc']:.4f}",
        "average precision": f"{figures['average_precision']:.4f}",
        "accuracy": f"{figures['accuracy']:.4f}",
        "F1": f"{figures['f1']:.4f}",
        "normal beats flagged": f"{confusion['false_positive']} of {normals} ({figures['fpr']:.2%})",
        **{
            f"{name} flagged": f"{count['flagged']} of {count['beats']} ({count['flagged'] / count['beats']:.2%})"
            for name, count in figures["recall_by_class"].items()
        },
        "not readable": f"{figures['unreadable']} of {figures['beats']}",
        "threshold": f"{figures['threshold']:.3f}",
    }
    return pairs_table(evaluation.beats.source or "Evaluation", rows)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
