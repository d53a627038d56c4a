"""Answers about corrections of recordings, with the schemas of `ectopy.service.correction_schemas`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from ectopy.analysis.corrections import AddBeat, ChooseStrip, Corrections, DeleteBeats, Relabel, RemoveStrip
from ectopy.service import correction_schemas
from ectopy.service.recordings.result import Result
from ectopy.service.recordings.stored_corrections import AuthorError, OutdatedError, corrected_beats, undone

_SUPERSEDED = "the recording was analysed again after these corrections."


def correction_entries(
    corrections: Corrections, sampling_rate_hz: float, begin: int = 0
) -> list[correction_schemas.CorrectionEntryShape]:
    """Answer with the entries of a log, from the one of index `begin`."""
    entries = []
    for index, (entry, is_undone) in enumerate(zip(corrections.entries, undone(corrections), strict=True)):
        if index < begin:
            continue
        correction = entry.correction
        fields = msgspec.to_builtins(correction)
        positions = fields.pop("positions", None) or [fields.pop("position", None)]
        if isinstance(correction, Relabel | DeleteBeats | AddBeat):
            fields["beats"] = corrected_beats(correction)
            fields["start_s"], fields["end_s"] = (round(positions[place] / sampling_rate_hz, 3) for place in (0, -1))
        facts = {"number": index + 1, "by": entry.by, "time": entry.at.timestamp(), "undone": is_undone}
        entries.append(cast(correction_schemas.CorrectionEntryShape, facts | fields))
    return entries


def corrections(result: Result, superseded: Sequence[Corrections]) -> correction_schemas.CorrectionsShape:
    """Answer with the log of corrections of a recording, and with those of its earlier analyses."""
    rate_hz, log = result.recording.sampling_rate_hz, result.corrections
    return correction_schemas.CorrectionsShape(
        analysis=result.version.analysis,
        version=result.version.version,
        entries=correction_entries(log, rate_hz),
        strips=[_strip(strip) for strip in log.strips],
        removed_strips=[_strip(strip) for strip in log.hidden_strips],
        conclusion=log.conclusion,
        superseded=[
            correction_schemas.SupersededShape(
                analysis=earlier.analysis_digest, reason=_SUPERSEDED, entries=correction_entries(earlier, rate_hz)
            )
            for earlier in superseded
        ],
    )


def corrected(result: Result) -> correction_schemas.CorrectedShape:
    """Answer with the newest version and entry."""
    entries = correction_entries(result.corrections, result.recording.sampling_rate_hz, result.version.version - 1)
    return correction_schemas.CorrectedShape(
        analysis=result.version.analysis, version=result.version.version, entry=entries[0]
    )


def outdated(error: OutdatedError) -> correction_schemas.OutdatedShape:
    """Answer with why a correction was rejected, and with what its author has not seen."""
    result = error.result
    newer = correction_entries(result.corrections, result.recording.sampling_rate_hz, error.number)
    return correction_schemas.OutdatedShape(
        detail=str(error), analysis=result.version.analysis, version=result.version.version, newer=newer
    )


def foreign(error: AuthorError) -> correction_schemas.ForeignShape:
    """Answer with why a correction is not undone, and with that correction."""
    result = error.result
    entry = correction_entries(result.corrections, result.recording.sampling_rate_hz, error.index)[0]
    return correction_schemas.ForeignShape(detail=str(error), entry=entry)


def _strip(strip: ChooseStrip | RemoveStrip) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(strip).items() if name != "type"}
