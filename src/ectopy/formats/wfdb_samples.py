"""Samples as the data files of WFDB records store them.

Source: https://physionet.org/physiotools/wag/signal-5.htm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError, MissingExtraError

Digital = NDArray[np.int32]
_Bytes = NDArray[np.uint8]


class _Storage(NamedTuple):
    """A storage format: so many `samples` are packed into a group of `size` bytes; the value `invalid` is not a sample.

    `cut` says how many samples the first bytes of a group hold, by their number.
    """

    samples: int
    size: int
    invalid: int | None
    unpack: Callable[[_Bytes], NDArray[Any]]
    cut: tuple[int, ...] = (0, 0, 0, 0)


def _unpack_24(content: _Bytes) -> NDArray[Any]:
    low, middle, high = content.reshape(-1, 3).T.astype(np.int32)
    return _signed(low | middle << 8 | high << 16, 24)


def _unpack_212(content: _Bytes) -> NDArray[Any]:
    # The middle byte holds the high bits of both: of the first sample in its low half, of the second in its high half.
    first, middle, second = content.reshape(-1, 3).T.astype(np.int32)
    return _signed(np.stack([first | (middle & 0x0F) << 8, second | (middle & 0xF0) << 4], axis=1), 12)


def _unpack_310(content: _Bytes) -> NDArray[Any]:
    # Two words of 16 bits: each has ten bits of a sample above its lowest bit, and half of the third sample above them.
    first, second = content.view("<u2").reshape(-1, 2).T.astype(np.int32)
    return _signed(np.stack([first >> 1 & 0x3FF, second >> 1 & 0x3FF, first >> 11 | second >> 11 << 5], axis=1), 10)


def _unpack_311(content: _Bytes) -> NDArray[Any]:
    word = content.view("<u4").astype(np.int64)
    return _signed(np.stack([word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF], axis=1), 10)


def _signed(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Two's complement of so many bits."""
    sign = 1 << (bits - 1)
    return (values ^ sign) - sign


_DIFFERENCES = "8"
_FLAC = {"508": 8, "516": 16, "524": 24}
"""Bits of a sample, at most, in the formats that are compressed."""
_FLAC_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_STORED = {
    _DIFFERENCES: _Storage(1, 1, None, lambda content: content.view(np.int8)),
    "16": _Storage(1, 2, -(2**15), lambda content: content.view("<i2")),
    "24": _Storage(1, 3, -(2**23), _unpack_24),
    "32": _Storage(1, 4, -(2**31), lambda content: content.view("<i4")),
    "61": _Storage(1, 2, -(2**15), lambda content: content.view(">i2")),
    "80": _Storage(1, 1, -(2**7), lambda content: content.astype(np.int16) - 2**7),
    "160": _Storage(1, 2, -(2**15), lambda content: content.view("<u2").astype(np.int32) - 2**15),
    "212": _Storage(2, 3, -(2**11), _unpack_212, (0, 0, 1)),
    "310": _Storage(3, 4, -(2**9), _unpack_310, (0, 0, 1, 1)),
    "311": _Storage(3, 4, -(2**9), _unpack_311, (0, 0, 1, 2)),
}
_MOST_COMPRESSED_VALUES, _MOST_VALUES_IN_BYTE = 2**24, 100
"""A compressed file may hold so many values, and more if it is large itself; an ECG has one or two in a byte."""
NULL = "0"
"""Format of a signal without samples."""
FORMATS = (NULL, *_STORED, *_FLAC)
"""Every storage format."""


def invalid_sample(storage: str) -> int | None:
    """Value that says that there is no sample, if the format has one."""
    return -(2 ** (_FLAC[storage] - 1)) if storage in _FLAC else _STORED[storage].invalid


