"""ECG on its paper, as SVG in millimetres: printed at 100 %, the scale is true.

One millimetre of the standard paper is 40 ms and 0.1 mV, and every fifth line is heavy. Coordinates are millimetres
from the upper left; the paper of a strip begins at `TOP_MM`, and its ECG at `LEFT_MM`, right of the calibration pulses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

from ectopy.formats.pulse_channels import PRESSURE_UNIT
from ectopy.report import text_format as fmt
from ectopy.report.language import ENGLISH, Language
from ectopy.report.theme import LIGHT
from ectopy.signal.beat_segments import BEFORE
from ectopy.signal.filters import ANALYSIS_RATE_HZ
from ectopy.signal.quality import QualityInterval

SPEED_MM_S = 25.0
GAIN_MM_MV = 10.0
TOP_MM, LEFT_MM = 10, 10
PAGE_MM = 205
"""Height of the highest drawing that fits a page of A4 or Letter, with its heading and the introduction."""

_BOTTOM_MM = 4
_HEAVY_MM = 5
_PULSE_S = 0.2
_PULSE_LANE_MM, _PULSE_SHARE = 20, 0.8
_LEAST_UP_MM, _LEAST_DOWN_MM, _MOST_MM = 10, 5, 40
_MOST_NAME = 20
_LEAST_RR_S = 0.34  # in which its figure has room
_ENLARGED = 2  # a single beat against the standard paper
_ENLARGED_GAINS = (_ENLARGED * GAIN_MM_MV, GAIN_MM_MV, GAIN_MM_MV / 2)  # the largest with which the beat fits


@dataclass(frozen=True, slots=True)
class Mark:
    """A beat on a strip; `rr_s` is the interval from the beat before, NaN = unknown."""

    time_s: float
    symbol: str
    verdict: str
    rr_s: float


@dataclass(frozen=True, slots=True)
class PulseTrace:
    """A stretch of a pulse wave; times from the start of the recording, NaN is drawn as a gap."""

    name: str
    unit: str
    times_s: NDArray[np.float64]
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch of ECG, all its leads under each other.

    Attributes
    ----------
    start_s, end_s : float
        From the start of the recording.
    signal : ndarray of float64, shape (leads, n)
        Millivolt; NaN is drawn as a gap.
    times_s : ndarray of float64, shape (n,)
    leads : tuple of str
    band : str
        Pass band of the filter, for people.
    doubts : tuple of QualityInterval
        Stretches of a lead that are not readable.
    highlight : (float, float) or None
        Start and end of the event in the strip.
    start : datetime or None
        Start of the recording, for the time of day.
    pulses : tuple of PulseTrace
        Drawn below the leads.
    """

    start_s: float
    end_s: float
    signal: NDArray[np.float64]
    times_s: NDArray[np.float64]
    leads: tuple[str, ...]
    band: str
    marks: tuple[Mark, ...] = ()
    doubts: tuple[QualityInterval, ...] = ()
    highlight: tuple[float, float] | None = None
    start: datetime | None = None
    pulses: tuple[PulseTrace, ...] = ()


def strip(section: Strip, name: str, label: str, language: Language = ENGLISH) -> str:
    """Draw a strip at 25 mm/s and 10 mm/mV; pulse waves fill their lanes.

    The `name` begins the ids in the drawing, so no two drawings of a page may share it; the `label` describes it for
    those who cannot see it.
    """
    width = LEFT_MM + max(_up_to_heavy(SPEED_MM_S * (section.end_s - section.start_s)), _HEAVY_MM)
    rows = [_extent(GAIN_MM_MV * lead) for lead in section.signal]
    tops = np.cumsum([TOP_MM, *(up + down for up, down in rows)]).tolist()
    lanes = [tops[-1] + index * _PULSE_LANE_MM for index in range(len(section.pulses))]
    bottom = tops[-1] + len(lanes) * _PULSE_LANE_MM
    most_mv = f"{_MOST_MM / GAIN_MM_MV:g}"
    parts = [_paper(width, TOP_MM, bottom), _heading(section, language), *_highlight(section, bottom)]
    for index, (lead, (up, down)) in enumerate(zip(section.leads, rows, strict=True)):
        middle = tops[index] + up
        parts += [_doubt(section, doubt, middle + down, language) for doubt in section.doubts if doubt.lead == index]
        x = LEFT_MM + SPEED_MM_S * (section.times_s - section.start_s)
        curve = _trace(x, middle - GAIN_MM_MV * section.signal[index])
        if (np.abs(GAIN_MM_MV * section.signal[index]) > _MOST_MM).any():
            clip = f"{name}-lead-{index}"
            parts.append(
                f'<clipPath id="{clip}"><rect x="0" y="{tops[index]}" width="{width}" height="{up + down}"/></clipPath>'
                f'<g clip-path="url(#{clip})">{curve}</g>'
                + _text(
                    width - 1, tops[index] + 2.6, language.text("goes beyond ±{most} mV", most=most_mv), "end muted"
                )
            )
        else:
            parts.append(curve)
        parts += [_pulse(middle), _text(0.8, middle + 3.8, _short(lead), "lead halo")]
    for wave, top in zip(section.pulses, lanes, strict=True):
        parts += _pulse_wave(section, wave, top)
    parts += [*_symbols(section), *_seconds(section, width, bottom)]
    return _svg(width, bottom + _BOTTOM_MM, label, parts)


