"""ISHNE files, block by block."""

from __future__ import annotations

import binascii
import struct
from pathlib import Path

import numpy as np

COUNTS = np.random.default_rng(0).integers(-2000, 2000, (500, 3))
"""Two seconds of three leads at 250 Hz."""


def ishne(
    path: Path,
    counts: np.ndarray = COUNTS,
    *,
    magic: bytes = b"ISHNE1.0",
    samples: int | None = None,
    variable: bytes = b"",
    data_at: int | None = None,
    first_name: bytes = b"Ada",
    sex: int = 2,
    birth: tuple[int, int, int] = (8, 5, 1953),
    day: tuple[int, int, int] = (2, 11, 2009),
    leads: tuple[int, ...] = (6, 8, 11),
    count: int | None = None,
    qualities: tuple[int, ...] = (1, 1, 1),
    resolutions: tuple[int, ...] = (5000, 2500, 1000),
    pacemaker: int = 0,
    rate: int = 250,
    checksum: int | None = None,
    body: bytes | None = None,
) -> Path:
    """Write a file as section 2 of the paper lays it out: magic, checksum, fixed block, variable block, samples."""
    fill = [-9] * 12
    fixed = b"".join(
        [
            struct.pack("<i", len(variable)),
            struct.pack("<i", len(counts) if samples is None else samples),
            struct.pack("<i", 522),
            struct.pack("<i", 522 + len(variable) if data_at is None else data_at),
            struct.pack("<h", 1),
            first_name.ljust(40, b"\0"),
            b"Byron".ljust(40, b"\0"),
            b"P-17".ljust(20, b"\0"),
            struct.pack("<hh", sex, 0),
            struct.pack("<3h3h3h3h", *birth, *day, 3, 11, 2009, 7, 30, 15),
            struct.pack("<h", len(leads) if count is None else count),
            *(struct.pack("<12h", *[*values, *fill][:12]) for values in (leads, qualities, resolutions)),
            struct.pack("<h", pacemaker),
            b"digital".ljust(40, b"\0"),
            struct.pack("<H", rate),
            b"Recorder X".ljust(80, b"\0"),
            bytes(80),
            bytes(88),
        ]
    )
    assert len(fixed) == 512
    header = fixed + variable
    crc = binascii.crc_hqx(header, 0xFFFF) if checksum is None else checksum
    content = np.asarray(counts).astype("<i2").tobytes() if body is None else body
    path.write_bytes(magic + struct.pack("<H", crc) + header + content)
    return path
