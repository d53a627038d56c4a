"""Arrays that are too large for memory: they lie in a temporary file, from which the system reads what is needed.

A day of twelve leads at 1000 Hz has 10**9 samples. Such an array is used as any other; a loop over its blocks, by
`blocks`, gives the memory of each block back. The temporary file has no name and vanishes with the array. A child
process that is given its address (`address_of`) can use the same array.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MOST_BYTES_IN_MEMORY = 2**27
"""Largest array that lies in memory: a day of one filtered lead."""


@dataclass(frozen=True, slots=True)
class ArrayAddress:
    """Where an array in a file lies, for a child process that inherits the descriptor."""

    descriptor: int
    offset: int
    shape: tuple[int, ...]
    dtype: str


class _Mapping(mmap.mmap):
    """A file in memory, with a descriptor of its own."""

    descriptor: int

    @classmethod
    def of(cls, descriptor: int, size: int) -> _Mapping:
        """Map a file."""
        mapping = cls(descriptor, size)
        mapping.descriptor = os.dup(descriptor)
        weakref.finalize(mapping, os.close, mapping.descriptor)
        return mapping


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
        return empty_in_file(shape, dtype)
    except OSError:
        return np.empty(shape, dtype)


def empty_in_file(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array in a temporary file, whatever its size, 1 at least; an `OSError` if there is no room."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile(prefix="ectopy-") as file:
        _reserve(file.fileno(), size)
        return np.ndarray(shape, dtype, _Mapping.of(file.fileno(), size))


class RowsInFile:
    """Rows that are appended to a temporary file, to be used as one array; an `OSError` where there is no room.

    Parameters
    ----------
    shape : tuple of int
        Of a row.
    dtype : data-type
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._shape, self._dtype, self._count = shape, np.dtype(dtype), 0
        with tempfile.TemporaryFile(prefix="ectopy-") as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows."""
        content = np.ascontiguousarray(rows, self._dtype).data.cast("B") if len(rows) else memoryview(b"")
        while len(content):
            content = content[os.write(self._descriptor, content) :]
        self._count += len(rows)

    def array(self) -> NDArray[Any]:
        """Return all rows so far as one array."""
        shape = self._count, *self._shape
        size = math.prod(shape) * self._dtype.itemsize
        if not size:
            return np.empty(shape, self._dtype)
        return np.ndarray(shape, self._dtype, _Mapping.of(self._descriptor, size))


def is_in_file(array: NDArray[Any]) -> bool:
    """Return whether an array is one piece of a temporary file."""
    return isinstance(_mapping(array), _Mapping) and array.flags.c_contiguous


def address_of(array: NDArray[Any]) -> ArrayAddress:
    """Return where an array lies; a `ValueError` if it is not one piece of a temporary file."""
    mapping = _mapping(array)
    if not isinstance(mapping, _Mapping) or not array.flags.c_contiguous:
        raise ValueError("the array is not in a temporary file.")
    offset = array.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    return ArrayAddress(mapping.descriptor, offset, array.shape, array.dtype.str)


def mapped(address: ArrayAddress) -> NDArray[Any]:
    """Return the array at an address that the parent of this process gave."""
    size = os.fstat(address.descriptor).st_size
    mapping = _Mapping.of(address.descriptor, size)
    return np.ndarray(address.shape, address.dtype, mapping, address.offset)


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
    mapping = _mapping(array)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _mapping(array: NDArray[Any]) -> mmap.mmap | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def _reserve(descriptor: int, size: int) -> None:
    """Make an empty file as large as that, with its place on the disk; an `OSError` if it is full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)
