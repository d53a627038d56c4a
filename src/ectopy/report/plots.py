"""Figures as SVG text.

Text in them stays text, colours follow the page (`ectopy.report.theme`), and the same data give the same characters.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.heart_rate_variability import PoincarePlot
from ectopy.detector.model_card import LearningCurve
from ectopy.evaluation import RankingCurves
from ectopy.report import text_format as fmt
from ectopy.report.language import ENGLISH, Language
from ectopy.report.theme import LIGHT, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS_PER_INCH = 72
_CHART = (400, 280)
_BEAT = (260, 136)
_TREND_WIDTH, _RATE_HEIGHT, _ROW_HEIGHT, _TIMES_HEIGHT = 720, 95, 14, 46
_POINCARE = (260, 250)
_TREND_TICKS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_MOST_TICKS = 10
_SHADES = 5
_BEAT_AXES = (0.11, 0.14, 0.87, 0.83)
_MOST_BINS = 48
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ectopy",
    "font.size": 11,
    "axes.facecolor": "none",
    "axes.edgecolor": LIGHT["muted"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_DRAWING = threading.Lock()  # matplotlib's settings are the process's


@dataclass(frozen=True, slots=True)
class ScoreGroup:
    """Scores, without NaN, of a group in a distribution; `colour` is a name in `ectopy.report.theme.LIGHT`."""

    name: str
    score: NDArray[np.float64]
    colour: str
    dashed: bool


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Point of the threshold in use on the curves; each between 0 and 1, precision may be NaN."""

    fpr: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class Spans:
    """Times of events in order, seconds from the start of a recording; a moment ends where it starts.

    `colour` is a name in `ectopy.report.theme.LIGHT`.
    """

    name: str
    colour: str
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trend:
    """Heart rate over a whole recording.

    Attributes
    ----------
    times_s : ndarray of float64, shape (n,)
        Middle of each point.
    bpm, lowest, highest : ndarray of float64, shape (n,)
        Beats per minute; NaN = unknown, drawn as a gap.
    duration_s : float
    unreadable : Spans
        Shaded.
    rows : tuple of Spans
        Each a row of marks under the heart rate.
    start : datetime or None
        When the recording started; the axis shows the time of day where it is known.
    """

    times_s: NDArray[np.float64]
    bpm: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    duration_s: float
    unreadable: Spans
    rows: tuple[Spans, ...]
    start: datetime | None = None


def score_distribution(groups: Sequence[ScoreGroup], threshold: float) -> str:
    """Histograms of scores, each as shares of its group, and the threshold."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        edges = _bin_edges([group.score for group in groups], threshold)
        for group in groups:
            _histogram(axes, group, edges)
        axes.axvline(threshold, color=LIGHT["ink"], linewidth=1.4, linestyle=(0, (1, 1)))
        axes.annotate(
            f"threshold {fmt.score(threshold)}",
            (threshold, 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -3),
            textcoords="offset points",
            va="top",
        )
        axes.margins(x=0)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
        axes.set_xlabel("score (standard deviations above held-out normals)")
        axes.set_ylabel("share of each group's beats (%)")
        figure.legend(loc="outside upper left", ncols=len(groups), handlelength=2.6)

    names = " and ".join(f"{group.name} ({len(group.score)} beats)" for group in groups)
    label = f"Distribution of scores: {names}; the threshold is {fmt.score(threshold)}."
    return _svg("scores", _CHART, label, paint)


def roc(curves: RankingCurves, point: OperatingPoint) -> str:
    """Receiver operating characteristic with the operating point, and its corner enlarged."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=LIGHT["muted"], linestyle=":", linewidth=1, label="chance")
        curve_label = f"detector, area {fmt.area(curves.auc)}"
        _curve(axes, curves.fpr, curves.tpr, curve_label)
        _mark(axes, point.fpr, point.recall)
        axes.set_xlabel("false-positive rate (normal beats flagged)")
        axes.set_ylabel("recall (abnormal beats flagged)")
        _unit_square(axes)
        corner = axes.inset_axes((0.42, 0.4, 0.52, 0.48), facecolor=LIGHT["surface"])
        _curve(corner, curves.fpr, curves.tpr, None)
        _mark(corner, point.fpr, point.recall)
        fpr, recall = _corner(point)
        corner.set_xlim(-0.02 * fpr, fpr)
        corner.set_ylim(recall, 1.005)
        corner.set_title(f"enlarged: rates up to {fpr:g}", fontsize=9, color=LIGHT["muted"])
        corner.tick_params(labelsize=9)
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.8, columnspacing=1)

    label = (
        f"Receiver operating characteristic, area {fmt.area(curves.auc)}; the threshold in use "
        f"flags {fmt.rate(point.fpr)} of normal and {fmt.rate(point.recall)} of abnormal beats."
    )
    return _svg("roc", _CHART, label, paint)


