"""Count events and paced rhythm of each kind against the marks of rhythm of a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ectopy.analysis import Analysis
from ectopy.analysis.rhythm_episodes import Rhythm, find_rhythm_episodes
from ectopy.analysis.rhythm_events import find_events
from ectopy.analysis.rhythm_rules import RECORDING, RhythmKind
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording

MARKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        RhythmKind.VENTRICULAR_RUN.value: ("VT", "IVR", "VFL"),
        RhythmKind.SUPRAVENTRICULAR_RUN.value: ("SVTA", "AB"),
        RhythmKind.BIGEMINY.value: ("B",),
        RhythmKind.TRIGEMINY.value: ("T",),
        RhythmKind.ATRIAL_FIBRILLATION.value: ("AFIB", "AFL"),
        RhythmKind.AV_BLOCK.value: ("BII",),
        Rhythm.PACED.value: ("P",),
    }
)
"""PhysioNet's marks of each kind."""

_COUNTS = "labelled", "found", "events", "false"
_SAME_BEAT_S = 0.15
_LEAST = RECORDING.bigeminy_pairs
_PATTERNS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        RhythmKind.VENTRICULAR_RUN.value: ("V", 1, RECORDING.run_beats),
        RhythmKind.SUPRAVENTRICULAR_RUN.value: ("S", 1, RECORDING.svt_beats),
        RhythmKind.BIGEMINY.value: ("V", 2, 2 * _LEAST),
        RhythmKind.TRIGEMINY.value: ("V", 3, 3 * _LEAST),
    }
)
"""Class of the AAMI, one of how many beats in a row has it, and least number of beats."""

Spans = NDArray[np.float64]
"""Start and end of stretches in seconds, shape (n, 2)."""


def count_kinds(analysis: Analysis, labelled: LabelledRecording) -> dict[str, dict[str, int]]:
    """Compare the events of an analysed recording with its marks.

    Returns
    -------
    dict
        For each kind of `MARKS`: ``labelled`` stretches; those ``found``, which an event of the kind overlaps;
        ``events``; and those ``false``, which overlap no stretch of the kind, nor are what the labelled beats show:
        marks name one rhythm at a time, and leave short ones out.
    """
    rhythms, beats = labelled.rhythms, labelled.beats
    assert rhythms is not None
    assert beats is not None
    spans = [(event.kind, event.start_s, event.end_s) for event in find_events(analysis)]
    spans += [
        (episode.rhythm, episode.start_s, episode.end_s)
        for episode in find_rhythm_episodes(analysis)
        if episode.rhythm == Rhythm.PACED
    ]
    ends_s = np.append(rhythms.times_s, labelled.duration_s)[1:]
    marks = list(zip(rhythms.names, rhythms.times_s.tolist(), ends_s.tolist(), strict=True))
    counts = {}
    for kind, names in MARKS.items():
        events, stretches = _spans_of(spans, (kind,)), _spans_of(marks, names)
        overlap = (events[:, None, 0] < stretches[:, 1]) & (events[:, None, 1] > stretches[:, 0])
        elsewhere = events[~overlap.any(axis=1)].tolist()
        counts[kind] = {
            "labelled": len(stretches),
            "found": int(overlap.any(axis=0).sum()),
            "events": len(events),
            "false": sum(not _is_shown(beats, kind, start_s, end_s) for start_s, end_s in elsewhere),
        }
    return counts


def _is_shown(beats: LabelledBeats, kind: str, start_s: float, end_s: float) -> bool:
    """Return whether the labelled beats from one time to another are what an event of a kind is made of."""
    if kind not in _PATTERNS:
        return False
    name, every, least = _PATTERNS[kind]
    inside = (beats.times_s > start_s - _SAME_BEAT_S) & (beats.times_s < end_s + _SAME_BEAT_S)
    ectopic = np.asarray(beats.classes[inside] == name)
    return len(ectopic) >= least and bool((sliding_window_view(ectopic, every).sum(axis=1) == 1).all())


def add_kinds(records: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Add the counts of records up."""
    total = {kind: dict.fromkeys(_COUNTS, 0) for kind in MARKS}
    for counts in records:
        for kind, row in counts.items():
            for name, count in row.items():
                total[kind][name] += count
    return total


def _spans_of(spans: Iterable[tuple[str, float, float]], names: Sequence[str]) -> Spans:
    return np.array([(start_s, end_s) for name, start_s, end_s in spans if name in names], np.float64).reshape(-1, 2)
