"""Schemas of all requests and answers of the API.

``..._time`` and ``time`` are seconds since 1970, ``..._s`` seconds; positions count the samples of a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, Required, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from ectopy.analysis.corrections import MOST_CAPTION, MOST_CONCLUSION, MOST_NAME, BeatLabel
from ectopy.disclaimers import STATEMENT
from ectopy.monitor.alarm_json import AlarmJson, TransitionJson
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service.access import Scope
from ectopy.service.monitoring.replays import FASTEST, SLOWEST
from ectopy.service.openapi_examples import example_config, with_example
from ectopy.service.storage import StoredKey

MOST_POSITIONS = 10_000
"""Positions in one request; a family or a stretch may have more beats."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


_DIGEST = "9c8d27a1f4be0e5d6c3b2a19887766554433221100ffeeddccbbaa9988776655"

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


@with_example(
    id=2,
    name="strap of bed 3",
    scopes=["send"],
    created_time=1767225600.0,
    patients=["bed 3"],
    devices=[],
    expires_time=None,
    key="ectopy_...",
)
@dataclass(frozen=True, kw_only=True)
class NewKeyShape(StoredKey):
    """A new key, with its secret, which is shown this once."""

    key: str


@with_example(
    id=4711,
    time=1767225600.0,
    who="desk of ward 3",
    what="acknowledged alarm",
    patient="bed 3",
    detail="7 pulse is there",
)
class AuditShape(TypedDict):
    """An entry of the audit log; later entries have greater ids."""

    id: int
    time: float
    who: str
    what: str
    patient: str
    detail: str


class ProblemShape(TypedDict):
    """The reason of an error, in one sentence."""

    detail: str


class HealthShape(TypedDict):
    """The service answers."""

    status: str
    version: str


class ReadinessShape(TypedDict):
    """Readiness of the service, and its checks."""

    ready: bool
    checks: dict[str, bool]


class BundleShape(TypedDict):
    """The detector: its digest, threshold and model card."""

    sha256: str
    threshold: float
    model_card: dict[str, Any]


class ConditionShape(TypedDict):
    """A condition for which an alarm can be raised."""

    code: str
    title: str
    type: str
    priority: str
    definition: str
    source: str
    advice: str


class LimitShape(TypedDict):
    """The range of a limit; `whole`: only whole numbers; `group` is its heading in a form."""

    name: str
    least: float
    most: float
    whole: bool
    label: str
    unit: str
    group: str


class AboutShape(TypedDict):
    """Version, detector, conditions, limits and the statements that go with them."""

    version: str
    bundle: BundleShape
    conditions: list[ConditionShape]
    profiles: list[str]
    limits: list[LimitShape]
    statements: list[str]


class SignIn(_Request):
    """A key."""

    model_config = example_config(key="ectopy_...")

    key: Annotated[str, Field(min_length=1, max_length=200)]


class SessionShape(TypedDict):
    """The account that has signed in; `csrf` goes into the header X-CSRF-Token of requests that change data."""

    name: str
    scopes: list[str]
    csrf: str | None


_Names = Annotated[set[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=200)]


class NewKey(_Request):
    """Name, scopes and expiry of a new key.

    A key that may send names the patients for whom it does, or the devices as which it does. Only where `any_patient`
    says so it sends for everybody.
    """

    model_config = example_config(name="strap of bed 3", scopes=["send"], patients=["bed 3"])

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[set[Scope], Field(min_length=1)]
    patients: _Names = set()
    devices: _Names = set()
    any_patient: bool = False
    expires_time: Annotated[float | None, Field(description="Seconds since 1970; null = it does not end.")] = None


class NewPatient(_Request):
    """A patient to be watched; the name is for people, and stays as it is where it is null."""

    model_config = example_config(patient="bed 3", name="Anna")

    patient: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str | None, Field(max_length=200)] = None


class NewLimits(_Request):
    """A profile, and the limits that differ from it."""

    model_config = example_config(profile="ward", limits={"high_bpm": 120, "low_bpm": 45})

    profile: str
    limits: dict[str, float | None] = {}
    comment: Annotated[str, Field(max_length=1000)] = ""


class Comment(_Request):
    """A reason."""

    model_config = example_config(comment="seen, patient is well")

    comment: Annotated[str, Field(max_length=1000)] = ""


class AdmittedShape(TypedDict):
    """The patient is watched, and whether that is stored; keys that may view get more."""

    patient: str
    stored: bool


class Wearer(_Request):
    """The patient for whom a device sends."""

    model_config = example_config(patient="bed 3")

    patient: Annotated[str, Field(min_length=1, max_length=200)]


class NewComment(_Request):
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


