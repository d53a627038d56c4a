"""Alarms and other events as they are stored, as server-sent events; a client that comes back misses none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from ectopy.errors import SettingError, StorageError
from ectopy.service import patient_responses
from ectopy.service.access import Caller
from ectopy.service.api.dependencies import Audited, AuthenticatorDep, StoreDep, WardDep, event_stream, stream_events
from ectopy.service.monitoring.ward import Ward
from ectopy.service.storage import Store, StoredEvent

router = APIRouter(tags=["live"])

_QUIET_S = 15.0
_AT_ONCE = 200
_LARGEST = 2**62

_EXAMPLE = (
    'event: alarm\ndata: {"id": 17, "kind": "alarm", "patient": "bed 3", "number": 412, "change": "raised"}\nid: 17\n\n'
)

Kind = Literal["alarm", "quality", "noticed", "rejected"]


@router.get("/api/events", **event_stream("For each event its id, its kind, and JSON.", _EXAMPLE))
async def events(
    ward: WardDep,
    store: StoreDep,
    caller: Annotated[Caller, Audited("watched events", by_query=True)],
    authenticator: AuthenticatorDep,
    patient: Annotated[str | None, Query(description="Of this one only.")] = None,
    kind: Annotated[list[Kind], Query(description="Of these kinds only.")] = [],  # noqa: B006
    last_event_id: Annotated[int | None, Query(ge=0, le=_LARGEST, description="Go on after this one.")] = None,
    last_event_header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> EventSourceResponse:
    """Events from now on, or after the last one that was seen; a comment after 15 s without any."""
    after = last_event_id if last_event_header is None else _number(last_event_header)
    if after is None:
        after = await asyncio.to_thread(ward.newest_event)
    # Not a generator as endpoint (`response_class`): FastAPI would send 200 before the checks above, and queue events
    # for a key that is revoked meanwhile.
    return stream_events(_events(ward, store, after, patient, kind, lambda: authenticator.is_still_valid(caller)))


async def _events(
    ward: Ward,
    store: Store,
    after: int,
    patient: str | None,
    kinds: Sequence[str],
    is_still_valid: Callable[[], bool],
) -> AsyncIterator[bytes]:
    yield KEEPALIVE_COMMENT
    while ward.feed.open:
        more = ward.feed.next_events()
        try:
            stored = await asyncio.to_thread(store.events.after, after, patient, kinds, _AT_ONCE)
        except StorageError:
            stored = []
        if not is_still_valid():
            return
        if stored:
            after = stored[-1].id
            yield b"".join(map(_encoded, stored))
            continue
        try:
            await asyncio.wait_for(more.wait(), _QUIET_S)
        except TimeoutError:
            yield KEEPALIVE_COMMENT


def _encoded(event: StoredEvent) -> bytes:
    content = patient_responses.event(event)
    data = msgspec.json.encode(content).decode()
    return format_sse_event(data_str=data, event=content["kind"], id=str(event.id))


def _number(text: str) -> int:
    with suppress(ValueError):
        number = int(text)
        if 0 <= number <= _LARGEST:
            return number
    raise SettingError("Last-Event-ID is the id of an event, a whole number.")
