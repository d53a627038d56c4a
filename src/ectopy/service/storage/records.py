"""What goes into the store and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ectopy.monitor.alarm import Alarm
from ectopy.monitor.events import BeatJudged, Event
from ectopy.monitor.inputs import Action, Input, PulseChunk
from ectopy.service.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody who is watched.

    Attributes
    ----------
    patient : str
        What the patient is called by everywhere in the service.
    name : str
        For people; may be empty.
    enrolled : float
        Seconds since 1970.
    """

    patient: str
    name: str
    enrolled: float


@dataclass(frozen=True, slots=True)
class Device:
    """Something that sends.

    Attributes
    ----------
    device : str
    patient : str or None
        Whom it is attached to.
    since : float
        Since when, seconds since 1970.
    """

    device: str
    patient: str | None
    since: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """What the monitor of one patient has been told, and what came of it.

    Attributes
    ----------
    patient : str
    first : int
        Number of the first input; the inputs of a patient count from 1, and go on where `Restored.following` says.
    inputs : tuple of Input
        In the order in which they were folded.
    events : tuple of Event
        In the order of their numbers.
    origin : float
        Time of stream second 0, seconds since 1970.
    snapshot : bytes or None
        The state after these inputs and events.
    deliveries : tuple of Delivery
        Messages to be sent because of these events.
    orders : tuple of int
        Ids of orders from other processes that are among these inputs; they wait no longer.
    """

    patient: str
    first: int
    inputs: tuple[Input, ...]
    events: tuple[Event, ...]
    origin: float
    snapshot: bytes | None = None
    deliveries: tuple[Delivery, ...] = ()
    orders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """From what the monitor of a patient goes on.

    Attributes
    ----------
    snapshot : bytes or None
        The newest state; None = there is none, begin with an empty one.
    inputs : tuple of Input
        Everything since then, to be folded once more.
    following : int
        Number of the next input.
    """

    snapshot: bytes | None
    inputs: tuple[Input, ...]
    following: int


@dataclass(frozen=True, slots=True)
class Waveform:
    """A stretch of a stream.

    Attributes
    ----------
    position : int
        Of its first sample.
    signal : ndarray of float32, shape (samples, leads)
        Millivolt; NaN where there is none.
    sampling_rate_hz : float
    leads : tuple of str
    pulses : tuple of PulseChunk
        Pulse waves of the same time.
    """

    position: int
    signal: NDArray[np.float32]
    sampling_rate_hz: float
    leads: tuple[str, ...]
    pulses: tuple[PulseChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event, and where it stands among those of all patients.

    Attributes
    ----------
    id : int
        Ascending in the order of storage.
    patient : str
    time : float
        Seconds since 1970.
    event : Event
    """

    id: int
    patient: str
    time: float
    event: Event


@dataclass(frozen=True, slots=True)
class StoredBeat:
    """A judged beat, and when it was, in seconds since 1970."""

    time: float
    beat: BeatJudged


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm as it stands; times are seconds since 1970.

    Attributes
    ----------
    patient : str
    origin : float
        Time of stream second 0 when the alarm changed last.
    alarm : Alarm
    origins : tuple of (float, float) or None
        The same when it was raised, and when its condition was there last: the clock may have been set since then. None
        where it is not known.
    id : int
        Greater for alarms that changed later; 0 where it is not stored yet.
    """

    patient: str
    origin: float
    alarm: Alarm
    origins: tuple[float, float] | None = None
    id: int = 0

    @property
    def raised_origin(self) -> float:
        """Time of stream second 0 when the alarm was raised."""
        return self.origin if self.origins is None else self.origins[0]

    @property
    def raised_time(self) -> float:
        """When the alarm was raised."""
        return self.raised_origin + self.alarm.raised_s

    @property
    def since_origin(self) -> float:
        """Time of stream second 0 when the condition came."""
        return self.origin if self.origins is None else self.origins[1]

    @property
    def since_time(self) -> float:
        """Since when the condition is there."""
        return self.since_origin + self.alarm.present_s

    @property
    def cleared_time(self) -> float | None:
        """When the condition went away, by the same clock: after it came, though the clock was set meanwhile."""
        return None if self.alarm.cleared_s is None else self.since_origin + self.alarm.cleared_s

    @property
    def ended_time(self) -> float | None:
        """When the alarm ended."""
        return None if self.alarm.ended_s is None else self.origin + self.alarm.ended_s


@dataclass(frozen=True, slots=True)
class HandedOrder:
    """An order that waits in the store for the monitor.

    Attributes
    ----------
    id : int
    patient : str
    action : Action
    """

    id: int
    patient: str
    action: Action


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did or saw what.

    Attributes
    ----------
    time : float
        Seconds since 1970.
    who : str
    what : str
        A verb and its object, such as ``acknowledged alarm``.
    patient : str
        Empty where it was about none.
    detail : str
    """

    time: float
    who: str
    what: str
    patient: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoredAudit:
    """An entry of the audit, and its number: later entries have greater ones."""

    id: int
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted.

    Attributes
    ----------
    chunks, beats : int
    bytes : int
        Of samples.
    """

    chunks: int
    beats: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a chunk lies in its stream, and when it came.

    Attributes
    ----------
    stream : str
    sampling_rate_hz : float
    position : int
        Of its first sample.
    samples : int
    received : float
        Seconds since 1970.
    """

    stream: str
    sampling_rate_hz: float
    position: int
    samples: int
    received: float


@dataclass(frozen=True, slots=True)
class TrendStep:
    """The beats of a step of time.

    Attributes
    ----------
    time : float
        When it begins, seconds since 1970.
    beats, abnormal, ectopic, unreadable : int
        How many there are, and are judged so; ectopic = ventricular- or supraventricular-like.
    interval_s : float or None
        Mean RR interval of those that have one.
    """

    time: float
    beats: int
    abnormal: int
    ectopic: int
    unreadable: int
    interval_s: float | None
