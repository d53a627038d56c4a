"""Sends the ECG of a Polar H10 chest strap to Ectopy, over Bluetooth.

    pip install "ectopy[service]" bleak
    python polar_h10.py --url http://127.0.0.1:8765 --key ectopy_... --patient "bed 3"

Wet the strap and put it on first: it is asleep otherwise. Without a strap at hand, ``--simulate`` makes the same frames
from a simulated ECG.

The strap sends 130 samples a second in frames of 73. Frames that are lost on the way show in the time of the next frame,
and are sent as missing samples. Not a cleared medical device.

Source: Polar Measurement Data specification, frame type 0 of ECG.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ectopy.client import Client
from ectopy.client.client import Stream
from ectopy.datasets import simulate_recording

if TYPE_CHECKING:
    from bleak import BLEDevice

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
RATE_HZ = 130
LEADS = ("chest",)

# Start; ECG; sampling rate, one value, 130; resolution, one value, 14 bits.
START = bytes([0x02, 0x00, 0x00, 0x01, RATE_HZ, 0x00, 0x01, 0x01, 0x0E, 0x00])
STOP = bytes([0x03, 0x00])

_ECG, _UNCOMPRESSED = 0x00, 0x00
_HEADER = struct.Struct("<BQB")
_SAMPLE_BYTES = 3
_FRAME_SAMPLES = 73
_LONGEST_GAP_S = 30.0


@dataclass(frozen=True)
class Frame:
    """A frame of the strap: samples in microvolt, and the time of the last one by its clock, in nanoseconds."""

    last_ns: int
    microvolt: NDArray[np.int32]


def parse(content: bytes) -> Frame | None:
    """Parse a frame of ECG; None if it is something else."""
    if len(content) < _HEADER.size:
        return None
    kind, last_ns, form = _HEADER.unpack_from(content)
    body = np.frombuffer(content, np.uint8, offset=_HEADER.size)
    if kind != _ECG or form != _UNCOMPRESSED or len(body) % _SAMPLE_BYTES:
        return None
    low, middle, high = body.reshape(-1, _SAMPLE_BYTES).T.astype(np.int32)
    unsigned = low | middle << 8 | high << 16
    return Frame(last_ns, np.where(unsigned < 1 << 23, unsigned, unsigned - (1 << 24)).astype(np.int32))


def pack(frame: Frame) -> bytes:
    """Pack a frame into bytes as the strap does."""
    body = (frame.microvolt[:, None] >> np.array([0, 8, 16])).astype(np.uint8)
    return _HEADER.pack(_ECG, frame.last_ns, _UNCOMPRESSED) + body.tobytes()


def missing(before: Frame | None, frame: Frame) -> int:
    """Count the samples that were lost between two frames."""
    if before is None:
        return 0
    elapsed = round((frame.last_ns - before.last_ns) * RATE_HZ / 1e9)
    missing_samples = elapsed - len(frame.microvolt)
    # The clock of the strap differs a little from its rate; a long jump means that the clock was set.
    return missing_samples if _FRAME_SAMPLES // 2 < missing_samples <= _LONGEST_GAP_S * RATE_HZ else 0


async def find() -> BLEDevice:
    """Find a Polar H10 that is near."""
    from bleak import BleakScanner

    device = await BleakScanner.find_device_by_filter(lambda device, _: (device.name or "").startswith("Polar H10"))
    if device is None:
        raise SystemExit("No Polar H10 is near; wet the strap, put it on, and end other apps that use it.")
    return device


async def strap(device: BLEDevice) -> AsyncIterator[bytes]:
    """Yield the frames of a strap."""
    from bleak import BleakClient

    frames: asyncio.Queue[bytes | None] = asyncio.Queue()
    async with BleakClient(device, disconnected_callback=lambda _: frames.put_nowait(None)) as link:
        await link.start_notify(DATA, lambda _, content: frames.put_nowait(bytes(content)))
        await link.write_gatt_char(CONTROL, START, response=True)
        while (content := await frames.get()) is not None:
            yield content


async def simulated(seconds: float, pace: float = 1.0) -> AsyncIterator[bytes]:
    """Yield frames as a strap would send them, from a simulated ECG."""
    signal = simulate_recording(seconds, sampling_rate_hz=RATE_HZ, leads=1, ectopic={"V": 0.02}).signal[:, 0]
    for end in range(_FRAME_SAMPLES, len(signal) + 1, _FRAME_SAMPLES):
        await asyncio.sleep(_FRAME_SAMPLES / RATE_HZ / pace)
        microvolt = np.round(1000 * signal[end - _FRAME_SAMPLES : end]).astype(np.int32)
        yield pack(Frame(round(end / RATE_HZ * 1e9), microvolt))


async def forward(frames: AsyncIterator[bytes], stream: Stream) -> int:
    """Forward frames; return the number of samples."""
    before: Frame | None = None
    total = 0
    async for content in frames:
        frame = parse(content)
        if frame is None:
            continue
        samples = np.concatenate([np.full(missing(before, frame), np.nan), frame.microvolt])
        await asyncio.to_thread(stream.send, samples)
        before, total = frame, total + len(samples)
    return total


async def main() -> None:
    """Send until the strap is gone."""
    parser = argparse.ArgumentParser(description="Sends the ECG of a Polar H10 to Ectopy.")
    parser.add_argument("--url", default=os.environ.get("ECTOPY_URL", "http://127.0.0.1:8765"))
    parser.add_argument("--key", default=os.environ.get("ECTOPY_KEY"))
    parser.add_argument("--patient", default="polar")
    parser.add_argument(
        "--simulate", type=float, nargs="?", const=300.0, metavar="SECONDS", help="a simulated ECG instead of a strap"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="speed of the simulated ECG, times real time")
    arguments = parser.parse_args()
    if not arguments.key:
        parser.error("give the key that 'ectopy serve' has shown: --key, or ECTOPY_KEY")
    if arguments.simulate is None:
        polar = await find()
        frames, device = strap(polar), polar.address
    else:
        frames, device = simulated(arguments.simulate, arguments.pace), "simulated strap"
    with Client(arguments.url, arguments.key) as client:
        client.admit(arguments.patient)
        with client.stream(arguments.patient, RATE_HZ, LEADS, unit="uV", device=device) as stream:
            print(f"Sending to {arguments.url} as {arguments.patient}; end with Ctrl+C.")
            samples = await forward(frames, stream)
    print(f"{samples / RATE_HZ:.0f} s were sent and are stored.")


if __name__ == "__main__":
    asyncio.run(main())