def precision_recall(curves: RankingCurves, point: OperatingPoint, prevalence: float) -> str:
    """Precision over recall with the operating point; chance is the share of abnormal beats."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(prevalence, color=LIGHT["muted"], linestyle=":", linewidth=1, label="chance")
        curve_label = f"detector, average {fmt.area(curves.average_precision)}"
        _curve(axes, curves.recall, curves.precision, curve_label, step=True)
        _mark(axes, point.recall, point.precision)
        axes.set_xlabel("recall (abnormal beats flagged)")
        axes.set_ylabel("precision (flagged beats abnormal)")
        _unit_square(axes)
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.8, columnspacing=1)

    label = (
        f"Precision over recall, average precision {fmt.area(curves.average_precision)}; the "
        f"threshold in use has recall {fmt.rate(point.recall)} and precision {fmt.rate(point.precision)}."
    )
    return _svg("precision-recall", _CHART, label, paint)


def learning_curve(curve: LearningCurve) -> str:
    """Loss over the optimiser's steps, on the training part and on held-out normals."""

    def paint(figure: Figure) -> None:
        from matplotlib.ticker import LogLocator, NullLocator

        axes = figure.subplots()
        marker = "o" if len(curve.steps) == 1 else None
        axes.plot(curve.steps, curve.training, color=LIGHT["muted"], linestyle="--", marker=marker, label="training")
        axes.plot(curve.steps, curve.held_out, color=LIGHT["normal"], marker=marker, label="held out")
        if min(*curve.training, *curve.held_out) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("optimiser steps")
        axes.set_ylabel("loss (mean over the members)")
        figure.legend(loc="outside upper left", ncols=2, handlelength=2.6)

    label = (
        f"Learning curve over {curve.steps[-1]} steps: the training loss ends at "
        f"{curve.training[-1]:.3g}, the held-out loss at {curve.held_out[-1]:.3g}."
    )
    return _svg("learning-curve", _CHART, label, paint)


def heart_rate(trend: Trend, language: Language = ENGLISH) -> str:
    """Heart rate over the time, unreadable stretches shaded, and rows of marks on the same time below."""
    rows_height = _ROW_HEIGHT * len(trend.rows)

    def paint(figure: Figure) -> None:
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(_RATE_HEIGHT, rows_height))
        shaded = trend.unreadable
        for axes in (upper, lower):
            bars = np.stack([shaded.start_s, shaded.end_s - shaded.start_s], axis=1)
            across = axes.get_xaxis_transform()
            axes.broken_barh(bars, (0, 1), transform=across, color=LIGHT[shaded.colour], alpha=0.22, linewidth=0)
        upper.fill_between(
            trend.times_s, trend.lowest, trend.highest, color=LIGHT["normal"], alpha=0.25, linewidth=0, step="mid"
        )
        marker = "." if len(trend.times_s) < 60 else None
        upper.plot(trend.times_s, trend.bpm, color=LIGHT["normal"], marker=marker, linewidth=1.3)
        bpm = np.concatenate([trend.lowest, trend.highest])
        bpm = bpm[np.isfinite(bpm)]
        low, high = (bpm.min(), bpm.max()) if bpm.size else (60, 80)
        upper.set_ylim(max(0, 10 * np.floor(low / 10 - 0.5)), 10 * np.ceil(high / 10 + 0.5))
        upper.set_ylabel(language.text("per minute"))
        for row, spans in enumerate(trend.rows):
            _spans(lower, spans, row, trend.duration_s)
        lower.set_yticks(range(len(trend.rows)), [language.text(spans.name) for spans in trend.rows], parse_math=False)
        lower.set_ylim(len(trend.rows) - 0.4, -0.6)
        lower.grid(axis="y", visible=False)
        step = next((s for s in _TREND_TICKS_S if trend.duration_s <= _MOST_TICKS * s), trend.duration_s / _MOST_TICKS)
        ticks_s, labels, axis = _time_axis(trend, step, language)
        lower.set_xticks(ticks_s, labels)
        lower.set_xlim(0, trend.duration_s)
        lower.set_xlabel(axis)

    label = language.text("Heart rate over {duration}", duration=fmt.elapsed(trend.duration_s))
    label += "".join(f"; {language.text(spans.name)}: {len(spans.start_s)}" for spans in trend.rows) + "."
    return _svg("heart-rate", (_TREND_WIDTH, _RATE_HEIGHT + rows_height + _TIMES_HEIGHT), label, paint)


