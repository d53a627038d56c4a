"""The rule book of waves: what a sustained change of the ST segment and a long QTc are.

ST episodes follow the strictest protocol of the Long-Term ST Database: the level deviates from the patient's own by at
least 0.1 mV for at least 60 s; the episode begins and ends where the deviation passes 0.05 mV. The level is taken 80 ms
after the J point, and 60 ms above 120 beats per minute. Jager F, Taddei A, Moody GB, et al. Long-term ST database: a
reference for the development and evaluation of automated ischaemia detectors and for the study of the dynamics of
myocardial ischaemia. Medical and Biological Engineering and Computing 41:172-182 (2003), doi:10.1007/BF02344885.

A QTc of 450 ms in men and 460 ms in women is long: Rautaharju PM, Surawicz B, Gettes LS. AHA/ACCF/HRS recommendations
for the standardization and interpretation of the electrocardiogram, part IV. Journal of the American College of
Cardiology 53:982-991 (2009), doi:10.1016/j.jacc.2008.12.014. The same document prefers linear formulas to Bazett's, and
advises against a correction in atrial fibrillation and against these limits where QRS is wide. Above 500 ms it is
very long whoever has it: Drew BJ, Ackerman MJ, Funk M, et al. Prevention of torsade de pointes in hospital settings.
Circulation 121:1047-1060 (2010), doi:10.1161/CIRCULATIONAHA.109.192704.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

ST_MV = 0.1
ST_STILL_MV = 0.05
"""An ST episode reaches the first, and goes on above the second."""
ST_LEAST_S = 60.0
"""Time for which it reaches the first, and between two episodes."""
MOST_QRS_CHANGE = 0.4
"""Where the QRS complex differs more from the usual one, conduction or the axis has changed, and ST is not judged."""
FAST_BPM = 120.0
"""Above this rate, the level of the ST segment is that 60 ms after the J point, and 80 ms otherwise."""
REFERENCE_S = 7200.0
"""The patient's own level is the median of the time from so long before until so long after."""

QTC_MALE_MS, QTC_FEMALE_MS, QTC_VERY_LONG_MS = 450.0, 460.0, 500.0
QTC_LEAST_S, QTC_CLEAR_MS = 300.0, 10.0
"""Time for which a QTc is long, and how far below its limit it must be before it is no longer long."""
WIDE_QRS_MS = 120.0
"""With a wider QRS complex, only the limit for everybody counts."""


class WaveKind(StrEnum):
    """Kinds of events, the most serious first; the value is the name in results."""

    ST_ELEVATION = "ST elevation"
    ST_DEPRESSION = "ST depression"
    LONG_QTC = "long QTc"


WAVE_TITLES: Mapping[WaveKind, str] = MappingProxyType(
    {
        WaveKind.ST_ELEVATION: "Sustained ST elevation",
        WaveKind.ST_DEPRESSION: "Sustained ST depression",
        WaveKind.LONG_QTC: "Long QTc",
    }
)
"""Each kind as a heading."""


def qtc_limit_ms(sex: str) -> float:
    """Return from where on the QTc of a male or female patient is long; that of women where the sex is not known."""
    return QTC_MALE_MS if sex == "male" else QTC_FEMALE_MS
