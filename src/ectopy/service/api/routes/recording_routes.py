"""Recordings: uploaded, analysed, and shown at any zoom."""

from __future__ import annotations

import asyncio
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message

from ectopy.detector import Verdict
from ectopy.errors import DataError, SettingError
from ectopy.formats.leads import Stated, check_stated
from ectopy.report.report_style import ReportStyle
from ectopy.service import recording_schemas
from ectopy.service.api.dependencies import AuditDep, Audited, LibraryDep, RecordingId, ViewedRecording, json_response
from ectopy.service.api.middleware.access_control import Administering, Correcting, Uploading
from ectopy.service.interop.fhir import MEDIA_TYPE
from ectopy.service.interop.fhir_recording import recording_bundle
from ectopy.service.patient_responses import SHAPE_RATE_HZ
from ectopy.service.recordings import StoredRecording, Upload
from ectopy.service.recordings.library import MOST_RECORDINGS
from ectopy.service.recordings.result import MOST_COLUMNS, MOST_POSITIONS, EarlierResultError, Result
from ectopy.service.recordings.stored_recording import RESULT_NAMES, report_name
from ectopy.service.recordings.uploads import MOST_FILES

router = APIRouter(prefix="/api/recordings", tags=["recordings"])

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_PDF = "application/pdf"
_MOST_FIELDS = 8
_FIELD_BYTES = 1024
_LONGEST_S = 1e9
_REPORT_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-modals"  # no script can run; the page around it may measure and print it
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "one recording of any format; or .hea, .dat, .atr of WFDB",
                        },
                        "sampling_rate_hz": {"type": "number", "description": "where the file does not say"},
                        "unit": {"type": "string", "enum": ["V", "mV", "uV", "nV"]},
                    },
                }
            }
        },
    }
}

Second = Annotated[float, Query(ge=0, le=_LONGEST_S, description="Seconds from the start of the recording.")]


@router.post("", status_code=202, openapi_extra=_BODY)
async def upload(
    request: Request, library: LibraryDep, caller: Uploading, audit: AuditDep
) -> recording_schemas.RecordingShape:
    """Upload the files of one recording; it is analysed when those before it are."""
    await asyncio.to_thread(library.check_room, caller.id)

    async def receive() -> Message:
        library.check_room(caller.id)
        return await request.receive()

    # Files lie on the disk, the other fields in memory.
    coming = Request(request.scope, receive)
    async with coming.form(max_files=MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES) as form:
        stated = _stated(form)
        files = [
            Upload(part.filename or "", part.file) for part in form.getlist("files") if isinstance(part, UploadFile)
        ]
        entry = await asyncio.to_thread(library.add, files, stated.sampling_rate_hz, stated.unit, caller.id)
    await audit.did_async(caller.name, "uploaded recording", detail=entry.id)
    return shape(entry)


@router.get("", dependencies=[Audited("listed recordings")])
def list_recordings(
    library: LibraryDep, limit: Annotated[int, Query(ge=1, le=MOST_RECORDINGS)] = MOST_RECORDINGS
) -> list[recording_schemas.RecordingShape]:
    """The newest recordings, the newest first; without their summaries."""
    return [shape(entry) for entry in library.entries()[:limit]]


@router.get("/{id}")
def show(library: LibraryDep, entry: ViewedRecording) -> recording_schemas.RecordingShape:
    """Return the progress of the analysis of a recording, and its summary."""
    if entry.is_analysed:
        try:
            return shape(entry, library.result(entry.id))
        except EarlierResultError:
            entry = library.entry(entry.id)  # its status says so now
    return shape(entry)


