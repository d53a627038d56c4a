"""A small convolutional network that says where the waves of a beat begin, peak and end, computed with NumPy.

It takes a window around a beat in one lead and gives, for each of nine marks, how likely it lies at each of 126
positions, or that the beat does not have it. It is trained by `ectopy.training.train_waves`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.files import array_bytes, atomic_path, packed, read_array, unpacked
from ectopy.presentation import short_repr

MARKS = ("p_onset", "p_peak", "p_end", "qrs_onset", "qrs_peak", "qrs_end", "t_onset", "t_peak", "t_end")
"""The marks of a beat, in the order of the network's output."""

INPUTS = 3
"""Values of each sample, from `ectopy.signal.wave_delineation`."""
STRIDE = 2
SAMPLES = 252
POSITIONS = SAMPLES // STRIDE
"""Number of positions where a mark may lie, two samples apart."""
FIRST_LENGTH, LENGTH, DILATIONS = 11, 5, (1, 2, 4, 8)
"""Length of the first convolution, and length and dilations of the others."""

_FILE = files("ectopy") / "wave_network.npz"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WaveNetwork:
    """Weights of the network; c is the number of channels, k that of hidden values.

    Attributes
    ----------
    first, first_offset : ndarray of float32, shape (11, 3, c) and (c,)
        Convolution of the window with a stride of 2.
    dilated, dilated_offsets : ndarray of float32, shape (4, 5, c, c) and (4, c)
        Convolutions with the dilations 1, 2, 4 and 8; each adds to its input.
    marks, prior : ndarray of float32, shape (c, 9) and (126, 9)
        Logits of the positions of each mark, and what the position alone says.
    hidden, hidden_offset, absent, absent_offset : ndarray of float32, shape (2 c, k), (k,), (k, 9) and (9,)
        Logits of the absence of each mark, from the largest and the mean value of each channel.
    """

    __repr__ = short_repr

    first: NDArray[np.float32]
    first_offset: NDArray[np.float32]
    dilated: NDArray[np.float32]
    dilated_offsets: NDArray[np.float32]
    marks: NDArray[np.float32]
    prior: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_offset: NDArray[np.float32]
    absent: NDArray[np.float32]
    absent_offset: NDArray[np.float32]

    def __post_init__(self) -> None:
        channels, hidden, marks = self.first.shape[-1], self.hidden.shape[-1], len(MARKS)
        shapes = [
            (FIRST_LENGTH, INPUTS, channels),
            (channels,),
            (len(DILATIONS), LENGTH, channels, channels),
            (len(DILATIONS), channels),
            (channels, marks),
            (POSITIONS, marks),
            (2 * channels, hidden),
            (hidden,),
            (hidden, marks),
            (marks,),
        ]
        if [weight.shape for weight in astuple(self)] != shapes:
            raise DataError("the weights are not those of a network of waves.")

    def logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logarithm of how likely each mark lies at each position, up to a constant.

        Parameters
        ----------
        windows : ndarray of float32, shape (n, 252, 3)

        Returns
        -------
        ndarray of float32, shape (n, 127, 9)
            The last position stands for a beat without the mark.
        """
        values = np.maximum(_convolve(windows, self.first, STRIDE) + self.first_offset, 0)
        for kernel, offset, dilation in zip(self.dilated, self.dilated_offsets, DILATIONS, strict=True):
            values += np.maximum(_convolve(values, kernel, dilation=dilation) + offset, 0)
        positions = values @ self.marks + self.prior
        pooled = np.concatenate([values.max(axis=1), values.mean(axis=1)], axis=1)
        absent = np.maximum(pooled @ self.hidden + self.hidden_offset, 0) @ self.absent + self.absent_offset
        return np.concatenate([positions, absent[:, None]], axis=1)

    def save(self, path: Path) -> None:
        """Write the weights, atomically."""
        names = self.__dataclass_fields__
        members = {f"{name}.npy": array_bytes(getattr(self, name)) for name in names}
        with atomic_path(path) as temporary:
            temporary.write_bytes(packed(members))

    @classmethod
    def load(cls, content: bytes) -> WaveNetwork:
        """Read the weights that `save` wrote; a `DataError` if they are damaged."""
        members = unpacked(content, _MOST_BYTES)
        try:
            return cls(*(read_array(members[f"{name}.npy"]) for name in cls.__dataclass_fields__))
        except KeyError as error:
            raise DataError(f"the network of waves has no {error}.") from error


@cache
def shipped_network() -> WaveNetwork:
    """Load the network that ships with Ectopy."""
    return WaveNetwork.load(_FILE.read_bytes())


def _convolve(
    values: NDArray[np.float32], kernel: NDArray[np.float32], stride: int = 1, dilation: int = 1
) -> NDArray[np.float32]:
    """Convolve along the second axis, with zeros around, so that ``1 / stride`` of the positions remain."""
    length = len(kernel)
    positions = values.shape[1] // stride
    around = (positions - 1) * stride + (length - 1) * dilation + 1 - values.shape[1]
    padded = np.pad(values, ((0, 0), (around // 2, around - around // 2), (0, 0)))
    # All samples under the kernel side by side, so that a product of matrices does the work: one for each window, too
    # small for the BLAS to share among threads, which would take longer to meet than to compute.
    columns = np.empty((len(values), positions, length, values.shape[2]), np.float32)
    for tap in range(length):
        columns[:, :, tap] = padded[:, tap * dilation :][:, : (positions - 1) * stride + 1 : stride]
    product: NDArray[np.float32] = columns.reshape(len(values), positions, -1) @ kernel.reshape(-1, kernel.shape[2])
    return product
