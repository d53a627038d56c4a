"""Frames for viewers: signals as bytes, beats and summaries as JSON.

Bytes are one frame or several of them, back to back. A frame is the length of its header as little-endian uint32, the
header as JSON, filled up with blanks so that both together are a multiple of four bytes, and int16 samples, lead after
lead for each sample, filled up with zeros in the same way. Header::

    {"patient": "bed 3", "stream": "", "position": 15000, "time": 1767225600.0, "rate_hz": 250.0,
     "leads": ["MLII", "V1"], "samples": 125, "microvolt_per_count": 5.0}

-32768 stands for a missing sample. Where there are pulse waves, the header has them too, with little-endian float32 in
base64, where NaN stands for a missing sample::

    "pulses": [{"name": "PLETH", "unit": "NU", "rate_hz": 125.0, "position": 7500, "samples": "zczMPc3MTD4="}]

Text is a JSON list of objects, each with a ``type``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ectopy.client.protocol import counts
from ectopy.formats.leads import millivolt
from ectopy.service.live.feed import Frame
from ectopy.service.live.live_samples import LiveSamples

MICROVOLT_PER_COUNT = 5.0


def signal_frame(live: LiveSamples) -> bytes:
    """Encode samples with their time."""
    chunk = live.chunk
    head: dict[str, object] = {
        "patient": live.patient,
        "stream": chunk.stream,
        "position": chunk.position,
        "time": live.time,
        "rate_hz": chunk.sampling_rate_hz,
        "leads": chunk.leads,
        "samples": len(chunk.signal),
        "microvolt_per_count": MICROVOLT_PER_COUNT,
    }
    if chunk.pulses:
        head["pulses"] = [
            {
                "name": pulse.name,
                "unit": pulse.unit,
                "rate_hz": pulse.sampling_rate_hz,
                "position": pulse.position,
                "samples": pulse.samples.astype("<f4", copy=False).tobytes(),  # which JSON has in base64
            }
            for pulse in chunk.pulses
        ]
    header = msgspec.json.encode(head)
    header += b" " * (-len(header) % 4)
    scale = (millivolt(chunk.unit) or np.nan) * 1000.0 / MICROVOLT_PER_COUNT
    samples = counts(chunk.signal, scale).tobytes()
    return b"".join((struct.pack("<I", len(header)), header, samples, bytes(-len(samples) % 4)))


def text_frame(kind: str, content: Mapping[str, object]) -> str:
    """Encode an object with its type."""
    return msgspec.json.encode({"type": kind, **content}).decode()


def together(frames: Sequence[Frame]) -> tuple[bytes, str]:
    """Join frames to one message of bytes and one of text; empty where there are no frames of that form."""
    signals = b"".join(frame for frame in frames if isinstance(frame, bytes))
    texts = [frame for frame in frames if isinstance(frame, str)]
    return signals, f"[{','.join(texts)}]" if texts else ""
