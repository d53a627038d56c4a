"""EDF files, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

RATE = 250
MILLIVOLT = np.sin(np.arange(20 * RATE) / 20)
"""One lead of 20 s."""


def edf(
    path: Path,
    leads: Sequence[np.ndarray] = (MILLIVOLT,),
    labels: Sequence[str] = ("ECG",),
    units: Sequence[bytes] = (b"mV",),
    *,
    rate: int = RATE,
    limits: tuple[bytes, bytes] = (b"-10", b"10"),
    digital: tuple[int, int] = (-32768, 32767),
    start: bytes = b"01.02.2410.20.30",
    recording: bytes = b"",
    records: bytes | None = None,
    duration: bytes = b"1",
    reserved: bytes = b"",
    onsets: Sequence[bytes] | None = None,
    bdf: bool = False,
) -> Path:
    """Write a file byte for byte, in data records of one second; `onsets` of each make it one of EDF+."""
    size = 3 if bdf else 2
    counts = len(leads[0]) // rate
    marks = 40
    labelled = [label.encode("latin-1") for label in labels]
    signals = len(leads) + (onsets is not None)
    header = [b"\xffBIOSEMI" if bdf else b"0       ", b" " * 80, recording.ljust(80), start.ljust(16)]
    header += [str(256 * (signals + 1)).encode().ljust(8), reserved.ljust(44)]
    header += [(records or str(counts).encode()).ljust(8), duration.ljust(8), str(signals).encode().ljust(4)]
    fields: list[tuple[int, list[bytes], bytes]] = [
        (16, labelled, b"BDF Annotations" if bdf else b"EDF Annotations"),
        (80, [b""] * len(leads), b""),
        (8, list(units), b""),
        (8, [limits[0]] * len(leads), b"-1"),
        (8, [limits[1]] * len(leads), b"1"),
        (8, [str(digital[0]).encode()] * len(leads), b"-32768"),
        (8, [str(digital[1]).encode()] * len(leads), b"32767"),
        (80, [b""] * len(leads), b""),
        (8, [str(rate).encode()] * len(leads), str(marks).encode()),
        (32, [b""] * len(leads), b""),
    ]
    for width, values, of_annotations in fields:
        values = values + [of_annotations] * (onsets is not None)
        header += [value.ljust(width)[:width] for value in values]
    step = (float(limits[1].replace(b",", b".")) - float(limits[0].replace(b",", b"."))) / (digital[1] - digital[0])
    body = []
    for record in range(counts):
        for lead in leads:
            values = lead[record * rate : (record + 1) * rate]
            stored = np.rint(digital[1] + (values - float(limits[1].replace(b",", b"."))) / step).astype("<i4")
            body.append(stored.view(np.uint8).reshape(-1, 4)[:, :size].tobytes())
        if onsets is not None:
            body.append((onsets[record] + b"\x14\x14\0").ljust(marks * size, b"\0"))
    path.write_bytes(b"".join([*header, *body]))
    return path
