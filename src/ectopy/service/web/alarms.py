"""Alarms: why they were raised, and what people do about them."""

from __future__ import annotations

import asyncio
import shlex
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ectopy import __version__
from ectopy.errors import DataError
from ectopy.monitor import Action, AlarmChanged, Order
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service import shapes
from ectopy.service.history import stretch
from ectopy.service.storage import MOST_ROWS, StoredAlarm
from ectopy.service.ward import NotFoundError, Ward
from ectopy.service.web.door import Acknowledging, Viewing
from ectopy.service.web.parts import PatientPath, TheAudit, TheWard, json_response
from ectopy.service.web.patients import Comment
from ectopy.service.web.signals import LONGEST_S

router = APIRouter(prefix="/api", tags=["alarms"])


class NewComment(BaseModel):
    """What was seen, what was done."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"comment": "artefact: tooth brushing"}]})

    comment: Annotated[str, Field(min_length=1, max_length=1000)]


Number = Annotated[int, Path(ge=1, le=2**53, description="Number of the alarm among those of the patient.")]


Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="So many at most, the newest ones.")]
Before = Annotated[
    int | None, Query(ge=1, le=2**53, description="Go on with older ones, as the header Link of the page before says.")
]


@router.get("/alarms")
def list_alarms(
    request: Request,
    response: Response,
    ward: TheWard,
    caller: Viewing,
    audit: TheAudit,
    active: Annotated[bool, Query(description="Leave out those that have ended.")] = True,
    limit: Limit = MOST_ROWS,
    before: Before = None,
) -> list[shapes.AlarmShape]:
    """Alarms of everybody, and of the service itself, which is called `station`; those that changed last come last.

    All that go on are answered at once; of all that there ever were, a page, with the address of the next older one in
    the header `Link`.
    """
    audit.saw(caller.name, "listed alarms")
    if active:
        return [shapes.alarm(one) for one in ward.active_alarms()]
    found = ward.store.alarms(limit=limit, before=before)
    if len(found) == limit:
        _link(request, response, found[0].id)
    return [shapes.alarm(one) for one in found]


@router.get("/patients/{patient}/alarms")
def list_alarms_of(
    request: Request,
    response: Response,
    ward: TheWard,
    caller: Viewing,
    audit: TheAudit,
    patient: PatientPath,
    active: bool = False,
    limit: Limit = MOST_ROWS,
    before: Before = None,
) -> list[shapes.AlarmShape]:
    """The newest alarms of a patient, the oldest first; the header `Link` has the address of the page before."""
    ward.state(patient)
    audit.saw(caller.name, "viewed alarms", patient)
    found = ward.store.alarms(patient, active_only=active, limit=limit, before=before)
    if len(found) == limit:
        _link(request, response, found[0].alarm.number)
    return [shapes.alarm(one) for one in found]


def _link(request: Request, response: Response, before: int) -> None:
    """Say where there are older ones."""
    response.headers["Link"] = f'<{request.url.include_query_params(before=before)}>; rel="next"'


@router.get("/patients/{patient}/alarms/{number}", response_model=shapes.AlarmDetailShape)
def show_alarm(ward: TheWard, caller: Viewing, audit: TheAudit, patient: PatientPath, number: Number) -> Response:
    """One alarm: why it was raised, the beats it rests on, its strip, and everything that has happened to it."""
    stored = _stored(ward, patient, number)
    audit.saw(caller.name, "viewed alarm", patient)
    return json_response(explained(ward, stored))


@router.post("/patients/{patient}/alarms/{number}/acknowledge")
async def acknowledge(
    ward: TheWard,
    caller: Acknowledging,
    audit: TheAudit,
    patient: PatientPath,
    number: Number,
    given: Annotated[Comment, Body()],
) -> shapes.AlarmShape:
    """Say that somebody has seen an alarm; it is silent for a time, and sounds again if it goes on."""
    return await _order(ward, Order.ACKNOWLEDGE, caller.name, audit, patient, number, given.comment)


@router.post("/patients/{patient}/alarms/{number}/unacknowledge")
async def unacknowledge(
    ward: TheWard,
    caller: Acknowledging,
    audit: TheAudit,
    patient: PatientPath,
    number: Number,
    given: Annotated[Comment, Body()],
) -> shapes.AlarmShape:
    """Take an acknowledgement back."""
    return await _order(ward, Order.UNACKNOWLEDGE, caller.name, audit, patient, number, given.comment)


@router.post("/patients/{patient}/alarms/{number}/comments", status_code=201)
async def comment_on(
    ward: TheWard,
    caller: Acknowledging,
    audit: TheAudit,
    patient: PatientPath,
    number: Number,
    given: Annotated[NewComment, Body()],
) -> shapes.CommentShape:
    """Say something about an alarm, also when it has ended; the audit keeps it."""
    await asyncio.to_thread(_alarm, ward, patient, number)
    now = ward.clock()
    await audit.did_async(caller.name, _commented(number), patient, given.comment)
    return shapes.CommentShape(time=now, who=caller.name, comment=given.comment)


@router.post("/patients/{patient}/audio-pause")
async def pause_audio(
    ward: TheWard, caller: Acknowledging, audit: TheAudit, patient: PatientPath, given: Annotated[Comment, Body()]
) -> shapes.SummaryShape:
    """Silence the alarms of a patient for two minutes, at most until one of high priority starts."""
    await ward.order(patient, Action(Order.PAUSE_AUDIO, ward.clock(), caller.name, given.comment))
    await audit.did_async(caller.name, "paused audio", patient, given.comment)
    return ward.summary(patient)


@router.post("/patients/{patient}/audio-resume")
async def resume_audio(
    ward: TheWard, caller: Acknowledging, audit: TheAudit, patient: PatientPath, given: Annotated[Comment, Body()]
) -> shapes.SummaryShape:
    """End an audio pause."""
    await ward.order(patient, Action(Order.RESUME_AUDIO, ward.clock(), caller.name, given.comment))
    await audit.did_async(caller.name, "resumed audio", patient, given.comment)
    return ward.summary(patient)


async def _order(
    ward: Ward, order: Order, who: str, audit: TheAudit, patient: str, number: int, comment: str
) -> shapes.AlarmShape:
    await asyncio.to_thread(_alarm, ward, patient, number)
    await ward.order(patient, Action(order, ward.clock(), who, comment, number))
    await audit.did_async(who, f"{order}d alarm", patient, f"{number} {comment}".strip())
    one = await asyncio.to_thread(_alarm, ward, patient, number)
    return shapes.alarm(one)


def explained(ward: Ward, stored: StoredAlarm) -> shapes.AlarmDetailShape:
    """An alarm with everything that explains it.

    Raises
    ------
    StorageError
        If the store fails.
    """
    patient, store = stored.patient, ward.store
    entries = [(one.time, one.event) for one in store.alarm_events(patient, stored.alarm.number)]
    changes = [(time, event) for time, event in entries if isinstance(event, AlarmChanged)]
    time, latest = changes[-1]
    evidence = next((event.evidence for _, event in reversed(changes) if event.evidence is not None), None)
    begin_s, end_s = latest.strip_s
    begin_s = max(begin_s, end_s - LONGEST_S)
    origin = time - latest.at_s
    strip = stretch(store, patient, ward.state(patient), origin, begin_s, end_s)
    condition = CONDITIONS[stored.alarm.condition]
    until_s = max(end_s, latest.at_s)
    return shapes.AlarmDetailShape(
        **shapes.alarm(stored),
        definition=condition.definition,
        source=condition.source,
        evidence=None if evidence is None else shapes.evidence(origin, evidence),
        history=[shapes.transition(time, event.transition) for time, event in changes],
        comments=[
            shapes.CommentShape(time=entry.time, who=entry.who, comment=entry.detail)
            for entry in store.audit_about(patient, _commented(stored.alarm.number))
        ],
        log_whole=store.log_is_whole(patient, stored.alarm.number),
        strip=None if strip is None else shapes.waveform(patient, strip.stream, strip.start_time, strip.waveform),
        replay=f"ectopy what-if --stored {shlex.quote(patient)} --from {begin_s:.0f} --to {until_s:.0f}",
        software=f"ectopy {__version__}",
        bundle=ward.bundle,
    )


def _commented(number: int) -> str:
    """What the audit calls a comment on an alarm."""
    return f"commented on alarm {number}"


def _alarm(ward: Ward, patient: str, number: int) -> StoredAlarm:
    """An alarm as it stands; one that is active is known before it is stored."""
    active = (one for one in ward.active_alarms() if (one.patient, one.alarm.number) == (patient, number))
    return next(active, None) or _stored(ward, patient, number)


def _stored(ward: Ward, patient: str, number: int) -> StoredAlarm:
    ward.state(patient)
    try:
        return ward.store.alarm(patient, number)
    except DataError as error:
        raise NotFoundError(str(error)) from error
