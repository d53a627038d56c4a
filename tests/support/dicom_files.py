"""DICOM data sets with waveforms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    TwelveLeadECGWaveformStorage,
    generate_uid,
)

COUNTS = np.rint(200 * np.sin(np.arange(500)[:, None] / [9, 14])).astype(int)


def item(**values: object) -> Dataset:
    result = Dataset()
    for name, value in values.items():
        setattr(result, name, value)
    return result


def channel(code: str, *, unit: str = "uV", scheme: str = "MDC", **changes: object) -> Dataset:
    values = {
        "ChannelSourceSequence": [item(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning="Lead X")],
        "ChannelSensitivity": "2.5",
        "ChannelSensitivityUnitsSequence": [item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)],
        "ChannelSensitivityCorrectionFactor": "2",
        "ChannelBaseline": "10",
        "WaveformBitsStored": 16,
        **changes,
    }
    return item(**values)


def group(counts: np.ndarray, channels: list[Dataset], *, kind: str = "<i2", **changes: object) -> Dataset:
    values = {
        "WaveformOriginality": "ORIGINAL",
        "NumberOfWaveformChannels": len(channels),
        "NumberOfWaveformSamples": len(counts),
        "SamplingFrequency": "500",
        "MultiplexGroupLabel": "RHYTHM",
        "ChannelDefinitionSequence": channels,
        "WaveformBitsAllocated": 16,
        "WaveformSampleInterpretation": "SS",
        "WaveformData": counts.astype(kind).tobytes(),
        **changes,
    }
    return item(**values)


LEADS = [channel("2:2"), channel("5.6.3-9-61", scheme="SCPECG")]


def dicom(path: Path, *groups: Dataset, syntax: str = ExplicitVRLittleEndian, **changes: object) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    values = {
        "SOPClassUID": TwelveLeadECGWaveformStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "AcquisitionDateTime": "20091102073015.5",
        "PatientName": "Byron^Ada",
        "PatientID": "P-17",
        "PatientSex": "F",
        "PatientBirthDate": "19530508",
        "PatientAge": "018M",
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Cart",
        **({"WaveformSequence": list(groups)} if groups else {}),
        **changes,
    }
    dataset = item(**values)
    dataset.file_meta = meta
    dataset.save_as(path, enforce_file_format=True)
    return path
