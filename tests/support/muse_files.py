"""Documents of GE MUSE."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np

COUNTS = np.rint(200 * np.sin(np.arange(500)[:, None] / [9, 14, 20])).astype("<i2")
NAMES = ("I", "II", "V1")


def lead(name: str, counts: np.ndarray, **changes: str) -> str:
    content = counts.tobytes()
    fields = {
        "LeadSampleCountTotal": str(len(counts)),
        "LeadAmplitudeUnitsPerBit": "4.88",
        "LeadAmplitudeUnits": "MICROVOLTS",
        "LeadID": name,
        "FirstSampleBaseline": "0",
        "LeadSampleSize": "2",
        "LeadOff": "FALSE",
        "LeadDataCRC32": str(zlib.crc32(content)),
        "WaveFormData": f"\n{base64.encodebytes(content).decode()}",
        **changes,
    }
    return "<LeadData>" + "".join(f"<{tag}>{text}</{tag}>" for tag, text in fields.items()) + "</LeadData>"


def waveform(leads: str, kind: str = "Rhythm", base: str = "500", exponent: str = "0") -> str:
    return (
        f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{base}</SampleBase>"
        f"<SampleExponent>{exponent}</SampleExponent>{leads}</Waveform>"
    )


LEADS = "".join(lead(name, column) for name, column in zip(NAMES, COUNTS.T, strict=True))
HEAD = (
    "<PatientDemographics><PatientID>P-17</PatientID><PatientAge>56</PatientAge><AgeUnits>YEARS</AgeUnits>"
    "<DateofBirth>05-08-1953</DateofBirth><Gender>FEMALE</Gender><PatientLastName>&lt;b&gt;=Byron</PatientLastName>"
    "<PatientFirstName>Ada</PatientFirstName></PatientDemographics><TestDemographics>"
    "<AcquisitionDevice>MAC55</AcquisitionDevice><AcquisitionTime>07:30:15</AcquisitionTime>"
    "<AcquisitionDate>11-02-2009</AcquisitionDate></TestDemographics>"
)


def muse(path: Path, waveforms: str = waveform(LEADS), head: str = "", encoding: str = "UTF-8") -> Path:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{head}<RestingECG>{HEAD}{waveforms}</RestingECG>'
    path.write_bytes(text.encode(encoding))
    return path
