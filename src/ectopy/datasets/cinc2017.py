"""Challenge 2017: 8,528 recordings of 9 to 60 s with a hand-held device, one lead at 300 Hz, each with a class.

Clifford GD, Liu C, Moody B, et al. AF classification from a short single lead ECG recording: the PhysioNet/Computing in
Cardiology Challenge 2017. Computing in Cardiology 44 (2017), doi:10.22489/CinC.2017.065-469. From PhysioNet,
https://doi.org/10.13026/d3hm-sf11, under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ectopy.datasets.data_folders import check_records
from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.datasets.patients import patient_of
from ectopy.errors import DataError
from ectopy.formats import read

NAME = "cinc2017"
REFERENCE_FILE = "REFERENCE.csv"
CLASSES = {"N": "sinus rhythm", "A": "atrial fibrillation", "O": "another rhythm", "~": "too noisy"}


def cinc2017_records(folder: Path) -> tuple[str, ...]:
    """Names of the records in a folder, sorted; none without the classes."""
    return tuple(sorted(read_classes(folder))) if (folder / REFERENCE_FILE).is_file() else ()


def read_classes(folder: Path) -> dict[str, str]:
    """Read the class of each record.

    Raises
    ------
    DataError
        If the file of the classes cannot be read, or has a line that is not a record and one of `CLASSES`.
    """
    path = folder / REFERENCE_FILE
    try:
        rows = list(csv.reader(path.read_text(encoding="ascii").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read; copy it again.") from error
    for row in rows:
        if len(row) != 2 or row[1] not in CLASSES:
            raise DataError(f"{path} has the line {','.join(row)[:60]!r}; expected a record and one of N A O ~.")
    return dict(rows)


def read_cinc2017(folder: Path) -> Iterator[LabelledRecording]:
    """Read the records, one at a time, in the order of their names.

    The label is the class of the whole recording, one of `CLASSES`; beats are not labelled. Whose a recording is, is
    not published: each counts as a patient.

    Raises
    ------
    DataError
        As `read_classes`, or if a record is missing or cannot be read.
    """
    labels = read_classes(folder)
    check_records(folder, sorted(labels), [".hea"], f"its {REFERENCE_FILE}", NAME)
    for name in sorted(labels):
        recording = read(folder / f"{name}.hea")
        yield LabelledRecording(NAME, name, patient_of(NAME, name), recording.duration_s, recording, label=labels[name])
