"""Records of SCP-ECG, section by section."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

COUNTS = np.rint(300 * np.sin(np.arange(400)[:, None] / [9, 14])).astype(int)
"""0.8 s of two leads at 500 Hz."""
DEFAULT = struct.pack("<H", 19999)


def bits_of(value: int) -> str:
    """The code of a value in the default table, clause 5.5.6."""
    if abs(value) <= 8:
        return "0" if value == 0 else "1" * abs(value) + "0" + "01"[value < 0]
    if -128 <= value < 128:
        return "1" * 9 + "0" + f"{value % 256:08b}"
    return "1" * 10 + f"{value % 65536:016b}"


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def differences(values: np.ndarray, order: int) -> list[int]:
    """Clause 5.9.3: the first values as they are, then their differences."""
    rest = np.diff(values, n=order) if order else values[0:]
    return [*values[:order].tolist(), *rest.tolist()]


def coded(counts: np.ndarray, order: int) -> list[bytes]:
    return [packed("".join(bits_of(value) for value in differences(lead, order))) for lead in np.transpose(counts)]


def rhythm(content: Sequence[bytes], *, step_nv: int = 5000, us: int = 2000, order: int = 2, bimodal: int = 0) -> bytes:
    """Section 5 or 6: the step, the time between samples, the differences, and the leads."""
    lengths = struct.pack(f"<{len(content)}H", *map(len, content))
    return struct.pack("<HHBB", step_nv, us, order, bimodal) + lengths + b"".join(content)


def leads(*codes: int, samples: int = len(COUNTS), flags: int = 0b100, first: int = 1) -> bytes:
    """Section 3: number of leads, flags, and the first and last sample and the code of each."""
    spans = b"".join(struct.pack("<IIB", first, first + samples - 1, code) for code in codes)
    return bytes([len(codes), flags]) + spans


def tag(number: int, content: bytes) -> bytes:
    return struct.pack("<BH", number, len(content)) + content


PATIENT = b"".join(
    [
        tag(0, b"Byron\0"),
        tag(1, b"Ada\0"),
        tag(2, b"P-17\0"),
        tag(4, struct.pack("<HB", 30, 2)),
        tag(5, struct.pack("<HBB", 1953, 5, 8)),
        tag(8, b"\2"),
        tag(14, bytes(8) + b"CART7\0" + bytes(22) + b"1.0\0SN9\0\0\0Maker\0"),
        tag(25, struct.pack("<HBB", 2009, 11, 2)),
        tag(26, bytes([7, 30, 15])),
        tag(255, b""),
    ]
)


def scp(path: Path, sections: dict[int, bytes], mark: bytes = b"SCPECG") -> Path:
    """A record: checksum, length, section 0 with a pointer to each section, and the sections, clauses 5.2 and 5.3."""
    numbers = range(12)
    place = 7 + 16 + 10 * len(numbers)
    pointers, body = [struct.pack("<HII", 0, place - 7, 7)], b""
    for number in numbers[1:]:
        content = sections.get(number, b"")
        length = 16 + len(content) if content else 0
        pointers.append(struct.pack("<HII", number, length, place + len(body) if content else 0))
        body += section(number, content) if content else b""
    content = section(0, b"".join(pointers), mark) + body
    content = struct.pack("<I", 6 + len(content)) + content
    path.write_bytes(struct.pack("<H", binascii.crc_hqx(content, 0xFFFF)) + content)
    return path


def section(number: int, content: bytes, mark: bytes = bytes(6)) -> bytes:
    rest = struct.pack("<HIBB", number, 16 + len(content), 20, 20) + mark + content
    return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest


SECTIONS = {1: PATIENT, 2: DEFAULT, 3: leads(1, 61), 6: rhythm(coded(COUNTS, 2))}


def qrs(beats: Sequence[tuple[int, int, int, int]], zones: Sequence[tuple[int, int]] = (), fiducial: int = 20) -> bytes:
    """Section 4: length and fiducial point of the reference beat, the complexes, and the protected zones."""
    content = struct.pack("<HHH", 100, fiducial, len(beats))
    content += b"".join(struct.pack("<HIII", *beat) for beat in beats)
    return content + b"".join(struct.pack("<II", *zone) for zone in zones)


def with_checksums(content: bytes) -> bytes:
    """A record with the length and the checksums that belong to what it holds."""
    record = bytearray(content.ljust(143, b"\0"))
    struct.pack_into("<I", record, 2, len(record))
    for place in range(22, 142, 10):
        _, length, index = struct.unpack_from("<HII", record, place)
        if length >= 16 and 1 <= index <= len(record) - length + 1:
            checksum = binascii.crc_hqx(bytes(record[index + 1 : index - 1 + length]), 0xFFFF)
            struct.pack_into("<H", record, index - 1, checksum)
    struct.pack_into("<H", record, 0, binascii.crc_hqx(bytes(record[2:]), 0xFFFF))
    return bytes(record)
