"""Files of recordings, good and bad ones."""

from __future__ import annotations

import io

import numpy as np

from ectopy.datasets import simulate_recording
from ectopy.service.recordings import Upload

RATE_HZ = 250.0
BAD = {
    "empty file": ({"a.edf": b""}, "empty"),
    "nonsense in EDF": ({"a.edf": bytes(range(256)) * 40}, "."),
    "nonsense in WFDB": ({"a.hea": b"\xff\xfe" * 300, "a.dat": b"\0"}, "."),
    "a header that leaves the folder": (
        {"a.hea": b"a 1 250 100\n../../../etc/passwd 16 200 16 0 0 0 0 I\n", "a.dat": b"\0"},
        ".",
    ),
    "a header with an absolute path": (
        {"a.hea": b"a 1 250 100\n/etc/passwd 16 200 16 0 0 0 0 I\n", "a.dat": b"\0"},
        ".",
    ),
    "a segment that leaves the folder": ({"a.hea": b"a/2 1 250 200\n../b 100\n../c 100\n", "a.dat": b"\0"}, "."),
    "a header without its data": (
        {"a.hea": b"a 1 250 100\na.dat 16 200 16 0 0 0 0 I\n", "b.dat": b"\0"},
        "not beside it",
    ),
    "a header that promises too much": (
        {"a.hea": b"a 1 250 99999999999\na.dat 16 200 16 0 0 0 0 I\n", "a.dat": b"\0\0"},
        "split it",
    ),
    "pickle": ({"a.npy": b"\x93NUMPY\x01\0\x16\0{'descr':'|O','fortran_order':False,'shape':(1,)}"}, "."),
    "no unit": ({"a.csv": b"MLII\n0.1\n0.2\n"}, "states no unit"),
}
NO_NAMES = ("", "mitdb", "mitdb/", "mitdb/1", "mitdb/../../etc", "mitdb/101/../101", "mitdb/101\0", "/etc/passwd", "..")


def csv(seconds: float = 60.0, **settings: object) -> bytes:
    signal = simulate_recording(seconds, **settings).signal
    text = io.BytesIO(b"")
    np.savetxt(text, signal, "%.3f", ",", header="MLII,V1", comments="")
    return text.getvalue()


def upload(name: str, content: bytes) -> Upload:
    """A file that is uploaded."""
    return Upload(name, io.BytesIO(content))
