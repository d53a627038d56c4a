"""Arrays that are too large for memory: they lie in a temporary file, from which the system reads what is needed.

A day of twelve leads at 1000 Hz has 10**9 samples. Such an array is used as any other; a loop over its blocks, by
`blocks`, gives the memory of each block back. The temporary file has no name and vanishes with the array.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MOST_BYTES_IN_MEMORY = 2**27
"""Largest array that lies in memory: a day of one filtered lead."""


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array whose values are to be set, in memory or, if it is large, in a temporary file.

    The file is in the folder of the environment's ``TMPDIR``, or the system's; where that has no room for it, the array
    lies in memory.

    Raises
    ------
    MemoryError
        If it fits neither there nor here.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= MOST_BYTES_IN_MEMORY:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="ectopy-") as file:
            _reserve(file.fileno(), size)
            return np.ndarray(shape, dtype, mmap.mmap(file.fileno(), size))
    except OSError:
        return np.empty(shape, dtype)


def blocks(length: int, size: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """Divide a range into slices of a size; after each, give the memory of arrays in files back.

    Examples
    --------
    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for begin in range(0, length, size):
        yield slice(begin, min(begin + size, length))
        for array in arrays:
            release(array)


def release(array: NDArray[Any]) -> None:
    """Give the memory of an array in a file back; its values are read again when they are used. Others stay."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)


def _reserve(descriptor: int, size: int) -> None:
    """Make an empty file as large as that, with its place on the disk; an `OSError` if it is full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)
