"""Detection at the start of a segment, with what is remembered of its leads and of the patient's normal."""

from __future__ import annotations

from ectopy.analysis.baseline import Baseline, given_baseline
from ectopy.monitor.detection_state import DetectionState
from ectopy.monitor.monitor_state import MonitorState
from ectopy.signal.state_replace import replace

_REMEMBERED_LEADS = 32


def remember_leads(state: MonitorState) -> MonitorState:
    """Remember amplitudes of the leads before detection starts again."""
    if state.signal is None:
        return state
    signal = state.signal
    new = dict(zip(signal.segment.leads, signal.detection.memory(), strict=True))
    former = [(name, memory) for name, memory in state.leads.items() if name not in new]
    return replace(state, leads=dict([*former, *new.items()][-_REMEMBERED_LEADS:]))


def fresh_detection(state: MonitorState, rate_hz: float, leads: tuple[str, ...]) -> DetectionState:
    """Return the state of detection before the first sample of a segment with these leads."""
    memory = [state.leads.get(name) for name in leads]
    normal = None if state.normal is None else state.normal.for_leads(leads)
    return DetectionState.fresh(rate_hz, len(leads), normal, memory, _provisional_for(state, leads))


def _provisional_for(state: MonitorState, leads: tuple[str, ...]) -> Baseline | None:
    """Return the provisional baseline of the former segment, for leads that go on."""
    baseline = None if state.signal is None else state.signal.detection.baseline
    if baseline is None or baseline.normal is None or not baseline.provisional:
        return None
    normal = baseline.normal.for_leads(leads)
    return None if normal is None else replace(given_baseline(normal), text=baseline.text, provisional=True)
