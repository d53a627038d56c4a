"""QT Database 1.0.0: 105 excerpts of 15 minutes, two leads at 250 Hz, of which 82 have labels of beats.

Laguna P, Mark RG, Goldberger AL, Moody GB. A database for evaluation of algorithms for measurement of QT and other
waveform intervals in the ECG. Computers in Cardiology 24:673-676 (1997). From PhysioNet,
https://doi.org/10.13026/C24K53, under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ectopy.datasets.labelled_recording import LabelledRecording
from ectopy.formats import read

NAME = "qtdb"


def qtdb_records(folder: Path) -> tuple[str, ...]:
    """Names of the records in a folder that have labels of beats, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.atr")))


def read_qtdb(folder: Path) -> Iterator[LabelledRecording]:
    """Read the records that have labels of beats, one at a time.

    Ten headers state a gain of 0, which is none: those of the records from the MIT-BIH Long-Term Database and of six
    from the MIT-BIH Supraventricular Arrhythmia Database. Their samples are read in mV with 200 steps in each, as most
    other headers of the database state.
    """
    for name in qtdb_records(folder):
        yield LabelledRecording.of(NAME, name, read(folder / name, unit="mV"))
