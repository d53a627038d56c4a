"""A small analysis, and corrections of it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
from hypothesis import strategies as st

from ectopy.analysis import Analysis
from ectopy.analysis.corrected_analysis import analysis_digest, apply_corrections
from ectopy.analysis.corrections import (
    AddBeat,
    BeatLabel,
    Correction,
    CorrectionEntry,
    Corrections,
    DeleteBeats,
    MarkNoise,
    Relabel,
    WriteConclusion,
)
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.signal.quality import Quality
from support.beat_streams import analysis_of

RATE_HZ = 100.0
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def analysed(letters: str = "NNNNVNNNNN", rr_s: list[float] | None = None) -> Analysis:
    """Beats 0.8 s apart, the first one at 1 s, with scores, a difference from a template and quality."""
    plain = analysis_of(letters, rr_s)
    count = len(plain)
    times_s = 1.0 + plain.beats.times_s
    seconds = int(times_s[-1] if count else 0) + 2
    usual = np.full(count, 0.8)
    next_s = np.append(plain.beats.rr_s, np.nan)[1:]
    beats = replace(
        plain.beats,
        times_s=times_s,
        samples=np.random.default_rng(1).normal(size=(count, 1, 148)).astype(np.float32),
        prematurity=np.nan_to_num(np.log(usual / plain.beats.rr_s)),
        delay=np.nan_to_num(np.log(next_s / usual)),
    )
    scores = np.arange(count, dtype=float)
    return replace(
        plain,
        beats=beats,
        positions=np.round(times_s * RATE_HZ).astype(np.int64),
        score=scores,
        difference=BeatDifference(*[scores + number for number in range(len(fields(BeatDifference)))]),
        quality=Quality(np.ones((1, seconds)), np.full((1, seconds), "good"), float(seconds)),
    )


def log(analysis: Analysis, *corrections: Correction) -> Corrections:
    entries = tuple(CorrectionEntry(correction, "Dr Ada", AT) for correction in corrections)
    return Corrections(analysis_digest(analysis), entries)


def corrected(analysis: Analysis, *corrections: Correction) -> Analysis:
    return apply_corrections(analysis, log(analysis, *corrections), RATE_HZ)


ANALYSIS = analysed()


@st.composite
def edits(draw: st.DrawFn, analysis: Analysis) -> list[Correction]:
    """Corrections in a row that can be applied: each names beats that are there at its time."""
    positions = analysis.positions.tolist()
    made: list[Correction] = []
    label = st.sampled_from(BeatLabel)
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["relabel", "delete", "add", "noise", "text"]))
        if kind in ("relabel", "delete") and positions:
            some = tuple(draw(st.lists(st.sampled_from(positions), min_size=1, max_size=3)))
            made.append(Relabel(some, draw(label)) if kind == "relabel" else DeleteBeats(some))
            if kind == "delete":
                positions = [position for position in positions if position not in some]
        elif kind == "add":
            place = draw(st.integers(0, int(analysis.quality.duration_s * RATE_HZ) - 1))
            if all(abs(place - position) >= 10 for position in positions):
                made.append(AddBeat(place, draw(label)))
                positions.append(place)
        elif kind == "noise":
            start_s = draw(st.floats(0, 9, allow_nan=False))
            made.append(MarkNoise(start_s, min(start_s + draw(st.floats(0.1, 3)), analysis.quality.duration_s)))
        else:
            made.append(WriteConclusion("Sinus rhythm."))
    return made
