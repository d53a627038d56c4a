"""What requests and answers look like: every schema of the API.

``..._time`` and ``time`` are seconds since 1970, ``..._s`` seconds; positions count the samples of a stream.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ectopy.service.access import Scope
from ectopy.service.replays import FASTEST, SLOWEST


def like(**example: Any) -> ConfigDict:
    """Give a schema an example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class ProblemShape(TypedDict):
    """Why something was not done, in one sentence."""

    detail: str


class HealthShape(TypedDict):
    """The service answers."""

    status: str
    version: str


class ReadinessShape(TypedDict):
    """Whether everything that it needs does too."""

    ready: bool
    checks: dict[str, bool]


class BundleShape(TypedDict):
    """The detector: the digest that names it, and what is known of its making."""

    sha256: str
    threshold: float
    model_card: dict[str, Any]


class ConditionShape(TypedDict):
    """What an alarm can be raised for."""

    code: str
    title: str
    type: str
    priority: str
    definition: str
    source: str
    advice: str


class LimitShape(TypedDict):
    """From where to where a limit can be set, `whole`: only to whole numbers; `group` is its heading in a form."""

    name: str
    least: float
    most: float
    whole: bool
    label: str
    unit: str
    group: str


class AboutShape(TypedDict):
    """Versions, the detector, what is watched for and by which limits, and the statements that go with all of it."""

    version: str
    bundle: BundleShape
    conditions: list[ConditionShape]
    profiles: list[str]
    limits: list[LimitShape]
    statements: list[str]


class SignIn(BaseModel):
    """A key."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"key": "ectopy_..."}]})

    key: Annotated[str, Field(min_length=1, max_length=200)]


class SessionShape(TypedDict):
    """Who has signed in; `csrf` goes into the header X-CSRF-Token of whatever changes something."""

    name: str
    scopes: list[str]
    csrf: str | None


_Names = Annotated[set[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=200)]


class NewKey(BaseModel):
    """What the key is called, what it allows, and until when.

    A key that may send names the patients for whom it does, or the devices as which it does. Only where `any_patient`
    says so it sends for everybody.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "strap of bed 3", "scopes": ["send"], "patients": ["bed 3"]}]},
    )

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[set[Scope], Field(min_length=1)]
    patients: _Names = set()
    devices: _Names = set()
    any_patient: bool = False
    expires_time: Annotated[float | None, Field(description="Seconds since 1970; null = it does not end.")] = None


class NewPatient(BaseModel):
    """Somebody to be watched; a name is for people, and stays as it is where none is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"patient": "bed 3", "name": "Anna"}]})

    patient: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str | None, Field(max_length=200)] = None


class NewLimits(BaseModel):
    """Limits of a profile, and which of them are otherwise; those not named are the profile's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"profile": "ward", "limits": {"high_bpm": 120, "low_bpm": 45}}]},
    )

    profile: str
    limits: dict[str, float | None] = {}
    comment: Annotated[str, Field(max_length=1000)] = ""


class Comment(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"comment": "seen, patient is well"}]})

    comment: Annotated[str, Field(max_length=1000)] = ""


class AdmittedShape(TypedDict):
    """The patient is watched, and whether that is stored; more is told to keys that may view."""

    patient: str
    stored: bool


class Wearer(BaseModel):
    """For whom a device sends."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"patient": "bed 3"}]})

    patient: Annotated[str, Field(min_length=1, max_length=200)]


class NewComment(BaseModel):
    """What was seen, what was done."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"comment": "artefact: tooth brushing"}]})

    comment: Annotated[str, Field(min_length=1, max_length=1000)]


class RejectionShape(TypedDict):
    """A chunk that was not taken, by its place in the list and its own number."""

    index: int
    sequence: int | None
    reason: str


class ReceiptShape(TypedDict):
    """Which sample comes next, whether everything up to now is stored, and what was not taken.

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


@with_config(
    like(
        id="0123456789abcdef",
        name="100",
        added_time=1767225600.0,
        status="done",
        progress=1.0,
        error="",
        summary={"duration_s": 1805.6, "leads": ["MLII", "V5"], "beats": 2273, "abnormal": 34},
    )
)
class RecordingShape(TypedDict):
    """A recording; `summary` is null until it is analysed."""

    id: str
    name: str
    added_time: float
    status: str
    progress: float
    error: str
    summary: dict[str, Any] | None


class RecordingPulseShape(TypedDict, total=False):
    """What fits into so many columns of a pulse wave, in its unit: `samples`, or `low` and `high` of each."""

    name: str
    unit: str
    start_s: float
    step_s: float
    samples: list[float | None]
    low: list[float | None]
    high: list[float | None]


class RecordingSignalShape(TypedDict, total=False):
    """What fits into so many columns: `samples`, or `low` and `high` of each; by lead, millivolt, null = none."""

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


class Choice(BaseModel):
    """The name of a recording, as it is listed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"recording": "mitdb/208"}]})

    recording: Annotated[str, Field(min_length=1, max_length=200)]


class NewReplay(BaseModel):
    """What is played, into whom, and how fast."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"recording": "simulated", "patient": "bed 3", "speed": 1}]}
    )

    recording: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Id of an analysed recording, `simulated`, or `mitdb/208`."),
    ]
    patient: Annotated[str, Field(min_length=1, max_length=200)]
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST, description="Seconds of signal a second.")] = 1.0


@with_config(
    like(
        id="0123456789abcdef",
        recording="simulated",
        patient="bed 3",
        speed=1.0,
        started_time=1767225600.0,
        duration_s=1800.0,
        position_s=12.5,
        status="playing",
        error="",
    )
)
class ReplayShape(TypedDict):
    """A recording that is or was played; `position_s` of `duration_s` is stored."""

    id: str
    recording: str
    patient: str
    speed: float
    started_time: float
    duration_s: float
    position_s: float
    status: str
    error: str
