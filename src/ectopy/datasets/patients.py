"""Whose a record is: one name for each patient, across the databases that share recordings.

The QT Database has excerpts of other databases, and calls them after the original record, with ``sel`` before it:
``sel100`` is of the patient of record 100 of the MIT-BIH Arrhythmia Database. Source: Laguna P, Mark RG, Goldberger AL,
Moody GB. A database for evaluation of algorithms for measurement of QT and other waveform intervals in the ECG.
Computers in Cardiology 24:673-676 (1997), table 2.

Records 201 and 202 of the MIT-BIH Arrhythmia Database are of one patient (Moody and Mark, 2001). The 90 records of the
European ST-T Database are of 79 patients, and which belong together is not published: each counts as a patient here.
"""

from __future__ import annotations

import re

_SAME_PATIENT = {"mitdb/202": "mitdb/201"}
_SOURCES_OF_QTDB = {
    r"[12]\d\d": "mitdb",
    r"3\d\d": "stdb",
    r"8\d\d": "svdb",
    r"e\d{4}": "edb",
    r"1[45]\d{3}": "ltdb",
    r"16\d{3}|17453": "nsrdb",
}
"""Database of the original record, by its name: MIT-BIH Arrhythmia, MIT-BIH ST Change, MIT-BIH Supraventricular
Arrhythmia, European ST-T, MIT-BIH Long-Term and MIT-BIH Normal Sinus Rhythm. The others are new."""


def patient_of(database: str, record: str) -> str:
    """Name the patient of a record.

    Parameters
    ----------
    database : str
        Name of its folder, such as ``"qtdb"``.
    record : str

    Returns
    -------
    str
        Database and record of the patient's first recording.

    Examples
    --------
    >>> patient_of("qtdb", "sel223"), patient_of("mitdb", "202")
    ('mitdb/223', 'mitdb/201')
    """
    if database == "qtdb":
        original = record.removeprefix("sel")
        sources = (source for pattern, source in _SOURCES_OF_QTDB.items() if re.fullmatch(pattern, original))
        source = next(sources, None)
        database, record = (database, record) if source is None else (source, original)
    patient = f"{database}/{record}"
    return _SAME_PATIENT.get(patient, patient)
