"""A figure of what it costs to watch more and more patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectopy.errors import MissingExtraError, SettingError
from ectopy.files import GENERATOR, atomic_path, check_writable
from ectopy.report.theme import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = {".svg": "Creator", ".png": "Software", ".pdf": "Creator"}
"""Kinds of plots, and what the field is called that says who wrote it."""


def check_growth_plot(path: Path) -> None:
    """Raise before long work starts when `growth_plot` could not be made at its end.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    SettingError
        If the name ends otherwise than in .svg, .png or .pdf.
    OutputError
        If it cannot be written.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError.of("report", "a plot")
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingError(f"a plot is one of {', '.join(_SUFFIXES)}, not '{path.suffix}'.")
    check_writable(path)


def growth_plot(path: Path, runs: Sequence[Mapping[str, float]]) -> None:
    """Draw processor time and delay against patients.

    Parameters
    ----------
    path : Path
        .svg, .png or .pdf.
    runs : sequence of mapping of str to float
        With ``patients``, ``cpu_share``, ``latency_p95_s`` and ``realtime_factor``; a run in which that is below 1 is
        hollow.
    """
    from matplotlib.figure import Figure

    check_growth_plot(path)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    patients = [run["patients"] for run in runs]
    _draw(upper, "cores busy, %", "normal", patients, [100 * run["cpu_share"] for run in runs], runs)
    _draw(lower, "delay of verdicts, p95, s", "abnormal", patients, [run["latency_p95_s"] for run in runs], runs)
    lower.set_xlabel("patients (hollow: not every chunk was answered in time)")
    with atomic_path(path) as temporary:
        suffix = path.suffix.lower()
        figure.savefig(temporary, format=suffix.removeprefix("."), metadata={_SUFFIXES[suffix]: GENERATOR})


def cluster_plot(path: Path, figures: Mapping[str, Any]) -> None:
    """Draw what `ectopy.benchmarks.cluster_benchmark.benchmark_cluster` has measured, by patients and by shards.

    Parameters
    ----------
    path : Path
        .svg, .png or .pdf.
    figures : mapping
    """
    from matplotlib.figure import Figure

    check_growth_plot(path)
    figure = Figure(figsize=(8.0, 5.6), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col", sharey="row")
    columns = {
        "patients": [row["stream"] for row in figures["growth"]],
        "shards": figures["shards"],
    }
    for column, (name, costs) in enumerate(columns.items()):
        counts = [cost[name] for cost in costs]
        for row, (label, key, colour) in enumerate(
            (("cores busy", "cores", "normal"), ("delay of verdicts, p95, s", "latency_p95_s", "abnormal"))
        ):
            each = axes[row][column]
            each.plot(counts, [cost[key] for cost in costs], color=LIGHT[colour], linewidth=1.6, marker="o")
            each.set_ylim(bottom=0)
            each.grid(color=LIGHT["line"], linewidth=0.6)
            if column == 0:
                each.set_ylabel(label)
        axes[1][column].set_xlabel(name)
    axes[1][1].set_xscale("log", base=2)
    with atomic_path(path) as temporary:
        suffix = path.suffix.lower()
        figure.savefig(temporary, format=suffix.removeprefix("."), metadata={_SUFFIXES[suffix]: GENERATOR})


def _draw(
    axes: Axes,
    name: str,
    colour: str,
    patients: Sequence[float],
    values: Sequence[float],
    runs: Sequence[Mapping[str, float]],
) -> None:
    axes.plot(patients, values, color=LIGHT[colour], linewidth=1.6)
    for run, value in zip(runs, values, strict=True):
        face = LIGHT[colour] if run["realtime_factor"] == 1.0 else LIGHT["surface"]
        axes.plot([run["patients"]], [value], marker="o", color=LIGHT[colour], markerfacecolor=face)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(name)
    axes.grid(color=LIGHT["line"], linewidth=0.6)
