"""Beat-by-beat comparison of annotations, ANSI/AAMI EC57, as WFDB's ``bxb`` and ``sumstats`` do it.

Sources: ANSI/AAMI EC57:2012. G. B. Moody, "Evaluating ECG Analyzers", WFDB Applications Guide (PhysioNet), and the
programs it describes, which decide where the standard leaves room. P. de Chazal, M. O'Dwyer and R. B. Reilly, IEEE
Trans Biomed Eng 51 (2004) 1196-1206.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, SettingError
from ectopy.formats.annotation_codes import LABEL_MAPS
from ectopy.presentation import short_repr
from ectopy.recording import Annotations

CLASSES = "NSVFQOX"
"""Rows (reference) and columns (test) of the counts: normal, supraventricular ectopic, ventricular ectopic, fusion and
unclassifiable beats; O, no beat there; X, no beat there because the annotator said that the signal is unreadable."""

RATES = ("qrs_se", "qrs_ppv", "veb_se", "veb_ppv", "sveb_se", "sveb_ppv", "rr_error_ms")
"""The figures of a summary that are rates, and can be averaged."""

MATCH_WINDOW_S = 0.15
LEARNING_S = 300.0

_N, _S, _V, _F, _Q, _O, _X = range(len(CLASSES))
_BEAT = slice(_N, _O)
_NO_BEAT = slice(_O, None)
_UNSCORED = -1
_NEVER = np.iinfo(np.int64).max // 4
_UNREADABLE = 0x30


@dataclass(frozen=True, slots=True)
class BeatCounts:
    """Right, missed and extra beats of one kind; a rate of nothing is NaN."""

    tp: int
    fn: int
    fp: int

    @property
    def se(self) -> float:
        """Sensitivity in percent."""
        return _percent(self.tp, self.tp + self.fn)

    @property
    def ppv(self) -> float:
        """Positive predictivity (+P) in percent."""
        return _percent(self.tp, self.tp + self.fp)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of the matched and unmatched beats of one recording, or of several together.

    Attributes
    ----------
    counts : ndarray of int64, shape (7, 7)
        Pairs by class of the reference (rows) and of the test (columns), in the order of `CLASSES`.
    label_map : str
        Name of the label map.
    rr_error_ms : float
        Root mean square difference of the RR intervals; NaN where there are none, and for recordings together.
    shutdown_s : int
        Whole seconds in which the test annotator called the signal unreadable.
    fs_forgiven : bool
        Whether a fusion beat called S is not a false S. ``bxb`` counts it as one, ``sumstats`` does not.
    """

    __repr__ = short_repr

    counts: NDArray[np.int64]
    label_map: str
    rr_error_ms: float = float("nan")
    shutdown_s: int = 0
    fs_forgiven: bool = False

    @property
    def qrs(self) -> BeatCounts:
        """Beats of any class, detected or not."""
        return BeatCounts(self._sum(_BEAT, _BEAT), self._sum(_BEAT, _NO_BEAT), self._sum(_NO_BEAT, _BEAT))

    @property
    def veb(self) -> BeatCounts:
        """Ventricular ectopic beats; a fusion or unclassifiable beat called V is forgiven."""
        return self._count(_V, (_N, _S, _O, _X))

    @property
    def sveb(self) -> BeatCounts:
        """Supraventricular ectopic beats; an unclassifiable beat called S is forgiven, and see `fs_forgiven`."""
        return self._count(_S, (_N, _V, _O, _X) if self.fs_forgiven else (_N, _V, _F, _O, _X))

    def summary(self) -> dict[str, float]:
        """Every figure by its name: rates in percent, then counts."""
        kinds = {"qrs": self.qrs, "veb": self.veb, "sveb": self.sveb}
        return {
            **{f"{kind}_{name}": getattr(counts, name) for kind, counts in kinds.items() for name in ("se", "ppv")},
            "rr_error_ms": self.rr_error_ms,
            **{
                f"{kind}_{name}": getattr(counts, name) for kind, counts in kinds.items() for name in ("tp", "fn", "fp")
            },
            "shutdown_s": self.shutdown_s,
        }

    def _count(self, kind: int, false_if: tuple[int, ...]) -> BeatCounts:
        hits = self._sum(kind, kind)
        return BeatCounts(hits, self._sum(kind, slice(None)) - hits, self._sum(list(false_if), kind))

    def _sum(self, rows: Any, columns: Any) -> int:
        return int(self.counts[rows, columns].sum())


