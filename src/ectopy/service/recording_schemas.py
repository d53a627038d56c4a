"""Schemas of requests and answers about recordings and their results; ``..._s`` are seconds from the start."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from ectopy.service.openapi_examples import example_config, with_example
from ectopy.service.schemas import RequestBody

EXAMPLE_DIGEST = "9c8d27a1f4be0e5d6c3b2a19887766554433221100ffeeddccbbaa9988776655"


@with_example(
    id="0123456789abcdef",
    name="100",
    added_time=1767225600.0,
    status="done",
    progress=1.0,
    error="",
    summary={"duration_s": 1805.6, "leads": ["MLII", "V5"], "beats": 2273, "abnormal": 34},
    analysis=EXAMPLE_DIGEST,
    version=3,
)
class RecordingShape(TypedDict):
    """A recording; `summary`, `analysis` and `version` are null until it is analysed, and in a list.

    `analysis` is the digest of its analysis, `version` the number of entries in the log of its corrections.
    """

    id: str
    name: str
    added_time: float
    status: str
    progress: float
    error: str
    summary: dict[str, Any] | None
    analysis: str | None
    version: int | None


class RecordingPulseShape(TypedDict, total=False):
    """Columns of a pulse wave, in its unit: `samples`, or `low` and `high` of each."""

    name: str
    unit: str
    start_s: float
    step_s: float
    samples: list[float | None]
    low: list[float | None]
    high: list[float | None]


class RecordingSignalShape(TypedDict, total=False):
    """Columns of a signal: `samples`, or `low` and `high` of each; by lead, millivolt, null = none."""

    start_s: float
    step_s: float
    duration_s: float
    sampling_rate_hz: float
    leads: list[str]
    samples: list[list[float | None]]
    low: list[list[float | None]]
    high: list[list[float | None]]
    pulses: list[RecordingPulseShape]
    beats: list[dict[str, Any]]
    beats_there: int


class VersionedShape(TypedDict):
    """What depends on the corrections: the digest of the analysis, and the number of entries in their log."""

    analysis: str
    version: int


@with_example(
    analysis=EXAMPLE_DIGEST,
    version=3,
    events=[
        {
            "kind": "ventricular run",
            "start_s": 612.4,
            "end_s": 614.1,
            "beats": 5,
            "text": "5 beats in a row at 142 per minute, 0.41 s after the beat before",
            "rate_bpm": 142.0,
            "rank": 1,
        }
    ],
)
class RecordingEventsShape(VersionedShape):
    """Runs, pauses and other events in order of their start; the most serious one has the `rank` 1."""

    events: list[dict[str, Any]]


@with_example(
    analysis=EXAMPLE_DIGEST,
    version=3,
    figures={"beats": {"total": 2273, "normal": 2239}, "rate": {"minimum_bpm": 58.0, "mean_bpm": 75.5}},
)
class RecordingFiguresShape(VersionedShape):
    """The figures of `ectopy.analysis.holter_figures`; null = not known."""

    figures: dict[str, Any]


@with_example(
    analysis=EXAMPLE_DIGEST,
    version=3,
    episodes=[{"rhythm": "atrial fibrillation", "start_s": 912.0, "end_s": 1450.5, "beats": 811, "rate_bpm": 90.4}],
)
class RecordingEpisodesShape(VersionedShape):
    """Episodes of one rhythm, one after the other; `rate_bpm` is null where no interval is known."""

    episodes: list[dict[str, Any]]


@with_example(
    analysis=EXAMPLE_DIGEST,
    version=3,
    sampling_rate_hz=180.0,
    families=[
        {"family": 1, "hint": "", "beats": 2239, "first_s": 0.214, "last_s": 1805.2, "mean_mv": [[0.01, 0.02], [0, 0]]}
    ],
)
class RecordingFamiliesShape(VersionedShape):
    """Families of similar beats, the largest first; each with its hint and, lead by lead, the mean of its beats.

    `mean_mv` has 140 samples for each lead, 52 of them before the fiducial point, at `sampling_rate_hz`; null where the
    lead has no readable beat. The number of a family is good for one version of the corrections: another one may
    group the beats otherwise.
    """

    sampling_rate_hz: float
    families: list[dict[str, Any]]


@with_example(analysis=EXAMPLE_DIGEST, version=3, family=3, total=41, beats=[707], positions=[220464], times_s=[612.4])
class FamilyBeatsShape(VersionedShape):
    """Beats of a family: index, position in samples, and time of each; `total` is their number without the limit."""

    family: int
    total: int
    beats: list[int]
    positions: list[int]
    times_s: list[float]


class Choice(RequestBody):
    """The name of a recording, as it is listed."""

    model_config = example_config(recording="mitdb/208")

    recording: Annotated[str, Field(min_length=1, max_length=200)]
