"""Live signals, beats and summaries over a WebSocket; `ectopy.service.live.frames` says what they look like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, status
from starlette.websockets import WebSocketDisconnect

from ectopy.service.access import Caller
from ectopy.service.api.dependencies import Audited, AuthenticatorDep, WardDep
from ectopy.service.live.feed import Viewer
from ectopy.service.live.frames import text_frame, together

router = APIRouter(tags=["live"])

_MOST_PATIENTS = 1000
_FRAME_S = 0.04
"""So often a screen draws; what comes meanwhile is sent together."""


@router.websocket("/api/live")
async def live(
    socket: WebSocket,
    ward: WardDep,
    caller: Annotated[Caller, Audited("watched live", by_query=True)],
    authenticator: AuthenticatorDep,
    patient: Annotated[list[str], Query(max_length=_MOST_PATIENTS)] = [],  # noqa: B006
) -> None:
    """Signals of these patients, or of all, as they come."""
    await socket.accept()
    viewer = Viewer(patient)
    ward.add_viewer(viewer)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until_closed(socket, viewer))
            tasks.create_task(_send(socket, viewer, lambda: authenticator.is_still_valid(caller)))
    finally:
        ward.feed.leave(viewer)


async def _until_closed(socket: WebSocket, viewer: Viewer) -> None:
    """Ignore messages of a viewer until it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    viewer.close()


async def _send(socket: WebSocket, viewer: Viewer, is_still_valid: Callable[[], bool]) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            frames, dropped = await viewer.take()
            if not frames and not viewer.open:
                await socket.close(status.WS_1001_GOING_AWAY)
                return
            if not is_still_valid():
                await socket.close(status.WS_1008_POLICY_VIOLATION)
                return
            if dropped:
                frames.append(text_frame("dropped", {"frames": dropped}))
            signals, texts = together(frames)
            if signals:
                await socket.send_bytes(signals)
            if texts:
                await socket.send_text(texts)
            await asyncio.sleep(_FRAME_S)
