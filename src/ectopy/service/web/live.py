"""Live signals, beats and summaries over a WebSocket; `ectopy.service.frames` says what they look like."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from ectopy.service.feed import Viewer
from ectopy.service.frames import text_frame, together
from ectopy.service.web.door import Viewing
from ectopy.service.web.parts import TheAudit, TheWard

router = APIRouter(tags=["live"])

_ENDS = 1001
_MOST_PATIENTS = 1000


@router.websocket("/api/live")
async def live(
    socket: WebSocket,
    ward: TheWard,
    caller: Viewing,
    audit: TheAudit,
    patient: Annotated[list[str], Query(max_length=_MOST_PATIENTS)] = [],  # noqa: B006
) -> None:
    """Signals of these patients, or of all, as they are stored."""
    for one in patient:
        ward.state(one)
    for one in patient or [""]:
        await asyncio.to_thread(audit.saw, caller.name, "watched live", one)
    await socket.accept()
    viewer = Viewer(patient)
    ward.look(viewer)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until_closed(socket, viewer))
            tasks.create_task(_send(socket, viewer))
    finally:
        ward.feed.leave(viewer)


async def _until_closed(socket: WebSocket, viewer: Viewer) -> None:
    """What a viewer says is not listened to."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
    viewer.close()


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            frames, dropped = await viewer.take()
            if not frames:
                break
            if dropped:
                frames.append(text_frame("dropped", {"frames": dropped}))
            signals, texts = together(frames)
            if signals:
                await socket.send_bytes(signals)
            if texts:
                await socket.send_text(texts)
        await socket.close(_ENDS)