def _time_axis(trend: Trend, step_s: float, language: Language) -> tuple[list[float], list[str], str]:
    """Ticks in seconds since the start, at round times of day where these are known; their labels; what they show."""
    start = trend.start
    if start is None:
        ticks_s = np.arange(0, trend.duration_s + 1e-9, step_s).tolist()
        return (
            ticks_s,
            [fmt.elapsed(tick) for tick in ticks_s],
            language.text("time since the start (hours:minutes:seconds)"),
        )
    since_midnight_s = (start - start.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    ticks_s = np.arange(-since_midnight_s % step_s, trend.duration_s + 1e-9, step_s).tolist()
    moments = [start + timedelta(seconds=tick) for tick in ticks_s]
    labels = [f"{moment:%H:%M}" if step_s >= 60 else f"{moment:%H:%M:%S}" for moment in moments]
    return ticks_s, labels, language.text("time of day")


def poincare(plot: PoincarePlot, language: Language = ENGLISH) -> str:
    """Each NN interval over the one before it: a square for each cell, the darker the more pairs it has."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        before_ms, after_ms = np.array(plot.before_ms), np.array(plot.after_ms)
        edges = np.concatenate([before_ms, after_ms, [600.0, 1000.0]])
        low, high = 100 * np.floor(edges.min() / 100), 100 * np.ceil(edges.max() / 100)
        axes.plot([low, high], [low, high], color=LIGHT["muted"], linestyle=":", linewidth=1)
        shade = np.log1p(np.array(plot.pairs, np.float64))
        # Cells of a few shades, each one line of squares: a day stays a few kilobytes.
        levels = np.digitize(shade, np.linspace(0, shade.max(initial=1.0), _SHADES + 1)[1:-1])
        side = max(plot.cell_ms / max(high - low, 1.0) * _POINCARE[0] * 0.8, 1.2)
        for level in range(_SHADES):
            inside = levels == level
            opacity = 0.25 + 0.75 * level / (_SHADES - 1)
            axes.plot(
                before_ms[inside],
                after_ms[inside],
                linestyle="",
                marker="s",
                markersize=side,
                markeredgewidth=0,
                color=LIGHT["normal"],
                alpha=opacity,
            )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.locator_params(nbins=5)
        axes.set_xlabel(language.text("NN interval (ms)"))
        axes.set_ylabel(language.text("next NN interval (ms)"))

    label = language.text("Poincaré plot of {pairs} pairs of NN intervals.", pairs=fmt.count(sum(plot.pairs), language))
    return _svg("poincare", _POINCARE, label, paint)


def beat(
    samples: NDArray[np.float32], reconstruction: NDArray[np.float32], limits: tuple[float, float], label: str
) -> str:
    """Draw a beat, its reconstruction by the autoencoder, and the difference shaded.

    Parameters
    ----------
    samples, reconstruction : ndarray, shape (samples,)
        Values that are not finite are drawn as a gap.
    limits : (float, float)
        Least vertical range; a beat that goes beyond it gets the range it needs.
    label : str
        Description for those who cannot see the figure.
    """

    def paint(figure: Figure) -> None:
        figure.set_layout_engine("none")  # the same place in every beat, so that they compare
        axes = figure.add_axes(_BEAT_AXES)
        original, usual = _finite(samples), _finite(reconstruction)
        x = np.arange(len(original))
        axes.fill_between(x, original, usual, color=LIGHT["abnormal"], alpha=0.28, linewidth=0, clip_on=False)
        axes.plot(x, usual, color=LIGHT["normal"], linestyle=(0, (4, 2)), linewidth=1.3, clip_on=False)
        axes.plot(x, original, color=LIGHT["ink"], linewidth=1.3, clip_on=False)
        axes.set_xlim(0, len(original) - 1)
        axes.set_ylim(*_range((original, usual), limits))
        axes.locator_params(nbins=4)
        axes.tick_params(left=False, bottom=False, labelsize=9.5, pad=2, grid_clip_on=False)
        axes.spines[:].set_visible(False)
        if not np.isfinite(original).any():
            axes.text(0.5, 0.5, "no readable sample", transform=axes.transAxes, ha="center", va="center")

    return _svg("beat", _BEAT, label, paint)


def common_limits(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Vertical range that suits most of some beats, shape (n, samples), and no outlier spoils."""
    finite = samples[np.isfinite(samples)]
    if finite.size == 0:
        return (-1.0, 1.0)
    low, high = np.quantile(finite.astype(np.float64), [0.002, 0.998])
    return float(low), float(high)


# Parts of figures


def _histogram(axes: Axes, group: ScoreGroup, edges: NDArray[np.float64]) -> None:
    bins = np.searchsorted(edges, group.score, side="left") - 1  # as verdicts: above, not at
    counts = np.bincount(bins, minlength=len(edges) - 1)
    colour = LIGHT[group.colour]
    axes.stairs(
        100 * counts / max(len(group.score), 1),
        edges,
        fill=True,
        facecolor=(colour, 0.16),
        edgecolor=colour,
        linewidth=1.4,
        linestyle="--" if group.dashed else "-",
        label=f"{group.name} ({fmt.count(len(group.score))})",
    )


def _bin_edges(scores: Sequence[NDArray[np.float64]], threshold: float) -> NDArray[np.float64]:
    """Equal bins over all scores and the threshold, which is an edge: no bin has two verdicts."""
    values = np.append(np.concatenate(scores), threshold)
    low, high = float(values.min()), float(values.max())
    bins = int(np.clip(4 * np.sqrt(len(values)), 4, _MOST_BINS))
    width = max(high - low, 1.0) / bins
    below, above = (int(np.ceil(span / width)) + 1 for span in (threshold - low, high - threshold))
    return np.asarray(threshold + width * np.arange(-below, above + 1), np.float64)


def _curve(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], label: str | None, *, step: bool = False
) -> None:
    style = "steps-pre" if step else "default"
    axes.plot(x, y, color=LIGHT["normal"], label=label, drawstyle=style)