def leads_that_fit(signal: NDArray[np.float64], pulses: int = 0) -> int:
    """Count the leads, from the first, whose strip fits a printed page; at least one.

    Parameters
    ----------
    signal : ndarray of float64, shape (leads, n)
        Millivolt.
    pulses : int
        Number of pulse waves below them.
    """
    heights = np.cumsum([sum(_extent(GAIN_MM_MV * lead)) for lead in signal])
    room = PAGE_MM - TOP_MM - _BOTTOM_MM - pulses * _PULSE_LANE_MM
    return max(int(np.searchsorted(heights, room, side="right")), 1)


def template(
    expected: NDArray[np.float64], lead: str, name: str, label: str, beat: NDArray[np.float64] | None = None
) -> str:
    """Draw one lead of a usual beat at 50 mm/s and 20 mm/mV; beside a beat, with the difference shaded.

    A beat above 2 mV is drawn at 10 or 5 mm/mV, which is then said.

    Parameters
    ----------
    expected : ndarray of float64, shape (140,)
        The usual beat, millivolt at 180 Hz.
    lead : str
    name, label : str
        As in `strip`.
    beat : ndarray of float64, shape (140,), optional
        Aligned with the usual one.
    """
    speed = _ENLARGED * SPEED_MM_S
    curves = np.concatenate([expected] if beat is None else [expected, beat])
    gain = next((gain for gain in _ENLARGED_GAINS if not (np.abs(gain * curves) > _MOST_MM).any()), _ENLARGED_GAINS[-1])
    caption = _short(lead) if gain == _ENLARGED_GAINS[0] else f"{_short(lead)} · {gain:g} mm/mV"
    usual = gain * expected
    up, down = _extent(gain * curves)
    x = speed * np.arange(len(usual)) / ANALYSIS_RATE_HZ
    width, bottom = _up_to_heavy(float(x[-1])), up + down
    parts = [_paper(width, 0, bottom), f'<path class="zero" d="M{_mm(speed * BEFORE / ANALYSIS_RATE_HZ)} 0V{bottom}"/>']
    if beat is None:
        parts.append(_trace(x, up - usual, "usual"))
    else:
        outline = np.concatenate([np.stack([x, up - usual]).T, np.stack([x, up - gain * beat]).T[::-1]])
        parts += [f'<polygon class="different" points="{_points(outline)}"/>']
        parts += [_trace(x, up - usual, "usual"), _trace(x, up - gain * beat)]
    clip = f'<clipPath id="{name}"><rect width="{width}" height="{bottom}"/></clipPath>'
    body = f'{clip}<g clip-path="url(#{name})">{"".join(parts)}</g>'
    return _svg(width, bottom + 4, label, [body, _text(0.5, bottom + 3, caption, "lead")])


