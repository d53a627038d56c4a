"""Schemas of requests and answers about corrections of recordings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from ectopy.analysis.corrections import MOST_CAPTION, MOST_CONCLUSION, MOST_NAME, BeatLabel
from ectopy.service.openapi_examples import example_config, with_example
from ectopy.service.recording_schemas import EXAMPLE_DIGEST, VersionedShape
from ectopy.service.schemas import RequestBody

MOST_POSITIONS = 10_000
"""Positions in one request; a family or a stretch may have more beats."""

_ENTRY = {
    "number": 3,
    "type": "relabel",
    "by": "Anna",
    "time": 1767225600.0,
    "undone": False,
    "beats": 41,
    "start_s": 612.4,
    "end_s": 1700.2,
    "label": "ventricular",
}


@with_example(**_ENTRY)
class CorrectionEntryShape(TypedDict, total=False):
    """An entry of the log: what was corrected, by whom, and whether it was undone later.

    `beats` is how many beats it names, `start_s` and `end_s` the time of the first and the last one, or of the stretch.
    """

    number: Required[int]
    type: Required[str]
    by: Required[str]
    time: Required[float]
    undone: Required[bool]
    beats: int
    start_s: float
    end_s: float
    label: str
    caption: str
    text: str


class SupersededShape(TypedDict):
    """Corrections of an earlier analysis, which count no longer."""

    analysis: str
    reason: str
    entries: list[CorrectionEntryShape]


@with_example(
    analysis=EXAMPLE_DIGEST,
    version=3,
    entries=[_ENTRY],
    strips=[{"start_s": 610.0, "end_s": 618.0, "caption": "Five beats at 142 per minute"}],
    removed_strips=[],
    conclusion="Frequent ventricular beats.",
    superseded=[],
)
class CorrectionsShape(VersionedShape):
    """The log of corrections, and what it says of the report: chosen and removed strips, and the conclusion."""

    entries: list[CorrectionEntryShape]
    strips: list[dict[str, Any]]
    removed_strips: list[dict[str, Any]]
    conclusion: str
    superseded: list[SupersededShape]


@with_example(analysis=EXAMPLE_DIGEST, version=3, entry=_ENTRY)
class CorrectedShape(VersionedShape):
    """The new version, and the new entry of its log."""

    entry: CorrectionEntryShape


@with_example(
    detail="there are newer corrections, by Anna; look at them, and make yours again.",
    analysis=EXAMPLE_DIGEST,
    version=3,
    newer=[_ENTRY],
)
class OutdatedShape(VersionedShape):
    """The newest version, and the entries of its log that the caller has not seen."""

    detail: str
    newer: list[CorrectionEntryShape]


@with_example(detail="the last correction is by Anna; it is undone only if they are named as its author.", entry=_ENTRY)
class ForeignShape(TypedDict):
    """The last correction that is in force, which somebody else made."""

    detail: str
    entry: CorrectionEntryShape


_Second = Annotated[float, Field(ge=0, le=1e8, description="From the start of the recording.")]
_Position = Annotated[int, Field(ge=0, le=2**53, description="In samples of the recording.")]


class _OfBeats(RequestBody):
    positions: Annotated[list[_Position] | None, Field(min_length=1, max_length=MOST_POSITIONS)] = None
    family: Annotated[int | None, Field(ge=1, le=1000)] = None
    start_s: _Second | None = None
    end_s: _Second | None = None

    @model_validator(mode="after")
    def _check_beats(self) -> Self:
        stretch = self.start_s is not None, self.end_s is not None
        ways = (self.positions is not None) + (self.family is not None) + any(stretch)
        if ways != 1 or any(stretch) != all(stretch):
            raise ValueError("name the beats by positions, by their family, or by start_s and end_s")
        return self


class RelabelBeats(_OfBeats):
    """Give another label to the beats of these positions, of a family, or from `start_s` to `end_s`."""

    type: Literal["relabel"]
    label: BeatLabel


class RemoveBeats(_OfBeats):
    """Delete the beats of these positions, of a family, or from `start_s` to `end_s`: they are artefacts."""

    type: Literal["delete_beats"]


class AddedBeat(RequestBody):
    """Add a beat where none was found."""

    type: Literal["add_beat"]
    position: _Position
    label: BeatLabel


class NoiseMark(RequestBody):
    """Mark a time as noise."""

    type: Literal["mark_noise"]
    start_s: _Second
    end_s: _Second


class StripChoice(RequestBody):
    """Put a strip into the report, or give another caption to one."""

    type: Literal["choose_strip"]
    start_s: _Second
    end_s: _Second
    caption: Annotated[str, Field(max_length=MOST_CAPTION)] = ""


class StripRemoval(RequestBody):
    """Leave a strip out of the report."""

    type: Literal["remove_strip"]
    start_s: _Second
    end_s: _Second


class Conclusion(RequestBody):
    """Write the conclusion of the report."""

    type: Literal["write_conclusion"]
    text: Annotated[str, Field(max_length=MOST_CONCLUSION)]


CorrectionRequest = RelabelBeats | RemoveBeats | AddedBeat | NoiseMark | StripChoice | StripRemoval | Conclusion


class SeenVersion(RequestBody):
    """The newest version that the caller has seen."""

    model_config = example_config(analysis=EXAMPLE_DIGEST, version=3)

    analysis: Annotated[str, Field(min_length=1, max_length=64, description="Digest of the analysis.")]
    version: Annotated[int, Field(ge=0, le=2**31, description="Number of the entries in the log.")]


class NewCorrection(SeenVersion):
    """A correction of a recording, made on the version that the caller has seen."""

    model_config = example_config(
        analysis=EXAMPLE_DIGEST, version=3, correction={"type": "relabel", "family": 2, "label": "ventricular"}
    )

    correction: Annotated[CorrectionRequest, Field(discriminator="type")]


class UndoRequest(SeenVersion):
    """The version on which the last correction is taken back, and who made that."""

    model_config = example_config(analysis=EXAMPLE_DIGEST, version=3, author="Anna")

    author: Annotated[
        str | None, Field(max_length=MOST_NAME, description="Who made the correction; without it, the caller.")
    ] = None
