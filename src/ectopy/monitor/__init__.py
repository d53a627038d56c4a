"""Watches live ECG: a pure function from a state and an input to the next state and events.

>>> from ectopy.analysis.shipped_detector import load_ambulatory
>>> from ectopy.datasets import simulate_recording
>>> from ectopy.monitor import Monitor, MonitorState, chunks
>>> monitor, state = Monitor.of(load_ambulatory()), MonitorState()
>>> for chunk in chunks(simulate_recording(10)):
...     state, events = monitor.step(state, chunk)
"""

from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event, InputRejected, Notice, QualityChanged
from ectopy.monitor.inputs import Chunk, Command, CommandKind, End, Input, RejectedInput, ServiceReport, Tick
from ectopy.monitor.limits import Limits
from ectopy.monitor.monitor import Monitor
from ectopy.monitor.monitor_state import MonitorState
from ectopy.monitor.replay import chunks, replay

__all__ = [
    "AlarmChanged",
    "AlarmSettings",
    "BeatJudged",
    "Chunk",
    "Command",
    "CommandKind",
    "End",
    "Event",
    "Input",
    "InputRejected",
    "Limits",
    "Monitor",
    "MonitorState",
    "Notice",
    "QualityChanged",
    "RejectedInput",
    "ServiceReport",
    "Tick",
    "chunks",
    "replay",
]