@with_example(
    id="0123456789abcdef",
    name="100",
    added_time=1767225600.0,
    status="done",
    progress=1.0,
    error="",
    summary={"duration_s": 1805.6, "leads": ["MLII", "V5"], "beats": 2273, "abnormal": 34},
    analysis=_DIGEST,
    version=3,
)
class RecordingShape(TypedDict):
    """A recording; `summary`, `analysis` and `version` are null until it is analysed, and in a list.

    `analysis` is the digest of its analysis, `version` the number of entries in the log of its corrections.
    """

    id: str
    name: str
    added_time: float
    status: str
    progress: float
    error: str
    summary: dict[str, Any] | None
    analysis: str | None
    version: int | None


class RecordingPulseShape(TypedDict, total=False):
    """Columns of a pulse wave, in its unit: `samples`, or `low` and `high` of each."""

    name: str
    unit: str
    start_s: float
    step_s: float
    samples: list[float | None]
    low: list[float | None]
    high: list[float | None]


class RecordingSignalShape(TypedDict, total=False):
    """Columns of a signal: `samples`, or `low` and `high` of each; by lead, millivolt, null = none."""

    start_s: float
    step_s: float
    duration_s: float
    sampling_rate_hz: float
    leads: list[str]
    samples: list[list[float | None]]
    low: list[list[float | None]]
    high: list[list[float | None]]
    pulses: list[RecordingPulseShape]
    beats: list[dict[str, Any]]
    beats_there: int


class VersionedShape(TypedDict):
    """What depends on the corrections: the digest of the analysis, and the number of entries in their log."""

    analysis: str
    version: int


@with_example(
    analysis=_DIGEST,
    version=3,
    events=[
        {
            "kind": "ventricular run",
            "start_s": 612.4,
            "end_s": 614.1,
            "beats": 5,
            "text": "5 beats in a row at 142 per minute, 0.41 s after the beat before",
            "rate_bpm": 142.0,
            "rank": 1,
        }
    ],
)
class RecordingEventsShape(VersionedShape):
    """Runs, pauses and other events in order of their start; the most serious one has the `rank` 1."""

    events: list[dict[str, Any]]


@with_example(
    analysis=_DIGEST,
    version=3,
    figures={"beats": {"total": 2273, "normal": 2239}, "rate": {"minimum_bpm": 58.0, "mean_bpm": 75.5}},
)
class RecordingFiguresShape(VersionedShape):
    """The figures of `ectopy.analysis.holter_figures`; null = not known."""

    figures: dict[str, Any]


@with_example(
    analysis=_DIGEST,
    version=3,
    episodes=[{"rhythm": "atrial fibrillation", "start_s": 912.0, "end_s": 1450.5, "beats": 811, "rate_bpm": 90.4}],
)
class RecordingEpisodesShape(VersionedShape):
    """Episodes of one rhythm, one after the other; `rate_bpm` is null where no interval is known."""

    episodes: list[dict[str, Any]]


@with_example(
    analysis=_DIGEST,
    version=3,
    sampling_rate_hz=180.0,
    families=[
        {"family": 1, "hint": "", "beats": 2239, "first_s": 0.214, "last_s": 1805.2, "mean_mv": [[0.01, 0.02], [0, 0]]}
    ],
)
class RecordingFamiliesShape(VersionedShape):
    """Families of similar beats, the largest first; each with its hint and, lead by lead, the mean of its beats.

    `mean_mv` has 140 samples for each lead, 52 of them before the fiducial point, at `sampling_rate_hz`; null where the
    lead has no readable beat. The number of a family is good for one version of the corrections: another one may
    group the beats otherwise.
    """

    sampling_rate_hz: float
    families: list[dict[str, Any]]


@with_example(analysis=_DIGEST, version=3, family=3, total=41, beats=[707], positions=[220464], times_s=[612.4])
class FamilyBeatsShape(VersionedShape):
    """Beats of a family: index, position in samples, and time of each; `total` is their number without the limit."""

    family: int
    total: int
    beats: list[int]
    positions: list[int]
    times_s: list[float]


_ENTRY = {
    "number": 3,
    "type": "relabel",
    "by": "Anna",
    "time": 1767225600.0,
    "undone": False,
    "beats": 41,
    "start_s": 612.4,
    "end_s": 1700.2,
    "label": "ventricular",
}


@with_example(**_ENTRY)
class CorrectionEntryShape(TypedDict, total=False):
    """An entry of the log: what was corrected, by whom, and whether it was undone later.

    `beats` is how many beats it names, `start_s` and `end_s` the time of the first and the last one, or of the stretch.
    """

    number: Required[int]
    type: Required[str]
    by: Required[str]
    time: Required[float]
    undone: Required[bool]
    beats: int
    start_s: float
    end_s: float
    label: str
    caption: str
    text: str


class SupersededShape(TypedDict):
    """Corrections of an earlier analysis, which count no longer."""

    analysis: str
    reason: str
    entries: list[CorrectionEntryShape]