@router.get("/{id}/report", response_class=FileResponse, responses={200: {"content": {"text/html": {}, _PDF: {}}}})
def report(
    library: LibraryDep,
    entry: ViewedRecording,
    format: Annotated[Literal["html", "pdf"], Query(description="Of the file.")] = "html",
    language: Annotated[Literal["en", "de"], Query(description="Of its words.")] = "en",
    paper: Annotated[Literal["a4", "letter"], Query(description="On which it is printed.")] = "a4",
) -> FileResponse:
    """The report on the corrected recording, which refers to nothing outside itself."""
    path = library.document(entry.id, report_name(format, ReportStyle(language, paper)))
    if format == "pdf":
        name = _file_name(entry, ".pdf")
        return FileResponse(path, media_type=_PDF, filename=name, content_disposition_type="inline")
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=_REPORT_HEADERS)


@router.get(
    "/{id}/results",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}, MEDIA_TYPE: {}}}},
)
def results(
    library: LibraryDep,
    entry: ViewedRecording,
    format: Annotated[
        Literal["csv", "json", "edf", "atr", "ann", "fhir", "corrections"], Query(description="Of the file.")
    ],
) -> Response:
    """The results of the corrected recording: beats as CSV, everything as JSON, annotations, or a bundle of FHIR.

    `corrections` are the corrections alone, as `ectopy detect --corrections` reads them.
    """
    if format == "fhir":
        result = library.result(entry.id)
        bundle = recording_bundle(result.recording, result.analysis, result.events, result.corrections.conclusion)
        headers = {"Content-Disposition": f'attachment; filename="{_file_name(entry, ".fhir.json")}"'}
        return Response(msgspec.json.encode(bundle), media_type=MEDIA_TYPE, headers=headers)
    if format == "corrections":
        return FileResponse(library.corrections_file(entry.id), filename=_file_name(entry, ".corrections.json"))
    return FileResponse(library.document(entry.id, RESULT_NAMES[format]), filename=_file_name(entry, f".{format}"))


@router.get("/{id}/signal", response_model=recording_schemas.RecordingSignalShape)
def signal(
    library: LibraryDep,
    entry: ViewedRecording,
    start_s: Second = 0.0,
    stop_s: Second = _LONGEST_S,
    pixels: Annotated[int, Query(ge=1, le=MOST_COLUMNS, description="Columns to draw in.")] = 1000,
    lead: Annotated[int | None, Query(ge=0, description="Only this one, from 0; no pulse wave.")] = None,
) -> Response:
    """A stretch of signal for a screen, from the whole recording down to single samples, with its beats.

    Of more than 500 beats, those with the highest scores.
    """
    _check_order(start_s, stop_s)
    return json_response(library.result(entry.id).signal(start_s, stop_s, pixels, lead))


@router.get("/{id}/beats")
def beats(
    library: LibraryDep,
    entry: ViewedRecording,
    start_s: Second = 0.0,
    stop_s: Second = _LONGEST_S,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    verdict: Annotated[Verdict | None, Query(description="Only beats judged so.")] = None,
) -> list[dict[str, Any]]:
    """The first beats of a stretch."""
    _check_order(start_s, stop_s)
    return library.result(entry.id).beat_rows(start_s, stop_s, limit, verdict)


@router.get("/{id}/trend")
def trend(
    library: LibraryDep, entry: ViewedRecording, step_s: Annotated[float, Query(ge=1, le=86_400)] = 60.0
) -> dict[str, Any]:
    """Heart rate, and how many beats of which kind, in steps of so many seconds."""
    return library.result(entry.id).trend(step_s)


@router.get("/{id}/events", response_model=recording_schemas.RecordingEventsShape)
def events(
    library: LibraryDep,
    entry: ViewedRecording,
    waves: Annotated[bool, Query(description="With those of ST and QT, which take longer.")] = True,
) -> Response:
    """Runs, couplets, pauses, rates and other events of a recording."""
    result = library.result(entry.id)
    return json_response({**result.version._asdict(), "events": result.event_rows(waves)})


@router.get("/{id}/episodes", response_model=recording_schemas.RecordingEpisodesShape)
def episodes(library: LibraryDep, entry: ViewedRecording) -> Response:
    """Rhythms of a recording, from its first beat to its last."""
    result = library.result(entry.id)
    return json_response({**result.version._asdict(), "episodes": result.episode_rows()})


