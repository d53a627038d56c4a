"""Sends the ECG of a Polar H10 chest strap to Ectopy, over Bluetooth.

    pip install "ectopy[service]" bleak
    python polar_h10.py --url http://127.0.0.1:8765 --key ectopy_... --patient "bed 3"

Wet the strap and put it on first: it is asleep otherwise. Without a strap at hand, ``--simulate`` makes the same frames
out of a drawn ECG.

The strap sends 130 samples a second in frames of 73. What is lost on the way is noticed by the time in the next frame,
and sent on as samples that are not there. Not a cleared medical device.

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
    """What the strap sends at a time: samples in microvolt, and when the last one was, by its clock, in nanoseconds."""

    last_ns: int
    microvolt: NDArray[np.int32]


def parse(content: bytes) -> Frame | None:
    """A frame of ECG; None where it is something else."""
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
    """The bytes of a frame, as the strap would send it."""
    body = (frame.microvolt[:, None] >> np.array([0, 8, 16])).astype(np.uint8)
    return _HEADER.pack(_ECG, frame.last_ns, _UNCOMPRESSED) + body.tobytes()


def missing(before: Frame | None, frame: Frame) -> int:
    """How many samples were lost between two frames."""
    if before is None:
        return 0
    elapsed = round((frame.last_ns - before.last_ns) * RATE_HZ / 1e9)
    lost = elapsed - len(frame.microvolt)
    # The clock of the strap is a little off its rate; and where it was set, nothing can be said.
    return lost if _FRAME_SAMPLES // 2 < lost <= _LONGEST_GAP_S * RATE_HZ else 0


async def find() -> BLEDevice:
    """The first Polar H10 that is near."""
    from bleak import BleakScanner

    device = await BleakScanner.find_device_by_filter(lambda found, _: (found.name or "").startswith("Polar H10"))
    if device is None:
        raise SystemExit("No Polar H10 is near; wet the strap, put it on, and end other apps that use it.")
    return device


async def strap(device: BLEDevice) -> AsyncIterator[bytes]:
    """Frames of a strap."""
    from bleak import BleakClient

    frames: asyncio.Queue[bytes | None] = asyncio.Queue()
    async with BleakClient(device, disconnected_callback=lambda _: frames.put_nowait(None)) as link:
        await link.start_notify(DATA, lambda _, content: frames.put_nowait(bytes(content)))
        await link.write_gatt_char(CONTROL, START, response=True)
        while (content := await frames.get()) is not None:
            yield content


async def simulated(seconds: float, pace: float = 1.0) -> AsyncIterator[bytes]:
    """Frames as a strap would send them, from a drawn ECG."""
    signal = simulate_recording(seconds, sampling_rate_hz=RATE_HZ, leads=1, ectopic={"V": 0.02}).signal[:, 0]
    for end in range(_FRAME_SAMPLES, len(signal) + 1, _FRAME_SAMPLES):
        await asyncio.sleep(_FRAME_SAMPLES / RATE_HZ / pace)
        microvolt = np.round(1000 * signal[end - _FRAME_SAMPLES : end]).astype(np.int32)
        yield pack(Frame(round(end / RATE_HZ * 1e9), microvolt))


async def forward(frames: AsyncIterator[bytes], stream: Stream) -> int:
    """Send frames on; how many samples that were."""
    before: Frame | None = None
    sent = 0
    async for content in frames:
        frame = parse(content)
        if frame is None:
            continue
        samples = np.concatenate([np.full(missing(before, frame), np.nan), frame.microvolt])
        await asyncio.to_thread(stream.send, samples)
        before, sent = frame, sent + len(samples)
    return sent


async def main() -> None:
    """Send until the strap is gone."""
    parser = argparse.ArgumentParser(description="Sends the ECG of a Polar H10 to Ectopy.")
    parser.add_argument("--url", default=os.environ.get("ECTOPY_URL", "http://127.0.0.1:8765"))
    parser.add_argument("--key", default=os.environ.get("ECTOPY_KEY"))
    parser.add_argument("--patient", default="polar")
    parser.add_argument(
        "--simulate", type=float, nargs="?", const=300.0, metavar="SECONDS", help="a drawn ECG, where there is no strap"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="of a drawn ECG: so many times its speed")
    given = parser.parse_args()
    if not given.key:
        parser.error("give the key that 'ectopy serve' has shown: --key, or ECTOPY_KEY")
    if given.simulate is None:
        found = await find()
        frames, device = strap(found), found.address
    else:
        frames, device = simulated(given.simulate, given.pace), "simulated strap"
    with Client(given.url, given.key) as client:
        client.admit(given.patient)
        with client.stream(given.patient, RATE_HZ, LEADS, unit="uV", device=device) as stream:
            print(f"Sending to {given.url} as {given.patient}; end with Ctrl+C.")
            sent = await forward(frames, stream)
    print(f"{sent / RATE_HZ:.0f} s were sent and are stored.")


if __name__ == "__main__":
    asyncio.run(main())