@with_example(
    analysis=_DIGEST,
    version=3,
    entries=[_ENTRY],
    strips=[{"start_s": 610.0, "end_s": 618.0, "caption": "Five beats at 142 per minute"}],
    removed_strips=[],
    conclusion="Frequent ventricular beats.",
    superseded=[],
)
class CorrectionsShape(VersionedShape):
    """The log of corrections, and what it says of the report: chosen and removed strips, and the conclusion."""

    entries: list[CorrectionEntryShape]
    strips: list[dict[str, Any]]
    removed_strips: list[dict[str, Any]]
    conclusion: str
    superseded: list[SupersededShape]


@with_example(analysis=_DIGEST, version=3, entry=_ENTRY)
class CorrectedShape(VersionedShape):
    """The new version, and the new entry of its log."""

    entry: CorrectionEntryShape


@with_example(
    detail="there are newer corrections, by Anna; look at them, and make yours again.",
    analysis=_DIGEST,
    version=3,
    newer=[_ENTRY],
)
class OutdatedShape(VersionedShape):
    """The newest version, and the entries of its log that the caller has not seen."""

    detail: str
    newer: list[CorrectionEntryShape]


@with_example(detail="the last correction is by Anna; it is undone only if they are named as its author.", entry=_ENTRY)
class ForeignShape(TypedDict):
    """The last correction that is in force, which somebody else made."""

    detail: str
    entry: CorrectionEntryShape


_Second = Annotated[float, Field(ge=0, le=1e8, description="From the start of the recording.")]
_Position = Annotated[int, Field(ge=0, le=2**53, description="In samples of the recording.")]


class _OfBeats(_Request):
    positions: Annotated[list[_Position] | None, Field(min_length=1, max_length=MOST_POSITIONS)] = None
    family: Annotated[int | None, Field(ge=1, le=1000)] = None
    start_s: _Second | None = None
    end_s: _Second | None = None

    @model_validator(mode="after")
    def _check_beats(self) -> Self:
        stretch = self.start_s is not None, self.end_s is not None
        ways = (self.positions is not None) + (self.family is not None) + any(stretch)
        if ways != 1 or any(stretch) != all(stretch):
            raise ValueError("name the beats by positions, by their family, or by start_s and end_s")
        return self


class RelabelBeats(_OfBeats):
    """Give another label to the beats of these positions, of a family, or from `start_s` to `end_s`."""

    type: Literal["relabel"]
    label: BeatLabel


class RemoveBeats(_OfBeats):
    """Delete the beats of these positions, of a family, or from `start_s` to `end_s`: they are artefacts."""

    type: Literal["delete_beats"]


class AddedBeat(_Request):
    """Add a beat where none was found."""

    type: Literal["add_beat"]
    position: _Position
    label: BeatLabel


class NoiseMark(_Request):
    """Mark a time as noise."""

    type: Literal["mark_noise"]
    start_s: _Second
    end_s: _Second


class StripChoice(_Request):
    """Put a strip into the report, or give another caption to one."""

    type: Literal["choose_strip"]
    start_s: _Second
    end_s: _Second
    caption: Annotated[str, Field(max_length=MOST_CAPTION)] = ""


class StripRemoval(_Request):
    """Leave a strip out of the report."""

    type: Literal["remove_strip"]
    start_s: _Second
    end_s: _Second


class Conclusion(_Request):
    """Write the conclusion of the report."""

    type: Literal["write_conclusion"]
    text: Annotated[str, Field(max_length=MOST_CONCLUSION)]


CorrectionRequest = RelabelBeats | RemoveBeats | AddedBeat | NoiseMark | StripChoice | StripRemoval | Conclusion


class SeenVersion(_Request):
    """The newest version that the caller has seen."""

    model_config = example_config(analysis=_DIGEST, version=3)

    analysis: Annotated[str, Field(min_length=1, max_length=64, description="Digest of the analysis.")]
    version: Annotated[int, Field(ge=0, le=2**31, description="Number of the entries in the log.")]


class NewCorrection(SeenVersion):
    """A correction of a recording, made on the version that the caller has seen."""

    model_config = example_config(
        analysis=_DIGEST, version=3, correction={"type": "relabel", "family": 2, "label": "ventricular"}
    )

    correction: Annotated[CorrectionRequest, Field(discriminator="type")]


class UndoRequest(SeenVersion):
    """The version on which the last correction is taken back, and who made that."""

    model_config = example_config(analysis=_DIGEST, version=3, author="Anna")

    author: Annotated[
        str | None, Field(max_length=MOST_NAME, description="Who made the correction; without it, the caller.")
    ] = None


class Choice(_Request):
    """The name of a recording, as it is listed."""

    model_config = example_config(recording="mitdb/208")

    recording: Annotated[str, Field(min_length=1, max_length=200)]


class NewReplay(_Request):
    """A recording, the patient into whom it is played, and the speed."""

    model_config = example_config(recording="simulated", patient="bed 3", speed=1)

    recording: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Id of an analysed recording, `simulated`, or `mitdb/208`."),
    ]
    patient: Annotated[str, Field(min_length=1, max_length=200)]
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST, description="Seconds of signal a second.")] = 1.0
