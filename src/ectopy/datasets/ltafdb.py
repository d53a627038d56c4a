"""Long-Term AF Database 1.0.0: 84 recordings of about 24 hours of people with atrial fibrillation, without the signal.

Petrutiu S, Sahakian AV, Swiryn S. Abrupt changes in fibrillatory wave characteristics at the termination of paroxysmal
atrial fibrillation in humans. Europace 9:466-470 (2007), doi:10.1093/europace/eum096. From PhysioNet,
https://doi.org/10.13026/C2QG6Q, under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording, LabelledRhythms
from ectopy.datasets.patients import patient_of
from ectopy.errors import DataError
from ectopy.formats.wfdb_annotations import read_annotations
from ectopy.formats.wfdb_header import read_header

NAME = "ltafdb"


def ltafdb_records(folder: Path) -> tuple[str, ...]:
    """Names of the records in a folder, sorted by number."""
    return tuple(sorted((path.stem for path in folder.glob("*.atr")), key=lambda name: (len(name), name)))


def read_ltafdb(folder: Path) -> Iterator[LabelledRecording]:
    """Read beats and rhythms of the records, one record at a time, from ``.atr`` and ``.hea`` alone.

    Times are those of annotations, which count samples at 128 Hz: RR intervals are exact to 8 ms.
    """
    for name in ltafdb_records(folder):
        header = read_header(folder / f"{name}.hea")
        if header.frame_rate_hz is None or header.frames is None:
            raise DataError(f"{header.path} states no rate or no length; copy the record again.")
        annotations = read_annotations(folder / f"{name}.atr")
        yield LabelledRecording(
            NAME,
            name,
            patient_of(NAME, name),
            header.frames / header.frame_rate_hz,
            beats=LabelledBeats.of(annotations, header.frame_rate_hz),
            rhythms=LabelledRhythms.of(annotations, header.frame_rate_hz),
        )
