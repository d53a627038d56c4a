"""MIT-BIH Arrhythmia Database 1.0.0: 48 half hours of two leads, in which every beat is annotated.

Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng in Med and Biol 20(3):45-50 (2001). From
PhysioNet, https://doi.org/10.13026/C2F305, under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ectopy.arguments import checked
from ectopy.datasets.checksums import MAX_MEMBER_BYTES
from ectopy.datasets.published import Published
from ectopy.errors import DataError, SettingError
from ectopy.formats import read
from ectopy.recording import Recording

MITDB_URL = "https://physionet.org/static/published-projects/mitdb/mit-bih-arrhythmia-database-1.0.0.zip"
MAX_ARCHIVE_BYTES = 256 * 2**20


def _records(*numbers: int) -> tuple[str, ...]:
    return tuple(map(str, numbers))


DS1 = _records(
    101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122, 124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230
)
"""Records for development, by de Chazal et al., IEEE Trans Biomed Eng 51(7):1196-1206 (2004)."""
DS2 = _records(
    100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210, 212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234
)
"""Records that are only ever scored, by the same; no patient is in both but the one of 201 and 202."""
PACED = _records(102, 104, 107, 217)
"""Records with paced beats, which are in neither."""
RECORDS = tuple(sorted(DS1 + DS2 + PACED))
"""All 48 records."""
SPLITS = {"ds1": DS1, "ds2": DS2}

SAMPLING_RATE_HZ = 360
LEADS = 2
SAMPLES = 650_000

SUFFIXES = (".hea", ".dat", ".atr")


@checked
def load_mitdb(record: str, folder: Path | None = None) -> Recording:
    """Load a record with its reference annotations.

    Parameters
    ----------
    record : str
        For example ``"101"``.
    folder : Path, optional
        Where it is; by default ``mitdb/`` in the folders of ``ECTOPY_DATA`` or in the user's cache.

    Returns
    -------
    Recording
        Shape (650000, 2), in mV at 360 Hz.

    Raises
    ------
    SettingError
        If the database has no such record.
    DatasetUnavailableError
        If the record is not on this machine.
    DataError
        If the copy on this machine is damaged or is not that record.
    """
    if record not in RECORDS:
        raise SettingError(
            f"the record {record!r} is unknown; the MIT-BIH Arrhythmia Database has {', '.join(RECORDS)}."
        )
    database = _database((record,))
    folder = folder or database.find()
    if folder is None:
        raise database.unavailable(f"record {record} is not on this machine")
    recording = read(folder / record)
    difference = _difference(recording)
    if difference:
        raise database.damaged(f"{folder / record} has {difference}")
    return recording


def find_mitdb(records: Sequence[str] = RECORDS) -> Path | None:
    """Folder on this machine that has the files of all these records; or None."""
    return _database(records).find()


@checked
def fetch_mitdb(*, url: str = MITDB_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of all 48 records is on this machine, downloading it if need be.

    The download, of 74 MB, appears in the cache whole and verified, or not at all. A damaged copy in the cache is
    replaced; one in a folder of ``ECTOPY_DATA`` is the user's and is left alone.

    Parameters, result and errors are those of `ectopy.datasets.fetch_ecg5000`.
    """
    return _database(RECORDS).fetch(url, progress)


def _database(records: Sequence[str]) -> Published:
    """The database, as far as these records go."""
    return Published.of_files(
        name="mitdb",
        title="the MIT-BIH Arrhythmia Database",
        files=tuple((f"{record}{suffix}",) for record in records for suffix in SUFFIXES),
        verify=partial(_verify, records),
        max_archive_bytes=MAX_ARCHIVE_BYTES,
        max_member_bytes=MAX_MEMBER_BYTES,
    )


def _verify(records: Sequence[str], folder: Path) -> None:
    for record in records:
        difference = _difference(read(folder / record))
        if difference:
            raise DataError(f"its record {record} has {difference}.")


def _difference(recording: Recording) -> str:
    """Return what a recording has that no record of the database has; empty if nothing."""
    shape, rate = recording.signal.shape, recording.sampling_rate_hz
    if shape == (SAMPLES, LEADS) and rate == SAMPLING_RATE_HZ and recording.annotations:
        return ""
    return (
        f"{shape[0]} samples of {shape[1]} leads at {rate:g} Hz and {len(recording.annotations or ())} annotations, "
        f"not {SAMPLES} of {LEADS} at {SAMPLING_RATE_HZ} Hz with annotations"
    )
