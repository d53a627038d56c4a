"""Corrections of a recording by hand: their log, who is told of them, and what they lead to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from ectopy.analysis.corrections import (
    MOST_NAME,
    AddBeat,
    ChooseStrip,
    Correction,
    DeleteBeats,
    MarkNoise,
    Relabel,
    RemoveStrip,
    WriteConclusion,
)
from ectopy.errors import DataError, printable
from ectopy.service import correction_responses, correction_schemas
from ectopy.service.access import Caller
from ectopy.service.api.dependencies import (
    AuditDep,
    AuthenticatorDep,
    LibraryDep,
    RecordingFeedDep,
    RecordingId,
    ViewedRecording,
    event_stream,
    stream_events,
)
from ectopy.service.api.middleware.access_control import Correcting, Viewing
from ectopy.service.live.feed import Feed, Viewer
from ectopy.service.recordings import Library
from ectopy.service.recordings.result import Result, ResultVersion, positions_between

router = APIRouter(prefix="/api/recordings/{id}", tags=["corrections"])

_QUIET_S = 15.0
_CHANGES = "The newest version at once as `current`; each later one as `corrected`, with its author."
_EXAMPLE = 'event: corrected\ndata: {"analysis": "9c8d...", "version": 4, "by": "Anna"}\n\n'
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {
        "model": correction_schemas.OutdatedShape,
        "description": "There are newer corrections, or another analysis: see them, and make the correction again.",
    }
}
_FOREIGN: dict[int | str, dict[str, Any]] = {
    409: {
        "model": correction_schemas.OutdatedShape | correction_schemas.ForeignShape,
        "description": "There are newer corrections, or another analysis; or the correction is by somebody else.",
    }
}


@router.get("/corrections")
def corrections(library: LibraryDep, entry: ViewedRecording) -> correction_schemas.CorrectionsShape:
    """Return the log of corrections, and what it says of the report."""
    return correction_responses.corrections(library.result(entry.id), library.superseded_corrections(entry.id))


@router.post("/corrections", status_code=201, responses=_CONFLICT)
async def correct(
    library: LibraryDep,
    caller: Correcting,
    audit: AuditDep,
    feed: RecordingFeedDep,
    id: RecordingId,
    request: correction_schemas.NewCorrection,
) -> correction_schemas.CorrectedShape:
    """Correct a recording: relabel, delete or add beats, mark noise, choose strips, write the conclusion.

    `analysis` and `version` are those that the caller has seen; where there are newer ones, nothing is changed.
    """
    result = await run_in_threadpool(
        library.correct, id, _version(request), _author(caller), lambda result: _correction(request.correction, result)
    )
    return await _announce(id, result, caller, audit, feed)


@router.post("/corrections/undo", status_code=201, responses=_FOREIGN)
async def undo(
    library: LibraryDep,
    caller: Correcting,
    audit: AuditDep,
    feed: RecordingFeedDep,
    id: RecordingId,
    request: correction_schemas.UndoRequest,
) -> correction_schemas.CorrectedShape:
    """Take back the last correction that is in force; that of somebody else only where `author` says whose it is."""
    by = _author(caller)
    result = await run_in_threadpool(library.undo, id, _version(request), by, request.author or by)
    return await _announce(id, result, caller, audit, feed)


@router.get("/changes", **event_stream(_CHANGES, _EXAMPLE))
async def changes(
    library: LibraryDep,
    entry: ViewedRecording,
    caller: Viewing,
    authenticator: AuthenticatorDep,
    feed: RecordingFeedDep,
) -> EventSourceResponse:
    """Server-sent events that tell whoever looks at a recording that somebody has corrected it."""
    await run_in_threadpool(library.result, entry.id)
    return stream_events(_changes(library, feed, entry.id, lambda: authenticator.is_still_valid(caller)))


async def _changes(library: Library, feed: Feed, id: str, is_still_valid: Callable[[], bool]) -> AsyncIterator[bytes]:
    viewer, analyses = Viewer((id,)), library.entry(id).analyses
    feed.join(viewer)
    try:
        # What was corrected before it joined is in the newest version.
        result = await run_in_threadpool(library.result, id)
        yield format_sse_event(data_str=_json(result.version._asdict()), event="current")
        while feed.open:
            try:
                frames, _ = await asyncio.wait_for(viewer.take(), _QUIET_S)
            except TimeoutError:
                frames = []
            # Whoever connects again after another analysis is told of that one.
            if not is_still_valid() or library.entry(id).analyses != analyses:
                return
            yield (
                b"".join(format_sse_event(data_str=str(frame), event="corrected") for frame in frames)
                or KEEPALIVE_COMMENT
            )
    except DataError:
        return  # it was deleted
    finally:
        feed.leave(viewer)


async def _announce(
    id: str, result: Result, caller: Caller, audit: AuditDep, feed: Feed
) -> correction_schemas.CorrectedShape:
    """Tell other editors and the audit of the newest correction, and answer with it."""
    answer = correction_responses.corrected(result)
    feed.publish(id, lambda: _json({**result.version._asdict(), "by": _author(caller)}))
    entry = answer["entry"]
    beats = f" {entry['beats']:,} beats" if "beats" in entry else ""
    label = f" as {entry['label']}" if "label" in entry else ""
    detail = f"{id} version {answer['version']}: {entry['type'].replace('_', ' ')}{beats}{label}"
    await audit.did_async(caller.name, "corrected recording", detail=detail)
    return answer


def _version(request: correction_schemas.SeenVersion) -> ResultVersion:
    return ResultVersion(request.analysis, request.version)


def _author(caller: Caller) -> str:
    return printable(caller.name)[:MOST_NAME]


def _json(content: object) -> str:
    return msgspec.json.encode(content).decode()


def _correction(request: correction_schemas.CorrectionRequest, result: Result) -> Correction:
    """Make a correction of a request: a family or a stretch becomes the positions of its beats."""
    match request:
        case correction_schemas.RelabelBeats():
            return Relabel(_positions(request, result), request.label)
        case correction_schemas.RemoveBeats():
            return DeleteBeats(_positions(request, result))
        case correction_schemas.AddedBeat():
            return AddBeat(request.position, request.label)
        case correction_schemas.NoiseMark():
            return MarkNoise(request.start_s, request.end_s)
        case correction_schemas.StripChoice():
            return ChooseStrip(request.start_s, request.end_s, request.caption)
        case correction_schemas.StripRemoval():
            return RemoveStrip(request.start_s, request.end_s)
        case correction_schemas.Conclusion():
            return WriteConclusion(request.text)


def _positions(
    request: correction_schemas.RelabelBeats | correction_schemas.RemoveBeats, result: Result
) -> tuple[int, ...]:
    if request.positions is not None:
        return tuple(request.positions)
    if request.family is not None:
        return tuple(result.analysis.positions[result.family(request.family).rows].tolist())
    start_s, end_s = request.start_s or 0.0, request.end_s or 0.0
    positions = positions_between(result.analysis, start_s, end_s)
    if not positions:
        raise DataError(f"there is no beat from {start_s:g} to {end_s:g} s.")
    return positions