STYLE = f"""
.ecg {{ display: block; max-width: none; }}
.ecg text {{ font-size: 2.8px; fill: var(--ink); }}
.ecg .ground {{ fill: var(--paper,{LIGHT["paper"]}); }}
.ecg .fine {{ stroke: var(--fine,{LIGHT["fine"]}); stroke-width: .1; }}
.ecg .heavy {{ stroke: var(--heavy,{LIGHT["heavy"]}); stroke-width: .2; fill: none; }}
.ecg .trace, .ecg .pulse, .ecg .usual {{ fill: none; stroke: var(--ink); stroke-width: .3; }}
.ecg .pulse {{ stroke-linejoin: miter; }}
.ecg path.wave {{ fill: none; stroke: var(--pulse,{LIGHT["pulse"]}); stroke-width: .3; }}
.ecg text.wave {{ fill: var(--pulse,{LIGHT["pulse"]}); }}
.ecg .usual {{ stroke: var(--normal); stroke-width: .35; }}
.ecg .different + .usual {{ stroke-dasharray: 1.4 .7; }}
.ecg .different {{ fill: var(--abnormal); fill-opacity: .28; }}
.ecg .zero {{ stroke: var(--muted); stroke-width: .15; stroke-dasharray: .6 .6; }}
.ecg .highlight {{ fill: var(--abnormal); fill-opacity: .12; }}
.ecg .bar {{ fill: var(--abnormal); }}
.ecg .doubt {{ fill: var(--unreadable); fill-opacity: .5; }}
.ecg .second {{ stroke: var(--muted); stroke-width: .25; }}
.ecg text.muted, .ecg text.rr {{ fill: var(--muted); }}
.ecg text.rr, .ecg text.tick {{ font-size: 2.4px; }}
.ecg text.tick {{ fill: var(--muted); }}
.ecg text.symbol, .ecg text.rr, .ecg text.tick {{ text-anchor: middle; }}
.ecg text.symbol {{ font-size: 3.2px; fill: var(--normal); }}
.ecg text.symbol.unreadable {{ fill: var(--unreadable); }}
.ecg text.symbol.abnormal {{ fill: var(--abnormal); font-weight: 700; }}
.ecg text.end {{ text-anchor: end; }}
.ecg text.lead {{ font-weight: 650; }}
.ecg text.halo, .ecg text.doubted {{ paint-order: stroke; stroke: var(--paper); stroke-width: .8; }}
.ecg text.doubted {{ fill: var(--unreadable); }}
"""
"""Style of these drawings in a page; widths and sizes are millimetres here too."""


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    size = f'width="{width:g}mm" height="{height:g}mm" style="width:{width:g}mm;height:{height:g}mm"'
    opening = f'<svg class="ecg" {size} viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return "\n".join([opening, *parts, "</svg>"])


def _paper(width: int, top: int, bottom: int) -> str:
    def lines(columns: range, rows: range) -> str:
        down = "".join(f"M{x} {top}V{bottom}" for x in columns)
        return down + "".join(f"M0 {y}H{width}" for y in rows)

    fine = lines(range(1, width), range(top + 1, bottom))
    heavy = lines(range(0, width + 1, _HEAVY_MM), range(top, bottom + 1, _HEAVY_MM))
    return (
        f'<rect class="ground" y="{top}" width="{width}" height="{bottom - top}"/>'
        f'<path class="fine" d="{fine}"/><path class="heavy" d="{heavy}"/>'
    )


def _heading(section: Strip, language: Language) -> str:
    first, last = fmt.elapsed(section.start_s), fmt.elapsed(section.end_s)
    when = language.text("{first} to {last}", first=first, last=last)
    if section.start is not None:
        clock = fmt.time_of_day(section.start, section.start_s, language)
        when = language.text("{clock} · {first} to {last} from the start", clock=clock, first=first, last=last)
    return _text(0, 3, f"{when} · {SPEED_MM_S:g} mm/s · {GAIN_MM_MV:g} mm/mV · {section.band}", "muted")


def _highlight(section: Strip, bottom: int) -> list[str]:
    if section.highlight is None:
        return []
    left, width = _span(section, *section.highlight)
    return [
        f'<rect class="highlight" x="{left}" y="{TOP_MM}" width="{width}" height="{bottom - TOP_MM}"/>'
        f'<rect class="bar" x="{left}" y="{TOP_MM - 0.7:g}" width="{width}" height=".7"/>'
    ]


def _doubt(section: Strip, doubt: QualityInterval, bottom: float, language: Language) -> str:
    left, width = _span(section, doubt.start_s, doubt.end_s)
    word = _text(float(left) + 0.8, bottom - 1.4, language.text(doubt.word), "doubted")
    return f'<rect class="doubt" x="{left}" y="{bottom - 0.9:g}" width="{width}" height=".9"/>{word}'


