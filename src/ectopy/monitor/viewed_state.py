"""What viewers need of a monitor's state."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.analysis.rhythm_rules import RATE_OVER
from ectopy.monitor import status
from ectopy.monitor.detection_state import LearningBuffer
from ectopy.monitor.fibrillation_rule import WaveformState
from ectopy.monitor.monitor_state import MonitorState, Signal
from ectopy.monitor.pulse_memory import PulseMemory
from ectopy.monitor.pulse_stream import PulseStream
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.monitor.technical import TechnicalState
from ectopy.signal.state_replace import builder, replace

T = TypeVar("T")


def viewed_state(state: MonitorState) -> MonitorState:
    """Return a state without samples, filters and beats, of which `ectopy.monitor.status` says the same.

    It is of no use for further inputs. The samples of the template are most of it, see `without_template`.
    """
    signal, rhythm = state.signal, state.rhythm
    viewed_rhythm = replace(RhythmState(), row_s=rhythm.row_s[-1 - RATE_OVER :], abnormal=rhythm.abnormal)
    return replace(
        state,
        # The normal of a patient with a signal is that of its baseline.
        normal=state.normal if signal is None else None,
        signal=None if signal is None else _viewed_signal(signal),
        rhythm=viewed_rhythm,
        waveform=WaveformState(),
        technical=TechnicalState(),
        leads={},
        pulses=PulseStream(),
        pulse=PulseMemory(),
    )


def without_template(state: MonitorState) -> MonitorState:
    """Return a viewed state without the samples of the patient's template, which change once in minutes."""
    normal = status.normal(state)
    if normal is None:
        return state
    return _with_normal(state, replace(normal, template=normal.template[:, :0], spread=normal.spread[:, :0]))


def with_template(state: MonitorState, earlier: MonitorState) -> MonitorState:
    """Return a viewed state with the samples that `without_template` left out, as an earlier one has them.

    They stay away if the earlier state has no template for the same leads.
    """
    normal, former = status.normal(state), status.normal(earlier)
    if normal is None or former is None or normal.template.size or normal.leads != former.leads:
        return state
    return _with_normal(state, replace(normal, template=former.template, spread=former.spread))


def _with_normal(state: MonitorState, normal: PatientTemplate) -> MonitorState:
    assert state.signal is not None
    detection = state.signal.detection
    baseline = replace(detection.baseline, normal=normal)
    return replace(state, signal=replace(state.signal, detection=replace(detection, baseline=baseline)))


def _viewed_signal(signal: Signal) -> Signal:
    detection = signal.detection
    return replace(
        signal,
        segment=replace(signal.segment, samples=signal.segment.samples[:0], buffered=()),
        detection=replace(
            _without_arrays(replace(detection, learning=None)),
            baseline=detection.baseline,
            learning=None if detection.learning is None else _viewed_learning(detection.learning),
        ),
        recent=_without_arrays(signal.recent),
    )


def _viewed_learning(learning: LearningBuffer) -> LearningBuffer:
    """Return how long has been learned from: the first beat and the last."""
    times_s = learning.beats.times_s
    span_s = times_s[[0, -1]] if len(times_s) else times_s
    return replace(_without_arrays(learning), beats=replace(_without_arrays(learning.beats), times_s=span_s))


def _without_arrays(state: T) -> T:
    """Return a state whose arrays are empty."""
    if isinstance(state, np.ndarray):
        return _empty(state.ndim, state.dtype)  # type: ignore[return-value]
    kind: Any = type(state)
    names = _names(kind)
    if not names:
        return state
    emptied: T = builder(kind)(*[_without_arrays(getattr(state, name)) for name in names])
    return emptied


@cache
def _empty(axes: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.empty((0,) * axes, dtype)


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Names of the fields of a dataclass; none of anything else."""
    return tuple(item.name for item in fields(kind)) if is_dataclass(kind) else ()