def compare(
    reference: Annotations,
    test: Annotations,
    *,
    sampling_rate_hz: float,
    samples: int | None = None,
    start_s: float = LEARNING_S,
    label_map: str = "aami",
) -> Comparison:
    """Compare a test annotator's beats with the reference.

    A beat of one is matched with at most one of the other, the nearest, at most 150 ms away. Extra test beats between
    ``[`` and ``]`` of the reference (ventricular fibrillation) are not scored, and an annotator's own beats between its
    ``[`` and ``]`` are passed over. From a ``~`` whose subtype says that the first two signals are unreadable to the
    next ``~`` the annotator is shut down. Flutter waves (``!``) outside ``[`` and ``]`` are not beats, but take part in
    the matching: a test beat on one is an extra beat.

    Parameters
    ----------
    reference, test : Annotations
        Positions in samples of the same recording.
    sampling_rate_hz : float
    samples : int, optional
        Length of the recording; without it, scoring ends at the last beat of the reference.
    start_s : float
        Where scoring starts; the standard's learning period of five minutes comes before.
    label_map : str
        A name in `LABEL_MAPS`.

    Raises
    ------
    DataError
        If the recording ends before scoring starts.
    SettingError
        If there is no such label map.

    Notes
    -----
    ``bxb`` remembers only the last two periods of a kind, and forgets one that is never ended when there was another
    before. Here every period counts, and one without an end lasts for the rest of the recording.
    """
    if samples is not None and samples < _samples(start_s, sampling_rate_hz):
        raise DataError(
            f"the recording ends at {samples / sampling_rate_hz:.0f} s and scoring starts at {start_s:.0f} s; "
            "compare a longer one."
        )
    ours, theirs, (i, j, takes_ours, takes_theirs) = _match(
        reference, test, sampling_rate_hz, samples, start_s, label_map
    )

    # A beat without a match is paired with "no beat", or with "unreadable" in a shutdown of the other annotator.
    t = theirs.times[j]
    no_beat = np.where(_within(t, ours.shutdown), _X, _O)
    no_beat[_within(t, ours.fibrillation)] = _UNSCORED
    row = np.where(takes_ours, ours.labels[i], no_beat)
    column = np.where(takes_theirs, theirs.labels[j], np.where(_within(ours.times[i], theirs.shutdown), _X, _O))
    scored = (row != _UNSCORED) & ((row < _O) | (column < _O))
    counts = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    np.add.at(counts, (row[scored], column[scored]), 1)

    # Intervals are compared where both annotators have one.
    has_rr = (ours.rr[i] > 0) & (theirs.rr[j] > 0)
    error = (ours.rr[i] - theirs.rr[j])[has_rr] * (1000 / sampling_rate_hz)
    rr_error_ms = float(np.sqrt(np.mean(error**2))) if len(error) else float("nan")
    return Comparison(counts, label_map, rr_error_ms, _seconds(theirs.shutdown, samples, sampling_rate_hz))


def matched_classes(
    reference: Annotations,
    test: Annotations,
    *,
    sampling_rate_hz: float,
    samples: int | None = None,
    start_s: float = LEARNING_S,
    label_map: str = "aami",
) -> NDArray[np.str_]:
    """Class of the reference beat that each mark of a test annotator is matched with, as in `compare`.

    Returns
    -------
    ndarray of str, shape (n,)
        N, S, V, F or Q for each of `test`; empty where there is no match, and before scoring starts.
    """
    ours, theirs, (i, j, takes_ours, takes_theirs) = _match(
        reference, test, sampling_rate_hz, samples, start_s, label_map
    )
    matched = takes_ours & takes_theirs & np.isin(ours.labels[i], range(_N, _O))
    classes = np.full(len(test), "", dtype="U1")
    rows = np.searchsorted(test.positions, theirs.times[j[matched]])
    classes[rows] = np.array(list(CLASSES))[ours.labels[i[matched]]]
    return classes