def _symbols(section: Strip) -> list[str]:
    texts = []
    for mark in section.marks:
        x = LEFT_MM + SPEED_MM_S * (mark.time_s - section.start_s)
        texts.append(_text(x, 8.4, mark.symbol, f"symbol {mark.verdict.lower()}"))
        if _LEAST_RR_S <= mark.rr_s <= mark.time_s - section.start_s:
            texts.append(_text(x - SPEED_MM_S * mark.rr_s / 2, 8.2, f"{1000 * mark.rr_s:.0f}", "rr"))
    return texts


def _seconds(section: Strip, width: int, bottom: int) -> list[str]:
    ticks = []
    for second in range(int(np.ceil(section.start_s)), int(section.end_s) + 1):
        x = LEFT_MM + SPEED_MM_S * (second - section.start_s)
        ticks.append(f'<path class="second" d="M{_mm(x)} {bottom - 1.5:g}V{bottom + 0.8:g}"/>')
        if x < width - _HEAVY_MM:
            ticks.append(_text(x, bottom + 3.1, fmt.elapsed(second), "tick"))
    return ticks


def _pulse(middle: float) -> str:
    """1 mV for 200 ms."""
    wide, high = SPEED_MM_S * _PULSE_S, GAIN_MM_MV
    return f'<path class="pulse" d="M2 {middle:g}h1v{-high:g}h{wide:g}v{high:g}h1"/>'


def _pulse_wave(section: Strip, wave: PulseTrace, top: int) -> list[str]:
    """Draw a pulse wave from its lowest to its highest value in a lane, with these values where it is a pressure."""
    middle = top + _PULSE_LANE_MM / 2
    parts = [_text(0.8, middle + 1, _short(wave.name), "wave lead halo")]
    samples = wave.samples.astype(np.float64)
    if np.isfinite(samples).any():
        low, high = float(np.nanmin(samples)), float(np.nanmax(samples))
        reach = _PULSE_LANE_MM * _PULSE_SHARE / 2
        x = LEFT_MM + SPEED_MM_S * (wave.times_s - section.start_s)
        parts.append(_trace(x, middle + reach - 2 * reach * (samples - low) / ((high - low) or 1.0), "wave"))
        if wave.unit == PRESSURE_UNIT:
            parts += [
                _text(0.8, middle - reach + 2, f"{high:.0f} {wave.unit}", "wave halo"),
                _text(0.8, middle + reach, f"{low:.0f}", "wave halo"),
            ]
    return parts


def _trace(x: NDArray[np.float64], y: NDArray[np.float64], kind: str = "trace") -> str:
    """Draw lines through the points, but not across NaN; a lone point is a dot."""
    finite = np.isfinite(y)
    starts = np.flatnonzero(finite & ~np.append(False, finite[:-1]))
    ends = np.flatnonzero(finite & ~np.append(finite[1:], False)) + 1
    lines = "".join(
        "M" + "L".join(f"{_mm(left)} {_mm(height)}" for left, height in zip(x[part], y[part], strict=True))
        for part in (slice(start, end) for start, end in zip(starts, ends, strict=True))
    )
    return f'<path class="{kind}" d="{lines}"/>' if lines else ""


def _points(places: NDArray[np.float64]) -> str:
    return " ".join(f"{_mm(x)},{_mm(y)}" for x, y in places[np.isfinite(places).all(axis=1)])


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{_mm(x)}" y="{_mm(y)}">{escape(text)}</text>'


def _span(section: Strip, start_s: float, end_s: float) -> tuple[str, str]:
    """Left end and width of a time on the paper."""
    start_s, end_s = max(start_s, section.start_s), min(end_s, section.end_s)
    return _mm(LEFT_MM + SPEED_MM_S * (start_s - section.start_s)), _mm(SPEED_MM_S * max(end_s - start_s, 0.0))


def _extent(height_mm: NDArray[np.float64]) -> tuple[int, int]:
    """Millimetres above and below the zero line that a curve needs, in whole heavy squares."""
    finite = np.append(height_mm[np.isfinite(height_mm)], 0.0)
    up, down = (min(max(_up_to_heavy(float(reach)), _HEAVY_MM), _MOST_MM) for reach in (finite.max(), -finite.min()))
    return max(up, _LEAST_UP_MM), max(down, _LEAST_DOWN_MM)


def _up_to_heavy(length_mm: float) -> int:
    return _HEAVY_MM * int(np.ceil(round(length_mm, 6) / _HEAVY_MM))


def _short(name: str) -> str:
    name = fmt.lead(name)
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"


def _mm(length: float) -> str:
    return f"{length:.2f}".rstrip("0").rstrip(".")