def _spans(axes: Axes, spans: Spans, row: int, duration_s: float) -> None:
    """All spans of a row as one line with gaps; a moment is as wide as can just be seen."""
    end_s = np.maximum(spans.end_s, spans.start_s + duration_s / 500)
    x = np.stack([spans.start_s, end_s, np.full(len(end_s), np.nan)], axis=1).ravel()
    axes.plot(x, np.full(len(x), row), color=LIGHT[spans.colour], linewidth=9, solid_capstyle="butt")


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.plot(
        [x],
        [y],
        linestyle="",
        marker="D",
        markersize=7,
        markerfacecolor=LIGHT["surface"],
        markeredgecolor=LIGHT["abnormal"],
        markeredgewidth=2,
        clip_on=False,
        zorder=5,
        label="threshold in use",
    )


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)


def _corner(point: OperatingPoint) -> tuple[float, float]:
    """Largest false-positive rate and smallest recall in the enlarged corner, which holds the point."""
    fpr = np.clip(np.ceil(12 * point.fpr) / 10, 0.1, 1.0)
    recall = np.clip(np.floor(10 * point.recall - 0.5) / 10, 0.0, 0.8)
    return float(fpr), float(recall)


def _finite(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _range(curves: tuple[NDArray[np.float64], ...], limits: tuple[float, float]) -> tuple[float, float]:
    values = np.concatenate([*curves, limits])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 1, high + 1)


# From matplotlib to SVG that stands inside a page


def _svg(name: str, size: tuple[int, int], label: str, paint: Callable[[Figure], None]) -> str:
    import matplotlib.style
    from matplotlib.figure import Figure

    width, height = (length / _POINTS_PER_INCH for length in size)
    with _DRAWING, matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.patch.set_visible(False)
        buffer = StringIO()
        no_metadata: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    return themed(_inline(buffer.getvalue(), name, size, label))


def _inline(document: str, name: str, size: tuple[int, int], label: str) -> str:
    """Turn an SVG document into an element of a page: small, named, its ids its own."""
    body = document[document.index(">", document.index("<svg")) + 1 :]
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^\"]*\"", "", body)
    body = body.replace("xlink:href", "href")
    body = _own_ids(body, name)
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    box = f"0 0 {size[0]} {size[1]}"
    opening = f'<svg viewBox="{box}" font-family="sans-serif" role="img" aria-label="{escape(label)}">'
    return opening + body.strip()


def _own_ids(body: str, name: str) -> str:
    """Drop ids that nothing refers to, and give the others the figure's name."""
    referred = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))

    def rename(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in referred else ""

    body = re.sub(r' id="([^"]+)"', rename, body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    return re.sub(r'href="#', f'href="#{name}-', body)