class DataFile(NamedTuple):
    """A file of samples, in a `storage` format of WFDB.

    Before the first frame are `offset` bytes, or samples of a compressed file. A frame has `per_frame` samples of each
    of its signals; `initial` is the sample of each before the first, where differences are stored.
    """

    path: Path
    storage: str
    offset: int
    per_frame: tuple[int, ...]
    initial: tuple[int, ...]

    @property
    def frame_values(self) -> int:
        """Samples of all signals in one frame."""
        return sum(self.per_frame)

    def frames(self) -> int:
        """Number of whole frames in it.

        A `DataError` if it is compressed in a way that cannot be read, or more than an ECG can be.
        """
        if self.storage in _FLAC:
            with _open_flac(self) as file:
                frames = max(int(file.frames) - self.offset, 0) // self.per_frame[0]
            if frames * self.frame_values > max(
                _MOST_COMPRESSED_VALUES, _MOST_VALUES_IN_BYTE * self.path.stat().st_size
            ):
                raise DataError(f"{self.path} is compressed more than an ECG can be; expected one.")
            return frames
        stored = _STORED[self.storage]
        groups, rest = divmod(max(self.path.stat().st_size - self.offset, 0), stored.size)
        return (groups * stored.samples + stored.cut[rest]) // self.frame_values

    def read(self, begin: int, end: int, before: Sequence[int] | None = None) -> list[Digital]:
        """Read frames from `begin` to before `end`, which must be there, as int32 samples of each signal.

        `before` is the sample of each signal before these frames, where differences are stored; by default the initial
        ones. A `DataError` if the file is compressed in a way that cannot be read.
        """
        if self.storage in _FLAC:
            return self._read_flac(begin, end)
        frames = self._unpack(begin * self.frame_values, end * self.frame_values).reshape(-1, self.frame_values)
        edges = np.cumsum((0, *self.per_frame))
        signals = [frames[:, low:high].ravel() for low, high in pairwise(edges)]
        if self.storage == _DIFFERENCES:
            levels = self.initial if before is None else before
            signals = [level + signal.cumsum() for level, signal in zip(levels, signals, strict=True)]
        return [signal.astype(np.int32, copy=False) for signal in signals]

    def _unpack(self, begin: int, end: int) -> NDArray[Any]:
        """Samples of all signals as they follow each other; only whole groups can be unpacked."""
        stored = _STORED[self.storage]
        first, last = begin // stored.samples, -(-end // stored.samples)
        size = (last - first) * stored.size
        content = np.fromfile(self.path, np.uint8, size, offset=self.offset + first * stored.size)
        content = np.concatenate([content, np.zeros(size - len(content), np.uint8)]) if len(content) < size else content
        return stored.unpack(content).ravel()[begin - first * stored.samples :][: end - begin]

    def _read_flac(self, begin: int, end: int) -> list[Digital]:
        per_frame = self.per_frame[0]
        parts = []
        remaining = (end - begin) * per_frame
        with _open_flac(self) as file:
            # Samples come in the highest bits.
            shift = 32 - _FLAC_BITS[file.subtype]
            file.seek(begin * per_frame + self.offset)
            while remaining:
                # libsndfile cannot read more than 2**24 values at once.
                part = file.read(min(remaining, 2**20), "int32", always_2d=True)
                if not len(part):
                    raise DataError(f"{self.path} ends before its last frame; copy the record again.")
                remaining -= len(part)
                parts.append(part)
        samples = np.concatenate(parts) >> shift
        return [samples[:, signal].copy() for signal in range(len(self.per_frame))]


def _open_flac(data: DataFile) -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError.of("formats", "reading compressed WFDB records") from error
    damaged = f"{data.path} is not the compressed file of {len(data.per_frame)} signals that its header describes."
    try:
        file = soundfile.SoundFile(data.path)
    except soundfile.LibsndfileError as error:
        raise DataError(damaged) from error
    described = (file.format, file.channels, len(set(data.per_frame))) == ("FLAC", len(data.per_frame), 1)
    if not described or _FLAC_BITS.get(file.subtype, 99) > _FLAC[data.storage]:
        file.close()
        raise DataError(damaged)
    return file
