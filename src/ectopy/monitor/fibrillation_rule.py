"""From what the leads show second by second to the condition "ventricular fibrillation".

A second speaks for fibrillation if a lead shows it and no lead speaks against it; it tells nothing if no lead does. It
is there after four seconds in a row that speak for it, and until four in a row do not. Seconds that tell nothing are
passed over: they neither begin nor end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

import numpy as np

from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.rhythm import GAP_S
from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.signal.state_replace import replace

CODE = "ventricular fibrillation"

_SILENT = frozenset(code for code, condition in CONDITIONS.items() if condition.heart_rate == "low")
_TACHYCARDIA = "ventricular tachycardia"
_EVEN_OVER, _EVEN = 4, 0.15  # intervals, and how far one may be from their median
_FLUTTER_S = 0.25  # an interval of 240 per minute
_GOES_ON_S = 1.0  # a beat is judged when the next one has come
_BEGINS_S, _ENDS_S = 4, 4


@dataclass(frozen=True, slots=True)
class WaveformState:
    """Memory of the seconds judged.

    Attributes
    ----------
    at_s : float
        Stream second at which the last findings ended.
    shown_s : int
        Seconds in a row that speak for fibrillation, counted on while it is present.
    away_s : int
        Seconds in a row that do not.
    present : bool
        Whether fibrillation is present.
    readable : bool
        Whether the newest second tells anything.
    leads : tuple of str
        Which leads showed it last.
    """

    at_s: float = -inf
    shown_s: int = 0
    away_s: int = 0
    present: bool = False
    readable: bool = False
    leads: tuple[str, ...] = ()

    @property
    def shows_fibrillation(self) -> bool:
        """Tell if the newest second shows fibrillation, maybe not for long enough: then silence is not asystole."""
        return self.readable and self.shown_s > 0 and self.away_s == 0


def waveform_step(state: WaveformState, findings: DetectorOutput) -> tuple[WaveformState, ConditionReading]:
    """Take the next findings into account, and say whether fibrillation is present.

    Parameters
    ----------
    findings : DetectorOutput
        In order of time, one for each piece.

    Returns
    -------
    state : WaveformState
    reading : ConditionReading
        Of "ventricular fibrillation"; not known where the newest second tells nothing.
    """
    if not 0.0 <= findings.at_s - state.at_s <= GAP_S:
        state = WaveformState(present=state.present, leads=state.leads)
    state = replace(state, at_s=findings.at_s)
    waveform = findings.waveform
    if waveform is not None:
        fibrillating, against = waveform.fibrillating, waveform.organised
        readable = ~np.isnan(waveform.score) | against
        for second in range(readable.shape[1]):
            names = tuple(
                name for name, shows in zip(findings.leads, fibrillating[:, second].tolist(), strict=True) if shows
            )
            speaks = bool(names) and not against[:, second].any()
            state = _count(state, names if speaks else (), readable=bool(readable[:, second].any()))
    return state, _reading(state)


def without_silence(state: WaveformState, readings: Sequence[ConditionReading]) -> tuple[ConditionReading, ...]:
    """Leave open whether the heart stands still or beats slowly while the newest second shows fibrillation.

    Its waves may be too low or too wide to be found as beats. The first second that does not show it decides.
    """
    if not state.shows_fibrillation:
        return tuple(readings)
    return tuple(ConditionReading(each.condition, None) if each.condition in _SILENT else each for each in readings)


def unless_tachycardia(
    state: WaveformState, fibrillation: ConditionReading, readings: Sequence[ConditionReading], rhythm: RhythmState
) -> tuple[WaveformState, ConditionReading]:
    """Leave open whether fibrillation is present while a ventricular tachycardia goes on in distinct, even beats.

    Complexes as wide as these are about as steep all the time as fibrillation is. As soon as the beats are no longer
    even, no longer ventricular-like or no longer found, or come at 240 per minute or more, the seconds from then on
    count.

    Parameters
    ----------
    fibrillation : ConditionReading
        From `waveform_step`.
    readings : sequence of ConditionReading
        From `rhythm_step`.
    """
    announced = any(each.present and each.condition == _TACHYCARDIA for each in readings)
    if not state.shown_s or not announced or not _goes_on_evenly(rhythm):
        return state, fibrillation
    return replace(state, shown_s=0, away_s=0, present=False), ConditionReading(CODE, None)


def _goes_on_evenly(rhythm: RhythmState) -> bool:
    run, intervals_s = rhythm.run, rhythm.run.intervals_s[-_EVEN_OVER:]
    if len(intervals_s) < _EVEN_OVER or run.unreadable:
        return False
    middle_s = median(intervals_s)
    even = all(abs(interval_s / middle_s - 1.0) <= _EVEN for interval_s in intervals_s)
    return even and middle_s > _FLUTTER_S and rhythm.complete_s - run.times_s[-1] <= _GOES_ON_S + middle_s


def _count(state: WaveformState, names: tuple[str, ...], *, readable: bool) -> WaveformState:
    if not readable:
        return replace(state, readable=False)
    if names:
        shown_s = state.shown_s + 1
        return replace(
            state,
            shown_s=shown_s,
            away_s=0,
            present=state.present or shown_s >= _BEGINS_S,
            readable=True,
            leads=names,
        )
    away_s = state.away_s + 1
    present = state.present and away_s < _ENDS_S
    return replace(state, shown_s=state.shown_s if present else 0, away_s=away_s, present=present, readable=True)


def _reading(state: WaveformState) -> ConditionReading:
    if not state.present:
        return ConditionReading(CODE, False if state.readable else None)
    if not state.readable:
        return ConditionReading(CODE, None)
    leads = f"lead{'s' if len(state.leads) > 1 else ''} {', '.join(state.leads)}"
    text = f"Fibrillation, flutter or a tachycardia without distinct QRS complexes in {leads} for {state.shown_s} s."
    return ConditionReading(CODE, True, text, float(state.shown_s), float(_BEGINS_S))
