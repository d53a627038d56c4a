"""Inputs of the monitor: samples, the time, and commands of people.

Two clocks are kept apart. *Stream seconds* count samples: sample 0 of a stream is its second 0, and everything that
depends on the signal happens in them. `received` and `now` are the clock of the process around the monitor, in seconds
since 1970 (UTC); the monitor never looks at a clock of its own. That clock may be set: a `Tick` says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.patient_template import PatientTemplate
from ectopy.monitor.limits import Limits
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.presentation import short_repr


@dataclass(frozen=True, slots=True)
class PulseChunk:
    """Samples of one pulse wave, sent with the ECG of the same time.

    Attributes
    ----------
    name : str
        ``PLETH``, ``ABP``, ``ART``.
    unit : str
        ``mmHg`` for a pressure; a plethysmogram has none (``NU``).
    sampling_rate_hz : float
        Its own, 20 to 1000 Hz.
    position : int
        Index of the first sample since the stream began, at its own rate: position / rate is the second that
        position / rate of the ECG is.
    samples : ndarray of float32, shape (n,)
        NaN where there is no valid sample.
    """

    __repr__ = short_repr

    name: str
    unit: str
    sampling_rate_hz: float
    position: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples of one stream, as a device sends them.

    Attributes
    ----------
    position : int
        Index of the first sample since the stream began.
    signal : ndarray of float32, shape (samples, leads)
        In `unit`; NaN where there is no valid sample.
    sampling_rate_hz : float
        100 to 1000 Hz.
    leads : tuple of str
        One name per column.
    received : float
        When the monitor got it.
    sent_at : float or None
        Time of the first sample by the sender's clock, seconds since 1970, where it has one.
    stream : str
        Changes whenever the sender starts counting from 0 again.
    unit : str
        ``mV``, ``uV`` or ``V``.
    pulses : tuple of PulseChunk
        Pulse waves of the same time, as far as there are any.
    """

    __repr__ = short_repr

    position: int
    signal: NDArray[np.float32]
    sampling_rate_hz: float
    leads: tuple[str, ...]
    received: float
    sent_at: float | None = None
    stream: str = ""
    unit: str = "mV"
    pulses: tuple[PulseChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """The time has come to this; sent about once a second, so that silence is noticed.

    Attributes
    ----------
    expected : bool
        Whether samples should be coming.
    set_s : float or None
        By how many seconds the clock of `now` and `received` was set since the tick before, as a clock that is never
        set has shown; negative where it was set back. None = there is no such clock: then samples that are late by
        more than ten seconds, and go on to be, are taken for a clock that was set forwards.
    """

    now: float
    expected: bool = True
    set_s: float | None = None


class CommandKind(StrEnum):
    """Commands that the monitor knows."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    PAUSE_AUDIO = "pause audio"
    RESUME_AUDIO = "resume audio"
    SET_LIMITS = "set limits"
    SET_NORMAL = "set normal"
    RELEARN = "relearn"
    DISCHARGE = "discharge"
    ADMIT = "admit"


@dataclass(frozen=True, slots=True)
class Command:
    """An operator's order.

    Attributes
    ----------
    person : str
        Never empty.
    alarm : int or None
        Number of the alarm, for the orders about one alarm.
    limits : Limits or None
        For ``set limits``.
    normal : PatientTemplate or None
        For ``set normal``.
    """

    __repr__ = short_repr

    kind: CommandKind
    now: float
    person: str
    why: str = ""
    alarm: int | None = None
    limits: Limits | None = None
    normal: PatientTemplate | None = None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """A reading about the service itself: it cannot store, or reaches no receiver.

    Attributes
    ----------
    reading : ConditionReading
        Of a technical condition.
    """

    now: float
    reading: ConditionReading


@dataclass(frozen=True, slots=True)
class RejectedInput:
    """An input that was refused: all that is kept of it, so that nonsense fills no store.

    To refuse an input, and to be told of its refusal, lead to the same state.

    Attributes
    ----------
    now : float
        When it came.
    reason : str
        One sentence for the sender.
    """

    now: float
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The stream has ended: what remains of it is judged, up to its last sample. Later samples begin a new segment."""

    now: float


Input = Chunk | Tick | Command | ServiceReport | RejectedInput | End


def input_time(input: Input) -> float:
    """Return when an input came, seconds since 1970."""
    return input.received if isinstance(input, Chunk) else input.now
