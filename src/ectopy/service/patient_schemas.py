"""Schemas of requests and answers about patients: their alarms, beats and signals, and samples for them.

``..._time`` and ``time`` are seconds since 1970, ``..._s`` seconds; positions count the samples of a stream.
"""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ectopy.disclaimers import STATEMENT
from ectopy.monitor.alarm_json import AlarmJson, TransitionJson
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service.monitoring.replays import FASTEST, SLOWEST
from ectopy.service.openapi_examples import example_config, with_example
from ectopy.service.schemas import RequestBody

_ALARM = AlarmJson(
    patient="bed 3",
    number=7,
    condition="ventricular tachycardia",
    title="Ventricular tachycardia",
    type="SP",
    priority="high",
    phase="start",
    state="active",
    inactivation="enabled",
    text="9 ventricular-like beats in a row at 152.1 per minute; above 100 is a tachycardia.",
    value=152.1,
    limit=100.0,
    unit="/min",
    since_time=1767225600.5,
    since_s=412.5,
    onset_time=1767225603.0,
    onset_s=415.0,
    cleared_time=None,
    cleared_s=None,
    ended_time=None,
    ended_s=None,
    level=0,
    acknowledged_by="",
    acknowledged_until_time=None,
    acknowledged_until_s=None,
    advice=CONDITIONS["ventricular tachycardia"].advice,
    statement=STATEMENT,
)


@with_example(**_ALARM)
class AlarmShape(AlarmJson):
    """An alarm in its present state; words of the IHE profile Alert Communication Management."""


@with_example(
    patient="bed 3",
    name="Anna",
    state="alarm",
    heart_rate_bpm=152.1,
    quality={"MLII": "good", "V1": "noisy"},
    last_sample_time=1767225604.0,
    received_time=1767225604.1,
    compared_with="own normal",
    learning_left_s=None,
    alarm=_ALARM,
    unacknowledged=_ALARM,
    alarms=1,
    audio_paused_until_time=None,
)
class SummaryShape(TypedDict):
    """Status of a patient; `alarm` is the most urgent of all `alarms`, `unacknowledged` of those not acknowledged.

    Where `received_time`, when the newest samples came, is more than 3 s ago, the state is "no data", and there is
    neither a rate nor a quality. While beats are compared with "other people's normal", none is ventricular-like.
    """

    patient: str
    name: str
    state: str
    heart_rate_bpm: float | None
    quality: dict[str, str]
    last_sample_time: float | None
    received_time: float | None
    compared_with: str
    learning_left_s: float | None
    alarm: AlarmShape | None
    unacknowledged: AlarmShape | None
    alarms: int
    audio_paused_until_time: float | None


class AlarmOrderShape(AlarmShape):
    """An alarm after a command that has been carried out; `stored` is false while only the memory holds it."""

    stored: bool


class PatientOrderShape(SummaryShape):
    """A patient after a command that has been carried out; `stored` is false while only the memory holds it."""

    stored: bool


class BaselineShape(TypedDict):
    """The patient's baseline; `threshold` is that of beats compared with it.

    `template` is null without a normal; in front of a cluster also until the stream sends it, within fifteen batches.
    """

    known: bool
    learning: bool
    doubtful: bool
    text: str
    beats: int | None
    leads: list[str]
    template: list[list[float]] | None
    threshold: float


class EffortShape(TypedDict):
    """Between which heart rates effort is counted: the reserve; supposed where age or resting rate are not known."""

    resting_bpm: float
    maximum_bpm: float


class DetailShape(SummaryShape):
    """Status of a patient, with limits, baseline, stream and devices.

    `clock_drift` is how many seconds the device's clock gains in a second of the service's, negative where it is slow.
    """

    profile: str
    limits: dict[str, float | None]
    effort: EffortShape
    baseline: BaselineShape
    leads: list[str]
    rate_hz: float | None
    stream: str
    next_position: int | None
    devices: list[str]
    clock_drift: float | None


class DetailOrderShape(DetailShape):
    """A patient after a command that has been carried out; `stored` is false while only the memory holds it."""

    stored: bool


@with_example(
    time=1767225600.5,
    position=15000,
    interval_s=0.41,
    verdict="ABNORMAL",
    score=9.1,
    threshold=3.2,
    hint="ventricular-like",
    reason="Its shape is unlike the patient's usual beats.",
    p_value=0.001,
    confidence="learning, 40 s",
)
class BeatShape(TypedDict):
    """A judged beat; `confidence` is empty where the patient's normal is known."""

    time: float
    position: int
    interval_s: float | None
    verdict: str
    hint: str
    score: float | None
    threshold: float | None
    p_value: float | None
    reason: str
    confidence: str


