"""Recordings played as if a device sent them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path

from ectopy.datasets.builtin_recordings import load_builtin
from ectopy.recording import Recording
from ectopy.service import patient_schemas
from ectopy.service.api.dependencies import AuditDep, Audited, LibraryDep, ReplaysDep, WardDep
from ectopy.service.api.middleware.access_control import Administering, AnyCaller, Viewing
from ectopy.service.monitoring.replays import Replay
from ectopy.service.recordings import Library

router = APIRouter(prefix="/api/replays", tags=["recordings"])

ReplayId = Annotated[str, Path(min_length=1, max_length=32, description="As the start was answered.")]


def _named(replays: ReplaysDep, id: ReplayId, caller: AnyCaller) -> Replay:
    return replays.get(id)


NamedReplay = Annotated[Replay, Depends(_named)]
"""The replay of an address; an unknown one is a 404."""


@router.post("", status_code=201)
def start(
    replays: ReplaysDep,
    library: LibraryDep,
    ward: WardDep,
    caller: Administering,
    audit: AuditDep,
    body: Annotated[patient_schemas.NewReplay, Body()],
) -> Replay:
    """Play a recording into a patient who is watched, and for whom no other key sends now."""
    ward.state(body.patient)
    recording = _recording(library, body.recording)
    ward.senders.claim(body.patient, caller.sender, "")
    submit = partial(ward.submit, sender=caller.sender)
    replay = replays.start(recording, body.recording, body.patient, body.speed, submit)
    audit.did(caller.name, "started replay", body.patient, body.recording)
    return replay


@router.get("", dependencies=[Audited("listed replays")])
def list_replays(replays: ReplaysDep) -> list[Replay]:
    """Replays, the newest first."""
    return replays.all()


@router.get("/{id}")
def show(caller: Viewing, audit: AuditDep, replay: NamedReplay) -> Replay:
    """Return the progress of a replay."""
    audit.saw(caller.name, "viewed replay", replay.patient)
    return replay


@router.delete("/{id}")
def stop(replays: ReplaysDep, caller: Administering, audit: AuditDep, replay: NamedReplay) -> Replay:
    """End a replay; what was sent stays."""
    replay = replays.stop(replay.id)
    audit.did(caller.name, "stopped replay", replay.patient, replay.recording)
    return replay


def _recording(library: Library, name: str) -> Recording:
    """An analysed recording by its id, or one by its name."""
    if any(entry.id == name for entry in library.entries()):
        return library.result(name).recording
    return load_builtin(name)
