"""Recordings played as if a device sent them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from ectopy.errors import SettingError
from ectopy.recording import Recording
from ectopy.service.recordings import Library, named
from ectopy.service.replays import FASTEST, SLOWEST, Replay
from ectopy.service.shapes import like
from ectopy.service.ward import NotFoundError
from ectopy.service.web.door import Administering, Viewing
from ectopy.service.web.parts import AuditDep, Audited, LibraryDep, ReplaysDep, WardDep

router = APIRouter(prefix="/api/replays", tags=["recordings"])

ReplayId = Annotated[str, Path(min_length=1, max_length=32, description="As the start was answered.")]


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


@router.post("", status_code=201)
def start(
    replays: ReplaysDep,
    library: LibraryDep,
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    given: Annotated[NewReplay, Body()],
) -> ReplayShape:
    """Play a recording into a patient who is watched, and for whom no other key sends now."""
    ward.state(given.patient)
    recording = _recording(library, given.recording)
    ward.senders.claim(given.patient, caller.sender, "")
    submit = partial(ward.submit, sender=caller.sender)
    replay = replays.start(recording, given.recording, given.patient, given.speed, submit)
    audit.did(caller.name, "started replay", given.patient, given.recording)
    return _shape(replay)


@router.get("", dependencies=[Audited("listed replays")])
def list_replays(replays: ReplaysDep) -> list[ReplayShape]:
    """Replays, the newest first."""
    return [_shape(replay) for replay in replays.all()]


@router.get("/{id}")
def show(replays: ReplaysDep, caller: Viewing, audit: AuditDep, id: ReplayId) -> ReplayShape:
    """How far a replay is."""
    try:
        replay = replays.get(id)
    except SettingError as error:
        raise NotFoundError(str(error)) from error
    audit.saw(caller.name, "viewed replay", replay.patient)
    return _shape(replay)


@router.delete("/{id}")
def stop(replays: ReplaysDep, caller: Administering, audit: AuditDep, id: ReplayId) -> ReplayShape:
    """End a replay; what was sent stays."""
    try:
        replay = replays.stop(id)
    except SettingError as error:
        raise NotFoundError(str(error)) from error
    audit.did(caller.name, "stopped replay", replay.patient, replay.recording)
    return _shape(replay)


def _recording(library: Library, name: str) -> Recording:
    """An analysed recording by its id, or one by its name."""
    if any(entry.id == name for entry in library.entries()):
        return library.result(name).recording
    return named(name)


def _shape(replay: Replay) -> ReplayShape:
    return ReplayShape(
        id=replay.id,
        recording=replay.recording,
        patient=replay.patient,
        speed=replay.speed,
        started_time=replay.started,
        duration_s=replay.duration_s,
        position_s=replay.position_s,
        status=replay.status.value,
        error=replay.error,
    )
