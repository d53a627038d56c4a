"""NPY: an array of NumPy, of shape (samples,) or (samples, leads)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import DataError
from ectopy.formats.leads import MAX_LEADS, Stated, check_size
from ectopy.formats.library_errors import raising_data_error
from ectopy.formats.row_times import StatedRates, columns_to_read, first_start, place_rows
from ectopy.formats.sample_table import choose_columns
from ectopy.recording import Recording

_BLOCK_ROWS = 2**16
_HEAD_ROWS = 1000


def read(path: Path, stated: Stated) -> Recording:
    """Read an array of numbers, never of objects; rate and unit are the caller's to state.

    A column of times or of row numbers is recognised by its values, as in a table without a header. A `DataError` if
    the file is not such an array, is cut short or too large, or rate or unit are not stated.
    """
    with raising_data_error(
        f"{path} is not a whole .npy file of numbers; save the signal with numpy.save as an array of shape "
        "(samples, leads) and a numeric type."
    ):
        # A memory map checks the size that the header claims against the file, and never unpickles.
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} holds an array of type {array.dtype}; expected real numbers.")
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or not array.shape[1]:
        raise DataError(f"{path} holds an array of shape {array.shape}; expected (samples, leads).")
    rows, leads = array.shape
    if leads > MAX_LEADS >= rows:
        raise DataError(f"{path} holds an array of shape {array.shape}; expected (samples, leads): transpose it.")
    check_size(path, rows, leads)
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        return _recording(path, array, stated)


def _recording(path: Path, array: NDArray[Any], stated: Stated) -> Recording:
    rows, leads = array.shape
    head = array[:_HEAD_ROWS].astype(np.float64)
    values = [head[:, column] for column in range(leads)]
    columns = choose_columns(path, [None] * leads, values, stated)
    places = list(columns_to_read(columns, values))
    begins = range(0, rows, _BLOCK_ROWS)
    return place_rows(
        path,
        columns,
        (array[begin : begin + _BLOCK_ROWS, places].astype(np.float64) for begin in begins),
        rows,
        values,
        StatedRates(None, 0.0, stated.sampling_rate_hz),
        first_start(columns, values),
    )
