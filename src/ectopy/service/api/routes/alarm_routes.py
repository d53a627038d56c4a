"""Alarms: the reasons for them, and the commands of people about them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response

from ectopy import __version__
from ectopy.errors import DataError, StorageError
from ectopy.monitor import AlarmChanged, CommandKind
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.replay_command import stored_replay_command
from ectopy.service import patient_responses, patient_schemas
from ectopy.service.api.dependencies import (
    AcknowledgeCommands,
    AlarmNumber,
    Audited,
    CommentBody,
    PatientCommands,
    StoreDep,
    WardDep,
    WatchedPatient,
    json_response,
)
from ectopy.service.monitoring.ward import Ward
from ectopy.service.storage import MOST_ROWS, StoredAlarm
from ectopy.service.storage.waveform_history import LONGEST_S, read_segment

router = APIRouter(prefix="/api", tags=["alarms"])


Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="So many at most, the newest ones.")]
Before = Annotated[
    int | None, Query(ge=1, le=2**53, description="Go on with older ones, as the header Link of the page before says.")
]


@router.get("/alarms", dependencies=[Audited("listed alarms")])
async def list_alarms(
    request: Request,
    response: Response,
    ward: WardDep,
    store: StoreDep,
    active: Annotated[bool, Query(description="Leave out those that have ended.")] = True,
    limit: Limit = MOST_ROWS,
    before: Before = None,
) -> list[patient_schemas.AlarmShape]:
    """Alarms of all patients, and of the service itself, which is called `station`.

    The active ones come all at once, those of a patient together, the most urgent one first. Of all that there ever
    were comes a page, those that changed last at its end, with the address of the next older one in the header `Link`.
    """
    if active:
        return [patient_responses.alarm(alarm) for alarm in ward.active_alarms()]
    page = await asyncio.to_thread(store.alarms.newest, limit=limit, before=before)
    if len(page) == limit:
        _link(request, response, page[0].id)
    return [patient_responses.alarm(alarm) for alarm in page]


@router.get("/patients/{patient}/alarms", dependencies=[Audited("viewed alarms")])
async def list_alarms_of(
    request: Request,
    response: Response,
    ward: WardDep,
    store: StoreDep,
    patient: WatchedPatient,
    active: bool = False,
    limit: Limit = MOST_ROWS,
    before: Before = None,
) -> list[patient_schemas.AlarmShape]:
    """The newest alarms of a patient, the oldest first; the header `Link` has the address of the page before.

    The active ones come all at once, the most urgent one first.
    """
    if active:
        return [patient_responses.alarm(alarm) for alarm in ward.active_alarms_of(patient)]
    page = await asyncio.to_thread(store.alarms.newest, patient, limit=limit, before=before)
    if len(page) == limit:
        _link(request, response, page[0].alarm.number)
    return [patient_responses.alarm(alarm) for alarm in page]


def _link(request: Request, response: Response, before: int) -> None:
    """Say where there are older ones."""
    response.headers["Link"] = f'<{request.url.include_query_params(before=before)}>; rel="next"'


@router.get(
    "/patients/{patient}/alarms/{number}",
    response_model=patient_schemas.AlarmDetailShape,
    dependencies=[Audited("viewed alarm")],
)
def show_alarm(ward: WardDep, patient: WatchedPatient, number: AlarmNumber) -> Response:
    """One alarm: why it was raised, the beats it rests on, its strip, and everything that has happened to it."""
    return json_response(explained(ward, find_alarm(ward, patient, number)))


@router.post("/patients/{patient}/alarms/{number}/acknowledge")
async def acknowledge(
    commands: AcknowledgeCommands, number: AlarmNumber, body: CommentBody
) -> patient_schemas.AlarmOrderShape:
    """Acknowledge an alarm; it is silent for a time, and sounds again if it goes on.

    This and every other order is carried out at once. The answer says `stored: false` while the database is away.
    """
    return await _change(commands, number, CommandKind.ACKNOWLEDGE, "acknowledged alarm", body)


@router.post("/patients/{patient}/alarms/{number}/unacknowledge")
async def unacknowledge(
    commands: AcknowledgeCommands, number: AlarmNumber, body: CommentBody
) -> patient_schemas.AlarmOrderShape:
    """Take an acknowledgement back."""
    return await _change(commands, number, CommandKind.UNACKNOWLEDGE, "unacknowledged alarm", body)


@router.post("/patients/{patient}/alarms/{number}/comments", status_code=201)
async def comment_on(
    commands: AcknowledgeCommands, number: AlarmNumber, body: Annotated[patient_schemas.NewComment, Body()]
) -> patient_schemas.CommentShape:
    """Comment on an alarm, also when it has ended; the audit keeps the comment."""
    await _alarm(commands.ward, commands.patient, number)
    now = commands.ward.clock()
    await commands.write_audit(_commented(number), body.comment)
    return patient_schemas.CommentShape(time=now, who=commands.operator, comment=body.comment)


@router.post("/patients/{patient}/audio-pause")
async def pause_audio(commands: AcknowledgeCommands, body: CommentBody) -> patient_schemas.PatientOrderShape:
    """Silence the alarms of a patient for two minutes, at most until one of high priority starts."""
    stored = await commands.carry_out(CommandKind.PAUSE_AUDIO, "paused audio", body.comment)
    return patient_schemas.PatientOrderShape(**commands.ward.summary(commands.patient), stored=stored)


@router.post("/patients/{patient}/audio-resume")
async def resume_audio(commands: AcknowledgeCommands, body: CommentBody) -> patient_schemas.PatientOrderShape:
    """End an audio pause."""
    stored = await commands.carry_out(CommandKind.RESUME_AUDIO, "resumed audio", body.comment)
    return patient_schemas.PatientOrderShape(**commands.ward.summary(commands.patient), stored=stored)


async def _change(
    commands: PatientCommands, number: int, kind: CommandKind, action: str, body: patient_schemas.Comment
) -> patient_schemas.AlarmOrderShape:
    await _alarm(commands.ward, commands.patient, number)
    stored = await commands.carry_out(kind, action, body.comment, alarm=number)
    alarm = await _alarm(commands.ward, commands.patient, number)
    return patient_schemas.AlarmOrderShape(**patient_responses.alarm(alarm), stored=stored)


def explained(ward: Ward, stored: StoredAlarm) -> patient_schemas.AlarmDetailShape:
    """An alarm with everything that explains it; while the store is away, with what the memory holds of that.

    A `StorageError` if the store fails, and the memory holds nothing of the alarm.
    """
    patient, store, number = stored.patient, ward.store, stored.alarm.number
    unstored = [(origin + event.at_s, event) for origin, event in ward.unstored_changes(patient, number)]
    try:
        entries = [(change.time, change.event) for change in store.alarms.changes(patient, number)]
    except StorageError:
        if not unstored:
            raise
        entries = []
    numbers = {event.number for _, event in entries}
    entries += [(time, event) for time, event in unstored if event.number not in numbers]
    changes = [(time, event) for time, event in entries if isinstance(event, AlarmChanged)]
    # The strip shows the newest beats that are known; the last change may rest on none, and lie minutes later.
    time, newest = next((change for change in reversed(changes) if change[1].evidence is not None), changes[-1])
    begin_s, end_s = newest.strip_s
    begin_s = max(begin_s, end_s - LONGEST_S)
    origin = time - newest.at_s
    strip, log_whole, comments = None, None, []
    with suppress(StorageError, DataError):  # of a stream that is not stored yet there is no strip
        strip = read_segment(store, patient, ward.state(patient), origin, begin_s, end_s)
    with suppress(StorageError):
        log_whole = store.alarms.is_log_intact(patient, number)
        comments = [
            patient_schemas.CommentShape(time=entry.time, who=entry.actor, comment=entry.detail)
            for entry in store.audit.about(patient, _commented(number))
        ]
    condition = CONDITIONS[stored.alarm.condition]
    return patient_schemas.AlarmDetailShape(
        **patient_responses.alarm(stored),
        definition=condition.definition,
        source=condition.source,
        evidence=None if newest.evidence is None else patient_responses.evidence(origin, newest.evidence),
        history=[
            patient_responses.transition(time, event.transition, event.number in numbers) for time, event in changes
        ],
        comments=comments,
        log_whole=log_whole,
        strip=None
        if strip is None
        else patient_responses.waveform(patient, strip.stream, strip.start_time, strip.waveform),
        replay=stored_replay_command(changes[-1][1], patient),
        software=f"ectopy {__version__}",
        bundle=ward.bundle,
    )


def _commented(number: int) -> str:
    """Return the words of the audit for a comment on an alarm."""
    return f"commented on alarm {number}"


def find_alarm(ward: Ward, patient: str, number: int) -> StoredAlarm:
    """Return an alarm, as `AlarmStore.get` does; the store is asked only for one that has ended and is stored."""
    return ward.unstored_alarm(patient, number) or ward.store.alarms.get(patient, number)


async def _alarm(ward: Ward, patient: str, number: int) -> StoredAlarm:
    """Find an alarm, in a thread of its own where the store has to be asked."""
    unstored = ward.unstored_alarm(patient, number)
    return await asyncio.to_thread(find_alarm, ward, patient, number) if unstored is None else unstored
