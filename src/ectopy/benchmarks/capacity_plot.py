"""A figure of what it costs to watch more and more patients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectopy.errors import MissingExtraError, SettingError
from ectopy.files import GENERATOR, atomic_path, check_writable
from ectopy.report.theme import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = {".svg": "Creator", ".png": "Software", ".pdf": "Creator"}
"""Kinds of plots, and what the field is called that says who wrote it."""

_DELAY = "delay of verdicts, p95, s"


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
    patients = [run["patients"] for run in runs]
    is_hollow = [run["realtime_factor"] != 1.0 for run in runs]
    with _saved_figure(path, 6.4) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw(upper, "normal", patients, [100 * run["cpu_share"] for run in runs], is_hollow)
        _draw(lower, "abnormal", patients, [run["latency_p95_s"] for run in runs], is_hollow)
        upper.set_ylabel("cores busy, %")
        lower.set_ylabel(_DELAY)
        lower.set_xlabel("patients (hollow: not every chunk was answered in time)")


def cluster_plot(path: Path, figures: Mapping[str, Any]) -> None:
    """Draw what `ectopy.benchmarks.cluster_benchmark.benchmark_cluster` has measured, by patients and by shards."""
    columns = {"patients": [row["stream"] for row in figures["growth"]], "shards": figures["shards"]}
    with _saved_figure(path, 8.0) as figure:
        axes = figure.subplots(2, 2, sharex="col", sharey="row")
        for (upper, lower), (name, costs) in zip(axes.T, columns.items(), strict=True):
            counts = [cost[name] for cost in costs]
            _draw(upper, "normal", counts, [cost["cores"] for cost in costs])
            _draw(lower, "abnormal", counts, [cost["latency_p95_s"] for cost in costs])
            lower.set_xlabel(name)
        axes[0][0].set_ylabel("cores busy")
        axes[1][0].set_ylabel(_DELAY)
        axes[1][1].set_xscale("log", base=2)


@contextmanager
def _saved_figure(path: Path, width: float) -> Iterator[Figure]:
    """Make a figure that is saved at the end of the block."""
    from matplotlib.figure import Figure

    check_growth_plot(path)
    figure = Figure(figsize=(width, 5.6), layout="constrained")
    yield figure
    with atomic_path(path) as temporary:
        suffix = path.suffix.lower()
        figure.savefig(temporary, format=suffix.removeprefix("."), metadata={_SUFFIXES[suffix]: GENERATOR})


def _draw(
    axes: Axes, colour: str, counts: Sequence[float], values: Sequence[float], is_hollow: Iterable[bool] = ()
) -> None:
    axes.plot(counts, values, color=LIGHT[colour], linewidth=1.6, marker="o")
    for count, value in compress(zip(counts, values, strict=True), is_hollow):
        axes.plot([count], [value], marker="o", color=LIGHT[colour], markerfacecolor=LIGHT["surface"])
    axes.set_ylim(bottom=0)
    axes.grid(color=LIGHT["line"], linewidth=0.6)