def gross(comparisons: Sequence[Comparison]) -> Comparison:
    """All recordings together, each beat of equal weight.

    Raises
    ------
    DataError
        If there are no comparisons, or they were made with different label maps.
    """
    names = {comparison.label_map for comparison in comparisons}
    if len(names) != 1:
        raise DataError(f"a summary needs comparisons with one label map, and there are {len(names)}.")
    counts = np.sum([comparison.counts for comparison in comparisons], axis=0)
    shutdown_s = sum(comparison.shutdown_s for comparison in comparisons)
    return Comparison(counts, names.pop(), shutdown_s=shutdown_s, fs_forgiven=True)


def average(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """Mean of each of `RATES` over the recordings that have it, each recording of equal weight; NaN where none has."""
    summaries = [replace(comparison, fs_forgiven=True).summary() for comparison in comparisons]
    rates = np.array([[summary[name] for name in RATES] for summary in summaries]).reshape(-1, len(RATES))
    counts = np.sum(~np.isnan(rates), axis=0)
    means = np.where(counts > 0, np.nansum(rates, axis=0) / np.maximum(counts, 1), np.nan)
    return dict(zip(RATES, means.tolist(), strict=True))


class _Track(NamedTuple):
    """The beats of one annotator, followed by two at `_NEVER`, and its periods as (start, end), ends included."""

    times: NDArray[np.int64]
    labels: NDArray[np.int64]
    rr: NDArray[np.int64]
    fibrillation: NDArray[np.int64]
    shutdown: NDArray[np.int64]


def _track(annotations: Annotations, classes: Mapping[str, int], window: int) -> _Track:
    positions, symbols = annotations.positions.tolist(), annotations.symbols.tolist()
    unreadable = _unreadable(annotations)
    times: list[int] = []
    labels: list[int] = []
    rr: list[int] = []
    fibrillation: list[tuple[int, int]] = []
    shutdown: list[tuple[int, int]] = []
    index = 0
    while index < len(positions):
        position, symbol = positions[index], symbols[index]
        index += 1
        if symbol in classes:
            previous = times[-1] if times else 0
            broken = any(previous <= start < position for start, _ in fibrillation[-2:] + shutdown[-2:])
            rr.append(position - previous if previous > 0 and not broken else 0)
            times.append(position)
            labels.append(classes[symbol])
        elif symbol == "[":
            while index < len(positions) and symbols[index] != "]":
                index += 1
            fibrillation.append((position, positions[index] if index < len(positions) else _NEVER))
            index += 1
        elif unreadable[index - 1]:
            if index == len(positions):
                shutdown.append((position, _NEVER))
            elif symbols[index] == "~" and not unreadable[index]:
                shutdown.append((position, positions[index]))
                index += 1
            else:
                # A lone mark, as in the AHA database, lies somewhere inside: the period fills the gap between beats.
                before = max(times[-1] if times else 0, fibrillation[-1][1] if fibrillation else 0)
                end = positions[index] - window
                shutdown.append((min(before + window, end), end))
    return _Track(
        np.array([*times, _NEVER, _NEVER], dtype=np.int64),
        np.array([*labels, _UNSCORED, _UNSCORED], dtype=np.int64),
        np.array([*rr, 0, 0], dtype=np.int64),
        np.array(fibrillation, dtype=np.int64).reshape(-1, 2),
        np.array(shutdown, dtype=np.int64).reshape(-1, 2),
    )


def _unreadable(annotations: Annotations) -> list[bool]:
    if annotations.subtypes is None:
        return [False] * len(annotations)
    both = (annotations.subtypes & _UNREADABLE) == _UNREADABLE
    return [bool(mark) for mark in both & (annotations.symbols == "~")]


_Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]