@router.get("/{id}/figures", response_model=recording_schemas.RecordingFiguresShape)
def figures(library: LibraryDep, entry: ViewedRecording) -> Response:
    """All figures of a Holter report, of the whole recording and of each hour."""
    result = library.result(entry.id)
    return json_response({**result.version._asdict(), "figures": result.summary["holter"]})


@router.get("/{id}/families", response_model=recording_schemas.RecordingFamiliesShape)
def families(library: LibraryDep, entry: ViewedRecording) -> Response:
    """Families of similar beats with their mean shapes."""
    result = library.result(entry.id)
    families = {"sampling_rate_hz": SHAPE_RATE_HZ, "families": result.family_rows()}
    return json_response({**result.version._asdict(), **families})


@router.get("/{id}/families/{number}/beats", response_model=recording_schemas.FamilyBeatsShape)
def family_beats(
    library: LibraryDep,
    entry: ViewedRecording,
    number: Annotated[int, Path(ge=1, le=1000, description="Of the family.")],
    start_s: Second = 0.0,
    stop_s: Second = _LONGEST_S,
    limit: Annotated[int, Query(ge=1, le=MOST_POSITIONS)] = 1000,
    backwards: Annotated[bool, Query(description="The last ones, in reverse order.")] = False,
) -> Response:
    """Beats of a family within a stretch.

    With `limit` 1 it is the next one after `start_s`, or backwards the one before `stop_s`.
    """
    _check_order(start_s, stop_s)
    result = library.result(entry.id)
    beats = result.family_beats(number, start_s, stop_s, limit, backwards)
    return json_response({**result.version._asdict(), **beats})


@router.post("/{id}/analyse", status_code=202)
async def analyse(
    library: LibraryDep, caller: Correcting, audit: AuditDep, id: RecordingId
) -> recording_schemas.RecordingShape:
    """Analyse a recording again; where a beat is labelled otherwise, its corrections are kept and count no longer."""
    entry = await asyncio.to_thread(library.analyse_again, id)
    await audit.did_async(caller.name, "analysed recording again", detail=entry.id)
    return shape(entry)


@router.delete("/{id}", status_code=204)
def delete(library: LibraryDep, caller: Administering, audit: AuditDep, id: RecordingId) -> None:
    """Delete a recording and what was found in it."""
    entry = library.entry(id)
    library.delete(id)
    audit.did(caller.name, "deleted recording", detail=entry.id)


def shape(entry: StoredRecording, result: Result | None = None) -> recording_schemas.RecordingShape:
    """Return a recording with its status, and its summary where its result is at hand."""
    return recording_schemas.RecordingShape(
        id=entry.id,
        name=entry.name,
        added_time=entry.added,
        status=entry.status.value,
        progress=entry.progress,
        error=entry.error,
        summary=None if result is None else result.summary,
        analysis=None if result is None else result.version.analysis,
        version=None if result is None else result.version.version,
    )


def _stated(form: FormData) -> Stated:
    rate, unit = form.get("sampling_rate_hz"), form.get("unit")
    if isinstance(rate, UploadFile) or isinstance(unit, UploadFile):
        raise DataError("a sampling rate and a unit are text, not files.")
    try:
        rate_hz = float(rate) if rate else None
    except ValueError as error:
        raise DataError(f"the sampling rate is a number of Hz, not {str(rate)[:40]!r}.") from error
    return check_stated(rate_hz, unit or None)


def _check_order(start_s: float, stop_s: float) -> None:
    if stop_s < start_s:
        raise SettingError(f"'stop_s' is {stop_s:g} s, and must not be before 'start_s', which is {start_s:g} s.")


def _file_name(entry: StoredRecording, suffix: str) -> str:
    """Return the name of a file that lies beside a recording; never the name of the recording itself."""
    title = _UNSAFE.sub("_", entry.name)
    name = f"{PurePosixPath(title).stem}{suffix}"
    return f"{title}{suffix}" if name.lower() == title.lower() else name