@with_example(
    patient="bed 3",
    stream="",
    rate_hz=250.0,
    leads=["MLII"],
    start_time=1767225600.0,
    position=15000,
    samples=[[0.01, 0.02, None]],
)
class PulseShape(TypedDict):
    """A part of a pulse wave, null where there is no sample."""

    name: str
    unit: str
    rate_hz: float
    start_time: float
    position: int
    samples: list[float | None]


class WaveformShape(TypedDict):
    """A part of a signal: millivolt, one list for each lead, null where there is no sample; and its pulse waves."""

    patient: str
    stream: str
    rate_hz: float
    leads: list[str]
    start_time: float
    position: int
    samples: list[list[float | None]]
    pulses: NotRequired[list[PulseShape]]


class TrendShape(TypedDict):
    """Beats counted in steps; `time` is where each step begins, and steps without beats are left out."""

    time: list[float]
    heart_rate_bpm: list[float | None]
    beats: list[int]
    abnormal: list[int]
    ectopic: list[int]
    unreadable: list[int]


class BeatComparisonShape(TypedDict):
    """A beat beside its reconstruction: millivolt at 180 Hz, 140 samples for each lead.

    ``alike`` is how many of the most abnormal beats it stands for, itself included: those of similar shape.
    """

    beat: BeatShape
    alike: int
    leads: list[str]
    rate_hz: float
    samples: list[list[float]]
    reconstruction: list[list[float]]
    error: list[list[float]]


class EvidenceShape(TypedDict):
    """The beats on which an alarm rests: millivolt at 180 Hz, by beat and lead."""

    beat_time: list[float]
    leads: list[str]
    rate_hz: float
    samples: list[list[list[float]]]
    reconstruction: list[list[list[float]]]
    error: list[list[list[float]]]


class TransitionShape(TransitionJson):
    """An entry of the alarm log; `stored` is false while only the memory holds it."""

    stored: bool


@with_example(time=1767225630.0, who="desk of ward 3", comment="artefact: tooth brushing")
class CommentShape(TypedDict):
    """A comment of a person on an alarm."""

    time: float
    who: str
    comment: str


class AlarmDetailShape(AlarmShape):
    """An alarm with everything that explains it."""

    definition: str
    source: str
    evidence: EvidenceShape | None
    history: list[TransitionShape]
    comments: list[CommentShape]
    log_whole: bool | None
    strip: WaveformShape | None
    replay: str
    software: str
    bundle: str


class NewPatient(RequestBody):
    """A patient to be watched; the name is for people, and stays as it is where it is null."""

    model_config = example_config(patient="bed 3", name="Anna")

    patient: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str | None, Field(max_length=200)] = None


class NewLimits(RequestBody):
    """A profile, and the limits that differ from it."""

    model_config = example_config(profile="ward", limits={"high_bpm": 120, "low_bpm": 45})

    profile: str
    limits: dict[str, float | None] = Field(default={})
    comment: Annotated[str, Field(max_length=1000)] = ""


class Comment(RequestBody):
    """A reason."""

    model_config = example_config(comment="seen, patient is well")

    comment: Annotated[str, Field(max_length=1000)] = ""


class AdmittedShape(TypedDict):
    """The patient is watched, and whether that is stored; keys that may view get more."""

    patient: str
    stored: bool


class Wearer(RequestBody):
    """The patient for whom a device sends."""

    model_config = example_config(patient="bed 3")

    patient: Annotated[str, Field(min_length=1, max_length=200)]


class NewComment(RequestBody):
    """A comment on what was seen or done."""

    model_config = example_config(comment="artefact: tooth brushing")

    comment: Annotated[str, Field(min_length=1, max_length=1000)]


class RejectionShape(TypedDict):
    """A rejected chunk, by its place in the list and its own number."""

    index: int
    sequence: int | None
    reason: str


class ReceiptShape(TypedDict):
    """The next sample, whether everything up to now is stored, and rejected chunks.

    What is not stored is kept by the sender until a later answer says that it is. `missing`, if it is there: from which
    position to before which samples could not be kept until then, and should be sent again. `late` is how many samples
    were left out, for they were there already, or their time was over.
    """

    next_position: int | None
    stream: str
    stored: bool
    missing: NotRequired[list[tuple[int, int]]]
    rejected: list[RejectionShape]
    late: int


class NewReplay(RequestBody):
    """A recording, the patient into whom it is played, and the speed."""

    model_config = example_config(recording="simulated", patient="bed 3", speed=1)

    recording: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Id of an analysed recording, `simulated`, or `mitdb/208`."),
    ]
    patient: Annotated[str, Field(min_length=1, max_length=200)]
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST, description="Seconds of signal a second.")] = 1.0