def _match(
    reference: Annotations,
    test: Annotations,
    sampling_rate_hz: float,
    samples: int | None,
    start_s: float,
    label_map: str,
) -> tuple[_Track, _Track, _Pairs]:
    """The tracks of both annotators, and their beats in pairs as `_pairs` gives them."""
    classes = _classes(label_map)
    start, window = _samples(start_s, sampling_rate_hz), _samples(MATCH_WINDOW_S, sampling_rate_hz)
    ours, theirs = _track(reference, classes, window), _track(test, classes, window)
    return ours, theirs, _pairs(ours.times, theirs.times, start, samples, window)


def _pairs(ours: NDArray[np.int64], theirs: NDArray[np.int64], start: int, end: int | None, window: int) -> _Pairs:
    """Match beats in order of time.

    Returns
    -------
    i, j : ndarray of int64
        At each step, the next beat of the reference and of the test.
    takes_ours, takes_theirs : ndarray of bool
        Which of them the step used up: both are a match, one is a beat without a match.
    """
    r, t = ours.tolist(), theirs.tolist()
    i, j = (int(np.searchsorted(times, start)) for times in (ours, theirs))
    steps: list[tuple[int, int, bool, bool]] = []
    if j > 0 and r[i] - t[j - 1] <= window and r[i] - t[j - 1] < abs(r[i] - t[j]):
        # The first scored beat may be detected just before scoring starts.
        steps.append((i, j - 1, True, True))
        i += 1
    elif start > 0 and t[j] - start <= window and abs(r[i] - t[j + 1]) < abs(r[i] - t[j]):
        # It may as well be the late detection of a beat before scoring starts.
        j += 1
    while (r[i] != _NEVER) if end is None else (r[i] <= end or t[j] <= end):
        distance = abs(r[i] - t[j])
        if t[j] < r[i]:
            rival, next_to_rival = abs(r[i] - t[j + 1]), abs(r[i + 1] - t[j + 1])
        else:
            rival, next_to_rival = abs(r[i + 1] - t[j]), abs(r[i + 1] - t[j + 1])
        match = distance <= window and (distance < rival or next_to_rival < rival)
        takes_ours, takes_theirs = match or t[j] >= r[i], match or t[j] < r[i]
        steps.append((i, j, takes_ours, takes_theirs))
        i, j = i + takes_ours, j + takes_theirs
    columns = np.array(steps, dtype=np.int64).reshape(-1, 4).T
    return columns[0], columns[1], columns[2].astype(np.bool_), columns[3].astype(np.bool_)


def _within(times: NDArray[np.int64], periods: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each time lies in one of the periods."""
    order = np.argsort(periods[:, 0])
    latest_end = np.maximum.accumulate(np.append(-1, periods[order, 1]))
    return times <= latest_end[np.searchsorted(periods[order, 0], times, side="right")]


def _classes(label_map: str) -> dict[str, int]:
    if label_map not in LABEL_MAPS:
        raise SettingError(f"there is no label map {label_map!r}; choose one of {', '.join(LABEL_MAPS)}.")
    classes = {symbol: CLASSES.index(name) for name, symbols in LABEL_MAPS[label_map].items() for symbol in symbols}
    return {**classes, "!": _O}


def _samples(seconds: float, sampling_rate_hz: float) -> int:
    return int(seconds * sampling_rate_hz + 0.5)


def _seconds(periods: NDArray[np.int64], samples: int | None, sampling_rate_hz: float) -> int:
    """Length of the periods together; one without an end lasts to the recording's, and does not count where unknown."""
    last = samples if samples is not None else _NEVER
    ends = np.where(periods[:, 1] == _NEVER, last, periods[:, 1])
    has_end = ends != _NEVER
    length = int(np.sum((ends - periods[:, 0])[has_end]))
    return (length + _samples(0.5, sampling_rate_hz)) // _samples(1, sampling_rate_hz)


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")
